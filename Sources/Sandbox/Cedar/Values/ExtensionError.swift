/// Why an extension type has no value for what it was given.
public struct ExtensionError: Error, Hashable, Sendable, CustomStringConvertible {
    /// What is wrong.
    public let description: String

    init(_ description: String) { self.description = description }

    static func text(_ text: ExactString, _ type: String, _ form: String) -> ExtensionError {
        ExtensionError("\(Escape.quoted(text)) is not \(type); it is written like \(form)")
    }
}
