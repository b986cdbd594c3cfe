internal import Digest
internal import JSON

/// A limit for one tool: its arguments found in the tool's schema.
struct BoundLimit: Sendable {
    let limit: LimitObligation
    let rule: String
    /// In the unit of ``places``.
    let cap: Int64
    let places: Int
    /// The keys that are decimals: `1.5` and `1.50` are one amount, and so one key.
    private let decimals: Set<LimitObligation.Key>

    /// - Throws: ``ObligationError`` where the tool has no such arguments, or not in every call, and where the cap is none.
    init(_ limit: LimitObligation, rule: String, tool: PolicySchema.Tool) throws(ObligationError) {
        self.limit = limit
        self.rule = rule
        var decimals: Set<LimitObligation.Key> = []
        for case .argument(let path) in limit.keys {
            switch try Self.shape(of: path, tool, limit) {
            case .decimal: decimals.insert(.argument(path))
            case .string, .date, .long, .bool: break
            case .record, .set: throw Self.error("args.\(path.joined(separator: ".")) of \(tool.definition.name) is no single value", limit)
            }
        }
        self.decimals = decimals
        switch limit.measure {
        case .calls: places = 0
        case .sum(let path):
            switch try Self.shape(of: path, tool, limit) {
            case .long: places = 0
            case .decimal: places = FixedPoint.argumentPlaces
            default: throw Self.error("args.\(path.joined(separator: ".")) of \(tool.definition.name) is no number", limit)
            }
        }
        guard let cap = Self.cap(limit.cap, places: places) else {
            let form = places == 0 ? "a whole number" : "a number of at most \(places) decimal places"
            throw Self.error("\(SafeText.shown(limit.cap)) is no cap; it is \(form), and not negative", limit)
        }
        self.cap = cap
    }

    private static func cap(_ text: String, places: Int) -> Int64? {
        guard places == 0 else { return FixedPoint.scaled(text, places: places).flatMap { $0 < 0 ? nil : $0 } }
        guard !text.isEmpty, text.utf8.allSatisfy(SafeText.isDigit) else { return nil }
        return Int64(text)
    }

    private static func error(_ message: String, _ limit: LimitObligation) -> ObligationError { ObligationError(message, at: limit.offset) }

    private static func shape(
        of path: [String], _ tool: PolicySchema.Tool, _ limit: LimitObligation
    ) throws(ObligationError) -> ArgumentShape {
        var fields = tool.fields
        let whole = "args.\(path.joined(separator: "."))"
        for (index, name) in path.enumerated() {
            guard let field = fields.first(where: { $0.name == name }) else {
                throw error("\(tool.definition.name) has no argument \(whole) that policies see", limit)
            }
            guard field.isRequired else { throw error("\(whole) is not in every call of \(tool.definition.name)", limit) }
            if index == path.count - 1 { return field.shape }
            guard case .record(let inner) = field.shape else { throw error("\(whole) is not there in \(tool.definition.name)", limit) }
            fields = inner
        }
        throw error("an argument has a name", limit)
    }

    // MARK: - For one call

    /// What a call takes.
    enum Taking: Sendable, Hashable {
        case demand(LimitDemand)
        /// A negative amount would give back what others took.
        case negative
        /// Arguments that do not fit the tool's schema.
        case misfit
    }

    func taking(_ request: DecisionRequest) -> Taking {
        var amount: Int64 = 1
        if case .sum(let path) = limit.measure {
            guard let value = Self.number(request.arguments, path, places: places) else { return .misfit }
            guard value >= 0 else { return .negative }
            amount = value
        }
        guard let id = id(request) else { return .misfit }
        return .demand(
            LimitDemand(id: id, rule: rule, text: limit.text, amount: amount, cap: cap, places: places, period: limit.period))
    }

    /// Names the counter by all that shares it, and not by the cap: so it survives a change of the cap.
    private func id(_ request: DecisionRequest) -> String? {
        let caller = request.caller
        let isOrgWide = limit.keys.contains(.org)
        var keys: [(String, JSONValue)] = []
        for key in limit.keys {
            let value: JSONValue
            switch key {
            case .session: value = session(of: caller)
            case .run: value = .string(caller.run)
            case .user: value = .string(caller.user)
            case .project: value = .string(caller.project)
            case .org: value = .string(caller.org.text)
            case .key: value = .string(caller.key ?? "")
            case .argument(let path):
                guard let found = Self.value(request.arguments, path) else { return nil }
                if decimals.contains(key), case .string(let text) = found {
                    guard let scaled = FixedPoint.scaled(text, places: FixedPoint.argumentPlaces) else { return nil }
                    value = .integer(scaled)
                } else {
                    value = found
                }
            }
            keys.append((key.text, value))
        }
        keys.sort { $0.0 < $1.0 }
        let measure: JSONValue =
            switch limit.measure {
            case .calls: ["calls"]
            case .sum(let path): .array(["sum"] + path.map { .string($0) })
            }
        let name: JSONValue = [
            .string(caller.org.text), isOrgWide ? .null : .string(caller.project), .string(rule), measure,
            .array(keys.map { [.string($0.0), $0.1] }), .string(limit.period.rawValue),
        ]
        return String(Digest.hex(Digest.sha256(name.canonicalBytes)).prefix(32))
    }

    /// A conversation belongs to its user: another user's of the same name is another session.
    private func session(of caller: CallerIdentity) -> JSONValue {
        guard let conversation = caller.conversation else { return .string("r:\(caller.run)") }
        let owner = caller.user.isEmpty ? "/\(caller.key ?? "")" : caller.user
        return ["c", .string(owner), .string(conversation)]
    }

    private static func value(_ arguments: JSONObject, _ path: [String]) -> JSONValue? {
        var value = JSONValue.object(arguments)
        for name in path {
            guard let inner = value[name], inner != .null else { return nil }
            value = inner
        }
        return value
    }

    private static func number(_ arguments: JSONObject, _ path: [String], places: Int) -> Int64? {
        switch value(arguments, path) {
        case .integer(let integer)? where places == 0: integer
        case .string(let text)? where places > 0: FixedPoint.scaled(text, places: places)
        default: nil
        }
    }
}
