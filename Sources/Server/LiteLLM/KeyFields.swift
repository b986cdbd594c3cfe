internal import Accounting
internal import HTTPTypes
internal import JSON

/// What a body of `/key/generate` or `/key/update` asks for, in LiteLLM's words.
///
/// A field that this server does not have is an error, never ignored: a cap that was asked for and is not there is worse than
/// none. What LiteLLM's own clients send as empty (null, `[]`, `{}`, `""`) asks for nothing.
struct KeyFields: Sendable {
    typealias Change = FieldChange

    static let supported: Set<String> = [
        "key", "models", "max_budget", "budget_duration", "tpm_limit", "rpm_limit", "duration", "user_id", "team_id", "organization_id",
        "metadata", "key_alias", "blocked", "on_disconnect",
    ]

    let organization: String?
    let team: String?
    let user: String?
    let alias: Change<String>
    let models: [String]?
    let metadata: String?
    let isBlocked: Bool?
    /// Nano-USD.
    let maxBudget: Change<Int64>
    let budgetPeriod: Change<Period>
    let tokensPerMinute: Change<Int64>
    let requestsPerMinute: Change<Int64>
    let duration: Change<KeyDuration>
    /// Ours, not LiteLLM's.
    let onDisconnect: Change<DisconnectPolicy>

    init(_ reader: FieldReader) throws(HTTPFailure) {
        for member in reader.object.members where !Self.supported.contains(member.key) && !Self.isEmpty(member.value) {
            throw HTTPFailure(
                .badRequest, code: "unsupported_parameter",
                message: "This server does not support \(String(member.key.prefix(64))) of a key, and does not ignore it.",
                param: String(member.key.prefix(64)))
        }
        organization = try reader.identifier("organization_id")
        team = try reader.identifier("team_id")
        user = try reader.identifier("user_id")
        alias = try reader.change("key_alias") { value throws(HTTPFailure) in
            guard let text = value.stringValue, (1...StoreLimits.keyAliasBytes).contains(text.utf8.count) else {
                throw reader.failure("key_alias", "must be a string of 1 to \(StoreLimits.keyAliasBytes) bytes")
            }
            return text
        }
        models = try Self.models(reader)
        metadata = try Self.metadata(reader)
        isBlocked = try reader.flag("blocked")
        maxBudget = try reader.change("max_budget") { value throws(HTTPFailure) in
            do { return try NanoUSD(number: value.numberText ?? "").rawValue } catch {
                throw reader.failure("max_budget", "must be a number of US dollars from 0 to 9000000 with at most 9 decimals")
            }
        }
        budgetPeriod = try reader.change("budget_duration") { value throws(HTTPFailure) in
            guard let period = value.stringValue.flatMap(Self.period) else {
                throw reader.failure("budget_duration", "must be 1m, 1h, 1d, 7d or 30d (or 1mo): windows follow the calendar in UTC")
            }
            return period
        }
        func limit(_ key: String) throws(HTTPFailure) -> Change<Int64> {
            try reader.change(key) { value throws(HTTPFailure) in
                guard let count = value.integerValue, (0...AccountingLimits.amountMax).contains(count) else {
                    throw reader.failure(key, "must be a whole number, not negative")
                }
                return count
            }
        }
        tokensPerMinute = try limit("tpm_limit")
        requestsPerMinute = try limit("rpm_limit")
        duration = try reader.change("duration") { value throws(HTTPFailure) in
            guard let duration = value.stringValue.flatMap(KeyDuration.init) else {
                throw reader.failure("duration", "must be a number with s, m, h, d, w or mo, such as 30d")
            }
            return duration
        }
        onDisconnect = try reader.change("on_disconnect") { value throws(HTTPFailure) in
            guard let policy = value.stringValue.flatMap(DisconnectPolicy.init) else {
                throw reader.failure("on_disconnect", "must be stop or drain")
            }
            return policy
        }
    }

    private static func isEmpty(_ value: JSONValue) -> Bool {
        switch value {
        case .null: true
        case .string(let text): text.isEmpty
        case .array(let items): items.isEmpty
        case .object(let object): object.isEmpty
        default: false
        }
    }

    static func models(_ reader: FieldReader) throws(HTTPFailure) -> [String]? {
        guard let value = reader.value("models") else { return nil }
        let names = value.arrayValue?.compactMap(\.stringValue) ?? []
        let areNames = names.allSatisfy { name in
            (1...RequestLimits.modelBytesMax).contains(name.utf8.count) && name.unicodeScalars.allSatisfy { $0.value >= 0x20 }
        }
        guard let items = value.arrayValue, names.count == items.count, names.count <= StoreLimits.modelsPerKey, areNames else {
            throw reader.failure("models", "must be an array of at most \(StoreLimits.modelsPerKey) model ids")
        }
        // LiteLLM's word for all of them.
        return names.contains("all-proxy-models") ? [] : names
    }

    static func metadata(_ reader: FieldReader) throws(HTTPFailure) -> String? {
        guard let value = reader.value("metadata") else { return nil }
        let text = value.jsonText
        guard value.objectValue != nil, text.utf8.count <= StoreLimits.keyMetadataBytes else {
            throw reader.failure("metadata", "must be an object of at most \(StoreLimits.keyMetadataBytes) bytes")
        }
        return text
    }

    /// LiteLLM's durations that are a calendar's window; it also starts those of 1d, 7d and 30d with the day, week and month.
    private static func period(_ text: String) -> Period? {
        switch text {
        case "60s", "1m": .minute
        case "3600s", "60m", "1h": .hour
        case "24h", "1d": .day
        case "7d", "1w": .week
        case "30d", "1mo": .month
        default: nil
        }
    }
}

extension Period {
    /// As LiteLLM writes it; nil for a budget that never starts again.
    var budgetDuration: String? {
        switch self {
        case .minute: "1m"
        case .hour: "1h"
        case .day: "1d"
        case .week: "7d"
        case .month: "30d"
        case .total: nil
        }
    }
}

/// How long a key lives: `30s`, `30m`, `30h`, `30d`, `2w`, `1mo` (of 30 days).
struct KeyDuration: Sendable, Hashable {
    let span: Milliseconds

    init?(_ text: String) {
        let digits = text.prefix { $0.isASCII && $0.isNumber }
        let seconds: [String: Int64] = ["s": 1, "m": 60, "h": 3_600, "d": 86_400, "w": 7 * 86_400, "mo": 30 * 86_400]
        // Ten thousand months are longer than anybody's key.
        guard let count = Int64(digits), (1...10_000_000).contains(count), let unit = seconds[String(text[digits.endIndex...])],
            count * unit <= 10_000 * 30 * 86_400
        else { return nil }
        span = Milliseconds(count * unit * 1_000)
    }
}
