/// Estimates how many tokens a text has, incrementally: a word that comes in two pieces is counted once.
///
/// An estimate, and charged as one (`estimated: true`): no vocabulary is involved. It counts runs of one class of
/// character the way byte-pair vocabularies tend to split them; on English and code it is usually within a fifth of
/// them. It never exceeds the number of UTF-8 bytes, so a proven bound on bytes covers it.
struct TokenEstimator: Sendable, Hashable {
    private enum Class: Sendable, Hashable {
        case none, space, newline, letter, digit, punctuation, foreign, ideograph, symbol

        /// How many characters of a run share a token; the first of a run begins one.
        var charactersPerToken: Int {
            switch self {
            case .letter: 7
            case .digit, .foreign: 3
            case .punctuation: 2
            case .newline, .space: 16
            case .none, .ideograph, .symbol: 1
            }
        }
    }

    private var current = Class.none
    private var runLength = 0

    init() {}

    /// The tokens that begin in `text`.
    mutating func add(_ text: String) -> Int {
        var tokens = 0
        for scalar in text.unicodeScalars {
            let next = Self.classify(scalar)
            if next == current {
                runLength += 1
            } else {
                current = next
                runLength = 1
            }
            // One space belongs to the word after it; only the second makes a token of spaces.
            let position = next == .space ? runLength - 2 : runLength - 1
            if position >= 0, position % next.charactersPerToken == 0 { tokens += next == .symbol ? 2 : 1 }
        }
        return tokens
    }

    /// The tokens of a whole text.
    static func count(_ text: String) -> Int {
        var estimator = TokenEstimator()
        return estimator.add(text)
    }

    private static func classify(_ scalar: Unicode.Scalar) -> Class {
        switch scalar.value {
        case 0x20, 0x09: .space
        case 0x0A, 0x0D: .newline
        case 0x30...0x39: .digit
        case 0x41...0x5A, 0x61...0x7A: .letter
        case 0..<0x80: .punctuation
        case 0x3000...0x9FFF, 0xAC00...0xD7AF, 0xF900...0xFAFF, 0xFF00...0xFFEF, 0x20000...0x3FFFF: .ideograph
        case 0x2000...0x2FFF, 0x1F000...0x1FAFF: .symbol
        default: .foreign
        }
    }
}
