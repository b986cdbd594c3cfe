/// Cuts a text into passages of about ``KnowledgeLimits/passageLength`` scalars. Put together again they are the text.
///
/// Paragraphs stay whole where they can, short ones are gathered, and a Markdown heading goes with what follows it. What is longer than
/// ``KnowledgeLimits/passageLengthMax`` is cut behind a sentence, or else between words, or else anywhere. Pure.
public struct PassageSplitter {
    private let scalars: [Unicode.Scalar]
    private var passages: [Range<Int>] = []
    private var current: Range<Int>

    public static func passages(of text: String) -> [String] {
        var splitter = PassageSplitter(text)
        return splitter.run()
    }

    private init(_ text: String) {
        scalars = Array(text.unicodeScalars)
        current = 0..<0
    }

    private mutating func run() -> [String] {
        var start = 0
        while start < scalars.count {
            let end = paragraphEnd(from: start)
            cut(start..<end)
            start = end
        }
        if !current.isEmpty { passages.append(current) }
        return passages.map { range in String(String.UnicodeScalarView(scalars[range])) }
    }

    /// Behind the blank lines that end the paragraph.
    private func paragraphEnd(from start: Int) -> Int {
        var index = start
        while index < scalars.count {
            defer { index += 1 }
            guard scalars[index] == "\n" else { continue }
            var (next, end) = (index + 1, index + 1)
            while next < scalars.count, scalars[next].properties.isWhitespace {
                next += 1
                if scalars[next - 1] == "\n" { end = next }
            }
            if end > index + 1 { return end }
        }
        return scalars.count
    }

    /// Adds a paragraph, in pieces if it is long.
    private mutating func cut(_ paragraph: Range<Int>) {
        var rest = paragraph
        while rest.count > KnowledgeLimits.passageLengthMax {
            let end = breakPoint(in: rest.lowerBound..<rest.lowerBound + KnowledgeLimits.passageLength)
            add(rest.lowerBound..<end)
            rest = end..<rest.upperBound
        }
        add(rest)
    }

    /// Where `range` is best cut: in its second half, so that pieces do not become small.
    private func breakPoint(in range: Range<Int>) -> Int {
        let earliest = range.lowerBound + range.count / 2
        var space: Int?
        for index in stride(from: range.upperBound - 1, to: earliest, by: -1) {
            let (scalar, before) = (scalars[index], scalars[index - 1])
            if scalar == "\n" || "。！？".unicodeScalars.contains(scalar) { return index + 1 }
            guard scalar.properties.isWhitespace else { continue }
            if before == "." || before == "!" || before == "?" { return index + 1 }
            space = space ?? index + 1
        }
        return space ?? range.upperBound
    }

    private mutating func add(_ piece: Range<Int>) {
        let isHeading = scalars[piece.lowerBound] == "#" && current.count >= KnowledgeLimits.passageLengthShort
        if !current.isEmpty, isHeading || current.count + piece.count > KnowledgeLimits.passageLength {
            passages.append(current)
            current = piece
        } else {
            current = current.isEmpty ? piece : current.lowerBound..<piece.upperBound
        }
    }
}
