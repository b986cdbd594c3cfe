/// The name of a tool as the catalog has it (contract.md §5): `payments.refund`.
///
/// In counters, stores and ledger rows a tool stands where a model does, behind a mark that no model's name begins with. So a tool's
/// windows are no model's, and everything that keeps, sums and finds windows of one model does so for one tool as well.
public struct ToolName: Sendable, Hashable, CustomStringConvertible {
    public static let mark = "tool:"

    public let text: String

    /// - Returns: nil for what is not `[a-z][a-z0-9_.]{0,63}`.
    public init?(_ text: String) {
        guard (1...64).contains(text.utf8.count) else { return nil }
        for (index, byte) in text.utf8.enumerated() {
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"): break
            case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"), UInt8(ascii: "."): guard index > 0 else { return nil }
            default: return nil
            }
        }
        self.text = text
    }

    /// Reads ``subject``; nil for a model.
    public init?(subject: String) {
        guard subject.hasPrefix(Self.mark) else { return nil }
        self.init(String(subject.dropFirst(Self.mark.count)))
    }

    /// In the place of a model: `tool:payments.refund`.
    public var subject: String { Self.mark + text }

    public var description: String { text }
}
