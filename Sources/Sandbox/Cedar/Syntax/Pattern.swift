/// The right side of `like`: scalars and wildcards.
public struct Pattern: Hashable, Sendable {
    /// A part of a pattern.
    public enum Element: Hashable, Sendable {
        /// Exactly this scalar.
        case scalar(Unicode.Scalar)
        /// Any scalars, or none.
        case wildcard
    }

    /// Its parts in order.
    public let elements: [Element]

    /// A pattern; wildcards side by side are kept as written.
    public init(_ elements: [Element]) { self.elements = elements }

    /// Whether the whole text fits. At most scalars × elements steps.
    func matches(_ text: ExactString) -> Bool {
        let scalars = text.string.unicodeScalars
        var position = scalars.startIndex
        var index = 0
        // Where to go on when a wildcard has to take one more scalar. Only the last wildcard matters: an earlier one took the least
        // that it could, so nothing is won by giving it more.
        var retry: (element: Int, position: String.UnicodeScalarView.Index)?
        while position < scalars.endIndex {
            if index < elements.count {
                switch elements[index] {
                case .wildcard:
                    index += 1
                    retry = (index, position)
                    continue
                case .scalar(let scalar) where scalar == scalars[position]:
                    index += 1
                    position = scalars.index(after: position)
                    continue
                case .scalar:
                    break
                }
            }
            guard let last = retry else { return false }
            index = last.element
            position = scalars.index(after: last.position)
            retry = (index, position)
        }
        return elements[index...].allSatisfy { $0 == .wildcard }
    }
}
