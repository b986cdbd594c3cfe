public import JSON

/// Why a stored approval cannot be read.
public struct ApprovalFormatError: Error, Sendable, Hashable {
    /// The member that is missing, has another type, or is not known.
    public let member: String

    public init(member: String) { self.member = member }
}

extension Approval {
    /// For stores: everything, and nothing that is a secret. The form is that of version 1; another has another `v`.
    public var json: JSONValue {
        func text(_ value: String?) -> JSONValue { value.map { .string($0) } ?? .null }
        func time(_ value: Int64?) -> JSONValue { value.map { .integer($0) } ?? .null }
        return .object(
            JSONObject([
                ("v", 1), ("id", .string(id)), ("org", .string(org.text)), ("project", .string(project)), ("user", .string(user)),
                ("identity", .string(identity)), ("key", text(key)), ("conversation", text(conversation)), ("run", .string(run)),
                ("call_id", .string(callID)), ("tool", .string(tool)), ("subject", text(subject)), ("arguments", .string(arguments)),
                ("digest", .string(digest)), ("nonce", .string(nonce)), ("binding", .string(binding)), ("policy", .string(policy)),
                ("demand", demand.json), ("created_at", .integer(createdAt)), ("expires_at", .integer(expiresAt)),
                ("state", .string(state.rawValue)), ("votes", .array(votes.map(\.json))), ("ended_at", time(endedAt)),
                ("used_by", text(usedBy)), ("waited_until", .integer(waitedUntil)), ("version", .integer(version)),
            ]))
    }

    /// Reads what ``json`` wrote, and nothing else.
    public init(json: JSONValue) throws(ApprovalFormatError) {
        var reader = try MemberReader(json, "approval")
        guard try reader.integer("v") == 1 else { throw ApprovalFormatError(member: "v") }
        id = try reader.text("id")
        question = ApprovalQuestion(
            org: try reader.org("org"), project: try reader.text("project"), user: try reader.text("user"),
            conversation: try reader.textOrNull("conversation"), tool: try reader.text("tool"), digest: try reader.text("digest"))
        identity = try reader.text("identity")
        key = try reader.textOrNull("key")
        run = try reader.text("run")
        callID = try reader.text("call_id")
        subject = try reader.textOrNull("subject")
        arguments = try reader.text("arguments")
        nonce = try reader.text("nonce")
        binding = try reader.text("binding")
        policy = try reader.text("policy")
        demand = try ApprovalDemand(json: try reader.value("demand"))
        createdAt = try reader.integer("created_at")
        expiresAt = try reader.integer("expires_at")
        guard let state = State(rawValue: try reader.text("state")) else { throw ApprovalFormatError(member: "state") }
        self.state = state
        var votes: [Vote] = []
        for value in try reader.array("votes") { votes.append(try Vote(json: value)) }
        self.votes = votes
        endedAt = try reader.integerOrNull("ended_at")
        usedBy = try reader.textOrNull("used_by")
        waitedUntil = try reader.integer("waited_until")
        version = try reader.integer("version")
        try reader.finish()
    }
}

extension Approval.Vote {
    var json: JSONValue {
        .object(
            JSONObject([
                ("identity", .string(identity)), ("user", .string(user)), ("key", key.map { .string($0) } ?? .null),
                ("answer", .string(answer.rawValue)), ("reason", .string(reason)), ("at", .integer(at)),
                ("as", .array(standing.map { .string($0) })), ("agent", .bool(isAgent)),
            ]))
    }

    init(json: JSONValue) throws(ApprovalFormatError) {
        var reader = try MemberReader(json, "votes")
        guard let answer = Approval.Answer(rawValue: try reader.text("answer")) else { throw ApprovalFormatError(member: "answer") }
        self.init(
            identity: try reader.text("identity"), user: try reader.text("user"), key: try reader.textOrNull("key"), answer: answer,
            reason: try reader.text("reason"), at: try reader.integer("at"), standing: try reader.texts("as"),
            isAgent: try reader.flag("agent"))
        try reader.finish()
    }
}

extension ApprovalDemand {
    /// `group:finance user:anna`: whoever may decide, each once; several lists are joined, and an approver is in each.
    public var fromText: String {
        var seen: Set<String> = []
        return from.joined().map(\.text).filter { seen.insert($0).inserted }.joined(separator: " ")
    }

    var json: JSONValue {
        .object(
            JSONObject([
                ("rule", .string(rule)), ("from", .array(from.map { .array($0.map { .string($0.text) }) })),
                ("quorum", .integer(Int64(quorum))), ("timeout_ms", .integer(timeout.boundedNanoseconds / 1_000_000)),
            ]))
    }

    init(json: JSONValue) throws(ApprovalFormatError) {
        var reader = try MemberReader(json, "demand")
        var from: [[Approver]] = []
        for list in try reader.array("from") {
            guard case .array(let entries) = list, !entries.isEmpty else { throw ApprovalFormatError(member: "from") }
            var approvers: [Approver] = []
            for entry in entries {
                guard let text = entry.stringValue, let approver = Approver(stored: text) else { throw ApprovalFormatError(member: "from") }
                approvers.append(approver)
            }
            from.append(approvers)
        }
        let quorum = try reader.integer("quorum")
        guard !from.isEmpty, (1...1_000).contains(quorum) else { throw ApprovalFormatError(member: "quorum") }
        self.init(
            rule: try reader.text("rule"), from: from, quorum: Int(quorum), timeout: .milliseconds(try reader.integer("timeout_ms")))
        try reader.finish()
    }
}

extension ApprovalDemand.Approver {
    init?(stored text: String) {
        guard let colon = text.utf8.firstIndex(of: UInt8(ascii: ":")) else { return nil }
        let name = String(text[text.index(after: colon)...])
        switch text[..<colon] {
        case "group": self = .group(name)
        case "user": self = .user(name)
        case "agent": self = .agent(name)
        default: return nil
        }
    }
}

/// Takes an object's members, each once, and finds those that nobody took.
private struct MemberReader {
    private var object: JSONObject

    init(_ value: JSONValue, _ name: String) throws(ApprovalFormatError) {
        guard case .object(let object) = value else { throw ApprovalFormatError(member: name) }
        self.object = object
    }

    mutating func value(_ name: String) throws(ApprovalFormatError) -> JSONValue {
        guard let value = object[name] else { throw ApprovalFormatError(member: name) }
        object[name] = nil
        return value
    }

    mutating func text(_ name: String) throws(ApprovalFormatError) -> String { try kept(name, try value(name).stringValue) }
    mutating func org(_ name: String) throws(ApprovalFormatError) -> OrgID { try kept(name, try? OrgID(try value(name).stringValue ?? "")) }
    mutating func integer(_ name: String) throws(ApprovalFormatError) -> Int64 { try kept(name, try value(name).integerValue) }
    mutating func flag(_ name: String) throws(ApprovalFormatError) -> Bool { try kept(name, try value(name).boolValue) }
    mutating func array(_ name: String) throws(ApprovalFormatError) -> [JSONValue] { try kept(name, try value(name).arrayValue) }

    mutating func texts(_ name: String) throws(ApprovalFormatError) -> [String] {
        var texts: [String] = []
        for value in try array(name) { texts.append(try kept(name, value.stringValue)) }
        return texts
    }

    mutating func textOrNull(_ name: String) throws(ApprovalFormatError) -> String? {
        let value = try value(name)
        return value == .null ? nil : try kept(name, value.stringValue)
    }

    mutating func integerOrNull(_ name: String) throws(ApprovalFormatError) -> Int64? {
        let value = try value(name)
        return value == .null ? nil : try kept(name, value.integerValue)
    }

    func finish() throws(ApprovalFormatError) {
        if let member = object.members.first { throw ApprovalFormatError(member: SafeText.shown(member.key)) }
    }

    private func kept<Value>(_ name: String, _ value: Value?) throws(ApprovalFormatError) -> Value {
        guard let value else { throw ApprovalFormatError(member: name) }
        return value
    }
}
