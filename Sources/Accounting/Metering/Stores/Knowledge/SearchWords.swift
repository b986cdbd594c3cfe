internal import Foundation

/// The words of a text as the indexes see them: without case, accents and width, by one rule for all back ends.
///
/// A word is letters, digits and their marks, and nothing else: no text that comes from outside can be syntax of SQLite's or Postgres'
/// query languages. Scripts that put no spaces between words are indexed by pairs of characters, which finds every word of two and more.
///
/// Foundation is imported for its folding alone, as for `CalendarZone`: Unicode's tables are not ours to keep. Neither SQLite's own
/// folding nor Postgres' would do: one knows no width, the other only what the database's locale knows.
public enum SearchWords {
    /// In order, as often as they come.
    public static func words(of text: String) -> [String] { words(of: text, asked: false) }

    /// - Parameter asked: for a query, where the last character of a pair says nothing that the pair does not.
    static func words(of text: String, asked: Bool) -> [String] {
        var reader = Reader(asked: asked)
        for scalar in fold(text).unicodeScalars { reader.read(scalar) }
        reader.endWord()
        return reader.words
    }

    static func fold(_ text: String) -> String {
        text.folding(options: [.caseInsensitive, .diacriticInsensitive, .widthInsensitive], locale: nil)
    }

    enum Kind {
        case letter, unspaced, other

        init(_ scalar: Unicode.Scalar) {
            switch scalar.value {
            case 0x30...0x39, 0x61...0x7A, 0x41...0x5A: self = .letter
            case 0..<0x80: self = .other
            default:
                switch scalar.properties.generalCategory {
                case .uppercaseLetter, .lowercaseLetter, .titlecaseLetter, .modifierLetter, .otherLetter, .decimalNumber, .letterNumber,
                    .otherNumber, .nonspacingMark, .spacingMark:
                    self = Self.isUnspaced(scalar.value) ? .unspaced : .letter
                default: self = .other
                }
            }
        }

        /// Thai, Lao, Burmese, Khmer, Japanese and Chinese.
        private static func isUnspaced(_ value: UInt32) -> Bool {
            switch value {
            case 0x0E00...0x0EFF, 0x1000...0x109F, 0x1780...0x17FF, 0x3040...0x30FF, 0x31F0...0x31FF, 0x3400...0x4DBF, 0x4E00...0x9FFF,
                0xF900...0xFAFF, 0x20000...0x3FFFF:
                true
            default: false
            }
        }
    }

    private struct Reader {
        var words: [String] = []
        private var word = String.UnicodeScalarView()
        private var length = 0
        /// The last scalar of a script without spaces, which begins the next pair.
        private var half: Unicode.Scalar?
        private var hasPair = false
        private let asked: Bool

        init(asked: Bool) { self.asked = asked }

        mutating func read(_ scalar: Unicode.Scalar) {
            switch Kind(scalar) {
            case .letter:
                endPair()
                guard length < KnowledgeLimits.wordLength else { return }
                word.append(scalar)
                length += 1
            case .unspaced:
                if length > 0 { endWord() }
                if let half {
                    words.append(String(String.UnicodeScalarView([half, scalar])))
                    hasPair = true
                }
                half = scalar
            case .other: endWord()
            }
        }

        mutating func endWord() {
            endPair()
            guard length > 0 else { return }
            words.append(String(word))
            word = String.UnicodeScalarView()
            length = 0
        }

        /// The last one alone, so that it too is found by its beginning.
        private mutating func endPair() {
            if let half, !(asked && hasPair) { words.append(String(String.UnicodeScalarView([half]))) }
            half = nil
            hasPair = false
        }
    }
}

/// What is searched for: words, of which the last may be the beginning of one, as it is while somebody types.
public struct KnowledgeQuery: Sendable, Hashable {
    /// Different ones, at most ``KnowledgeLimits/queryWords``; none when the text had no word, and then nothing is found.
    public let words: [String]
    /// The text ended within a word, which is among ``words``: every word that begins so matches as well.
    public let beginning: String?

    public init(_ text: String) throws(KnowledgeError) {
        guard text.utf8.count <= KnowledgeLimits.queryBytes else { throw .queryTooLong }
        let all = SearchWords.words(of: text, asked: true)
        var seen: Set<String> = []
        let words = Array(all.filter { seen.insert($0).inserted }.prefix(KnowledgeLimits.queryWords))
        self.words = words
        let isOpen = SearchWords.fold(text).unicodeScalars.last.map { SearchWords.Kind($0) != .other } ?? false
        beginning = isOpen ? all.last.flatMap { words.contains($0) ? $0 : nil } : nil
    }
}

/// How one project's words stand in an index that all projects share: each with the project's number before it. A query of a project
/// therefore has no way to another's entries, and takes no more time for their number.
public struct ProjectTerms: Sendable, Hashable {
    private let prefix: String

    /// - Parameter number: the project's, in its store.
    public init(project number: Int64) { prefix = "\(number)x" }

    public func term(_ word: String) -> String { prefix + word }
}
