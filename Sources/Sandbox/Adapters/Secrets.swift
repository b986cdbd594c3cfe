internal import JSON
internal import Supervisor

/// What must not be told: the values of a tool's headers or environment.
///
/// A server may repeat what it was sent, in an error or in an answer; the values, and their words (of `Bearer abc` also `abc`), are
/// replaced by `***` wherever a text goes on to a model, a client or a log.
struct Secrets: Sendable {
    /// Longest first, so that no part of a value stays when its word was replaced.
    private let values: [String]
    /// Shorter ones would be found inside ordinary words; nothing that short keeps a secret.
    private static let bytesMin = 6
    /// Headers that say nothing secret and whose values are ordinary words.
    private static let openHeaders: Set<String> = [
        "accept", "accept-language", "accept-encoding", "content-type", "user-agent", "cache-control",
    ]
    private static let openVariables: Set<String> = ["PATH", "HOME", "LANG", "TZ", "TMPDIR", "PYTHONPATH", "NODE_PATH"]

    init(headers: [NamedText]) { self.init(headers.filter { !Self.openHeaders.contains($0.name.lowercased()) }.map(\.value)) }

    init(environment: [NamedText]) { self.init(environment.filter { !Self.openVariables.contains($0.name) }.map(\.value)) }

    private init(_ texts: [String]) {
        var found: Set<String> = []
        for text in texts {
            let words = text.split { $0 == " " || $0 == "," || $0 == ";" }.map(String.init)
            for value in [text] + words where value.utf8.count >= Self.bytesMin { found.insert(value) }
        }
        values = found.sorted { ($0.utf8.count, $0) > ($1.utf8.count, $1) }
    }

    func redacted(_ text: String) -> String {
        var text = text
        for value in values where text.contains(value) {
            text = text.split(separator: value, omittingEmptySubsequences: false).joined(separator: "***")
        }
        return text
    }

    /// In every string and every name of a member. Recursion is as deep as the parser lets a value be.
    func redacted(_ value: JSONValue) -> JSONValue {
        guard !values.isEmpty else { return value }
        switch value {
        case .string(let text): return .string(redacted(text))
        case .array(let elements): return .array(elements.map { redacted($0) })
        case .object(let object): return .object(redacted(object))
        default: return value
        }
    }

    func redacted(_ object: JSONObject) -> JSONObject {
        JSONObject(object.members.map { (redacted($0.key), redacted($0.value)) })
    }
}

/// The beginning of a text, cut between two characters, without line breaks or other control characters.
func shown(_ text: String, bytesMax: Int = AdapterLimits.shownTextBytesMax) -> String {
    var shown = ""
    var bytes = 0
    for scalar in text.unicodeScalars {
        bytes += UTF8.width(scalar)
        guard bytes <= bytesMax else { return shown + "…" }
        shown.unicodeScalars.append(scalar.properties.generalCategory == .control ? " " : scalar)
    }
    return shown
}
