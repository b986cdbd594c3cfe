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
    private var sent = 0
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
            case "records.read": try readRecord(arguments)
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

    /// Without a `draft_id` a new draft; with one, that draft is written or written anew, unless it was sent.
    private mutating func draft(_ arguments: JSONObject) throws(ToolFailure) -> JSONValue {
        let draft = try mail(arguments)
        let id: String
        if arguments["draft_id"] == nil {
            var number = drafts.count + 1
            while drafts["draft_\(number)"] != nil { number += 1 }
            id = "draft_\(number)"
        } else {
            id = try text("draft_id", of: arguments)
        }
        let old = drafts[id]
        guard old?.isSent != true else { throw Self.refused("\(shown(id, bytesMax: 64)) was sent already") }
        if old == nil { try Self.requireRoom(drafts.count) }
        drafts[id] = draft
        return [
            "draft_id": .string(id), "to": .string(draft.recipient), "subject": .string(draft.subject),
            "status": old == nil ? "drafted" : "redrafted",
        ]
    }

    private func mail(_ arguments: JSONObject) throws(ToolFailure) -> Draft {
        let draft = Draft(
            recipient: try text("to", of: arguments), subject: arguments["subject"]?.stringValue ?? "",
            body: arguments["body"]?.stringValue ?? "")
        guard draft.subject.utf8.count + draft.body.utf8.count <= 64 << 10 else { throw Self.refused("the mail is too long") }
        return draft
    }

    /// A draft by its id, or without one the mail that the arguments are.
    private mutating func send(_ arguments: JSONObject) throws(ToolFailure) -> JSONValue {
        guard arguments["draft_id"] != nil || arguments["to"] == nil else {
            let mail = try mail(arguments)
            try Self.requireRoom(sent)
            sent += 1
            return ["message_id": .string("mail_\(sent)"), "to": .string(mail.recipient), "status": "sent"]
        }
        let id = try text("draft_id", of: arguments)
        guard var draft = drafts[id] else {
            throw ToolFailure(code: "not_found", message: "there is no draft \(shown(id, bytesMax: 64))", hadNoEffect: true)
        }
        guard !draft.isSent else { throw Self.refused("\(shown(id, bytesMax: 64)) was sent already") }
        draft.isSent = true
        drafts[id] = draft
        let number = id.hasPrefix("draft_") ? String(id.dropFirst("draft_".count)) : id
        return [
            "message_id": .string("msg_\(number)"), "draft_id": .string(id), "to": .string(draft.recipient), "status": "sent",
        ]
    }

    /// The same customer for the same id, whoever asks and whenever.
    private func lookUp(_ arguments: JSONObject) throws(ToolFailure) -> JSONValue {
        let id = try text("customer", of: arguments)
        var lot = DemoLot(id)
        let first = lot.pick(DemoLot.firstNames)
        let last = lot.pick(DemoLot.lastNames)
        let plan = lot.pick(["free", "team", "business"])
        let since = "20\(10 + lot.number(below: 15))-0\(1 + lot.number(below: 9))-15"
        return [
            "customer": .string(id), "name": .string("\(first) \(last)"),
            "email": .string("\(first).\(last)@example.com".lowercased()), "plan": .string(plan), "customer_since": .string(since),
        ]
    }

    /// The same record for the same patient.
    private func readRecord(_ arguments: JSONObject) throws(ToolFailure) -> JSONValue {
        let id = try text("patient", of: arguments)
        var lot = DemoLot(id)
        let name = "\(lot.pick(DemoLot.firstNames)) \(lot.pick(DemoLot.lastNames))"
        return [
            "patient": .string(id), "name": .string(name), "blood_group": .string(lot.pick(["0+", "A+", "A-", "B+", "AB+"])),
            "allergies": .array([.string(lot.pick(["none known", "penicillin", "latex", "pollen"]))]),
            "last_visit": .string("2026-0\(1 + lot.number(below: 9))-1\(lot.number(below: 10))"),
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
