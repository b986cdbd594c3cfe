internal import JSON
internal import Supervisor

/// What one project's demo tools have done. Pure and in memory: rows beyond the limit are refused, so that nothing is forgotten
/// unnoticed.
struct DemoTables: Sendable {
    private struct Draft {
        let recipient: String
        let subject: String
        let body: String
        var isSent = false
    }

    private var refunds: [(id: String, order: String, amount: DecimalText)] = []
    private var drafts: [String: Draft] = [:]
    /// Under an idempotency key the same answer is given again.
    private var answers: [String: JSONValue] = [:]

    mutating func call(_ tool: String, _ arguments: JSONObject, idempotencyKey: String?) throws(ToolFailure) -> JSONValue {
        let key = idempotencyKey.map { "\(tool) \($0)" }
        if let key, let answer = answers[key] { return answer }
        let answer: JSONValue =
            switch tool {
            case "payments.refund": try refund(arguments)
            case "mail.draft": try draft(arguments)
            case "mail.send": try send(arguments)
            case "crm.lookup": try lookUp(arguments)
            default: throw ToolFailure(code: "internal", message: "no such demo tool", hadNoEffect: true)
            }
        if let key, answers.count < 3 * AdapterLimits.demoRowsMax { answers[key] = answer }
        return answer
    }

    private mutating func refund(_ arguments: JSONObject) throws(ToolFailure) -> JSONValue {
        let order = try text("order_id", of: arguments)
        guard let amount = arguments["amount"]?.stringValue.flatMap({ DecimalText($0) }) else {
            throw Self.refused("amount has to be a decimal text above zero with at most two decimals, such as \"20.00\"")
        }
        try Self.requireRoom(refunds.count)
        let total = refunds.filter { $0.order == order }.reduce(amount) { $0.adding($1.amount) ?? $0 }
        let id = "re_\(refunds.count + 1)"
        refunds.append((id, order, amount))
        return [
            "refund_id": .string(id), "order_id": .string(order), "amount": .string(amount.description),
            "refunded_total": .string(total.description), "status": "refunded",
        ]
    }

    private mutating func draft(_ arguments: JSONObject) throws(ToolFailure) -> JSONValue {
        let recipient = try text("to", of: arguments)
        let draft = Draft(
            recipient: recipient, subject: arguments["subject"]?.stringValue ?? "", body: arguments["body"]?.stringValue ?? "")
        guard draft.subject.utf8.count + draft.body.utf8.count <= 64 << 10 else { throw Self.refused("the mail is too long") }
        try Self.requireRoom(drafts.count)
        let id = "draft_\(drafts.count + 1)"
        drafts[id] = draft
        return ["draft_id": .string(id), "to": .string(recipient), "subject": .string(draft.subject), "status": "drafted"]
    }

    private mutating func send(_ arguments: JSONObject) throws(ToolFailure) -> JSONValue {
        let id = try text("draft_id", of: arguments)
        guard var draft = drafts[id] else {
            throw ToolFailure(code: "not_found", message: "there is no draft \(shown(id, bytesMax: 64))", hadNoEffect: true)
        }
        guard !draft.isSent else { throw Self.refused("\(id) was sent already") }
        draft.isSent = true
        drafts[id] = draft
        return [
            "message_id": .string("msg_" + id.dropFirst("draft_".count)), "draft_id": .string(id), "to": .string(draft.recipient),
            "status": "sent",
        ]
    }

    /// The same customer for the same id, whoever asks and whenever: everything is drawn from the id's hash.
    private func lookUp(_ arguments: JSONObject) throws(ToolFailure) -> JSONValue {
        let id = try text("customer", of: arguments)
        // FNV-1a: `Hasher` is seeded anew in each process.
        var hash = id.utf8.reduce(0xCBF2_9CE4_8422_2325 as UInt64) { ($0 ^ UInt64($1)) &* 0x100_0000_01B3 }
        func pick(_ values: [String]) -> String {
            let value = values[Int(hash % UInt64(values.count))]
            hash /= UInt64(values.count)
            return value
        }
        let first = pick(["Ada", "Alan", "Barbara", "Edsger", "Grace", "Leslie", "Margaret", "Tony"])
        let last = pick(["Abel", "Berg", "Costa", "Dubois", "Eriksen", "Fischer", "Green", "Haas"])
        let plan = pick(["free", "team", "business"])
        let since = "20\(10 + Int(hash % 15))-0\(1 + Int(hash / 15 % 9))-15"
        return [
            "customer": .string(id), "name": .string("\(first) \(last)"),
            "email": .string("\(first).\(last)@example.com".lowercased()), "plan": .string(plan), "customer_since": .string(since),
        ]
    }

    private func text(_ name: String, of arguments: JSONObject) throws(ToolFailure) -> String {
        guard let text = arguments[name]?.stringValue, (1...256).contains(text.utf8.count) else {
            throw Self.refused("\(name) has to be a text of 1 to 256 bytes")
        }
        return text
    }

    private static func requireRoom(_ count: Int) throws(ToolFailure) {
        guard count < AdapterLimits.demoRowsMax else {
            throw ToolFailure(code: "demo_full", message: "the demo's tables are full: restart the server", hadNoEffect: true)
        }
    }

    private static func refused(_ message: String) -> ToolFailure {
        ToolFailure(code: "bad_arguments", message: message, hadNoEffect: true)
    }
}
