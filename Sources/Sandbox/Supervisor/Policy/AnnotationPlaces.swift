internal import Cedar

/// Where the annotations of a policy stand: Cedar's parser keeps the place of the policy alone.
struct AnnotationPlaces {
    struct Place: Sendable, Hashable {
        let line: Int
        let column: Int
    }

    /// The first character of each value by its key; of an annotation without a value, of its name.
    private(set) var places: [String: Place] = [:]
    private var rest: Substring.UnicodeScalarView
    private var line: Int
    private var column: Int

    /// - Parameter source: the text that the policy was read from; it is known to be valid.
    init(_ policy: Policy, in source: String) {
        let start = policy.range.start
        let bytes = source.utf8
        let from = bytes.index(bytes.startIndex, offsetBy: Int(start.offset), limitedBy: bytes.endIndex) ?? bytes.endIndex
        rest = source[from...].unicodeScalars
        line = Int(start.line)
        column = Int(start.column)
        for _ in policy.annotations {
            skipBlanks()
            guard rest.first == "@" else { return }
            advance()
            skipBlanks()
            var place = Place(line: line, column: column)
            var key = ""
            while let scalar = rest.first, scalar == "_" || scalar.properties.isAlphabetic || ("0"..."9").contains(scalar) {
                key.unicodeScalars.append(scalar)
                advance()
            }
            skipBlanks()
            if rest.first == "(" {
                advance()
                skipBlanks()
                place = Place(line: line, column: column + 1)
                skipString()
                skipBlanks()
                advance()
            }
            places[key] = place
        }
    }

    private mutating func advance() {
        guard let scalar = rest.popFirst() else { return }
        if scalar == "\n" {
            line += 1
            column = 1
        } else {
            column += 1
        }
    }

    private mutating func skipBlanks() {
        while let scalar = rest.first {
            if scalar == "/" {
                while let scalar = rest.first, scalar != "\n" { _ = (scalar, advance()) }
            } else if scalar.properties.isWhitespace {
                advance()
            } else {
                return
            }
        }
    }

    private mutating func skipString() {
        advance()
        while let scalar = rest.first, scalar != "\"" {
            if scalar == "\\" { advance() }
            advance()
        }
        advance()
    }
}
