/// Hands out the comments of a text in order, to be printed again around the policies.
struct CommentPlacer {
    private var rest: ArraySlice<Token>

    init(_ comments: [Token]) { rest = comments[...] }

    /// Those before a place, or all that are left, each in its line. An empty line after one stays, but not two.
    mutating func before(_ place: SourcePosition?) -> String {
        var result = ""
        while let comment = rest.first, place.map({ comment.range.start < $0 }) ?? true {
            rest.removeFirst()
            result += text(comment) + "\n"
            let next = [rest.first?.range.start, place].compactMap { $0 }.min()
            if let next, next.line > comment.range.end.line + 1 { result += "\n" }
        }
        return result
    }

    /// - Throws: `ParseError` if one stands before this place.
    func refuse(until place: SourcePosition) throws(ParseError) {
        guard let comment = rest.first, comment.range.start < place else { return }
        throw ParseError("a comment inside a policy would lose its place; write it before the policy", at: comment.range)
    }

    /// The one that follows in the same line, with a blank before it.
    mutating func onLine(_ place: SourcePosition) -> String {
        guard let comment = rest.first, comment.range.start.line == place.line else { return "" }
        rest.removeFirst()
        return " " + text(comment)
    }

    private func text(_ comment: Token) -> String {
        var scalars = comment.text.string.unicodeScalars
        while let last = scalars.last, last.properties.isWhitespace { scalars.removeLast() }
        return String(scalars)
    }
}
