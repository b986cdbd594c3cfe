internal import Digest
internal import JSON

extension ToolDefinition {
    /// The text of the argument that identifies the thing (``correlate``), for the decision log. Of a secret, and of what looks like a
    /// card's number, it is a digest: equal things stay equal, and the log does not have them.
    func subject(of arguments: JSONObject, in org: OrgID) -> String? {
        guard let correlate, let value = arguments[correlate] else { return nil }
        let text: String
        switch value {
        case .string(let string): text = string
        case .integer(let integer): text = String(integer)
        case .bool(let flag): text = flag ? "true" : "false"
        case .null, .number, .array, .object, .bytes: return nil
        }
        let isHidden = Redaction.hides(correlate, in: schema) || CardNumbers.masked(text) != nil
        return isHidden ? Self.masked(text, in: org) : text
    }

    /// What stands for a text that no record has. The org is part of it, so that orgs cannot be compared.
    static func masked(_ text: String, in org: OrgID) -> String {
        "sha256:" + Digest.hex(Digest.sha256(Array(org.text.utf8) + [0] + Array(text.utf8)))
    }
}
