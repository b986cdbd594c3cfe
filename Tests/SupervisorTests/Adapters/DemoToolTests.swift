import JSON
import Supervisor
import Testing

@testable import SupervisorAdapters

@Suite("Demo tools")
struct DemoToolTests {
    private func call(
        _ tools: DemoTools, _ name: String, _ arguments: JSONValue, org: OrgID = "o", key: String? = nil
    ) -> Result<JSONValue, ToolFailure> {
        Result { () throws(ToolFailure) in
            try tools.call(name, arguments.objectValue ?? JSONObject(), org: org, project: "p", idempotencyKey: key)
        }
    }

    @Test("amounts are decimal texts, summed without a fraction")
    func refunds() {
        let tools = DemoTools()
        for amount in ["", "0", "0.00", "-1", "1.234", "1e3", "01", ".5", "5.", "1,00", "٣", "9999999999999"] {
            let answer = call(tools, "payments.refund", ["order_id": "A1", "amount": .string(amount)])
            #expect(answer.failure?.code == "bad_arguments", "\(amount)")
        }
        #expect(call(tools, "payments.refund", ["order_id": "A1", "amount": 20]).failure != nil)
        for _ in 0..<2 { _ = call(tools, "payments.refund", ["order_id": "A1", "amount": "0.1"]) }
        let third = call(tools, "payments.refund", ["order_id": "A1", "amount": "0.10"])
        #expect(
            third
                == .success([
                    "refund_id": "re_3", "order_id": "A1", "amount": "0.10", "refunded_total": "0.30", "status": "refunded",
                ]))
    }

    @Test("only a draft can be sent, once, and only by its own project")
    func mails() {
        let tools = DemoTools()
        let draft = call(tools, "mail.draft", ["to": "a@example.com", "subject": "s", "body": "b"])
        #expect((try? draft.get())?["draft_id"] == "draft_1")
        #expect(call(tools, "mail.send", ["draft_id": "draft_2"]).failure?.code == "not_found")
        #expect(call(tools, "mail.send", ["draft_id": "draft_1"], org: "other").failure?.code == "not_found")
        #expect((try? call(tools, "mail.send", ["draft_id": "draft_1"]).get())?["message_id"] == "msg_1")
        #expect(call(tools, "mail.send", ["draft_id": "draft_1"]).failure?.hadNoEffect == true)
    }

    @Test("a draft may have a name, is written anew under it until it is sent, and new ones never take it")
    func namedDrafts() {
        let tools = DemoTools()
        func draft(_ id: String, _ subject: String) -> Result<JSONValue, ToolFailure> {
            call(tools, "mail.draft", ["draft_id": .string(id), "to": "a@example.com", "subject": .string(subject), "body": "b"])
        }
        #expect((try? draft("offer", "one").get())?["status"] == "drafted")
        #expect((try? draft("offer", "two").get())?["status"] == "redrafted")
        _ = draft("draft_3", "three")
        let unnamed = call(tools, "mail.draft", ["to": "a@example.com", "subject": "s", "body": "b"])
        #expect((try? unnamed.get())?["draft_id"] == "draft_4")
        #expect((try? call(tools, "mail.send", ["draft_id": "offer"]).get())?["message_id"] == "msg_offer")
        #expect(draft("offer", "three").failure?.hadNoEffect == true)
        #expect(draft("", "x").failure?.code == "bad_arguments")
    }

    @Test("a mail that is no draft is sent as it is")
    func directMails() {
        let mail: JSONValue = ["to": "a@example.com", "subject": "s", "body": "b"]
        #expect((try? call(DemoTools(), "mail.send", mail).get())?["status"] == "sent")
        #expect(call(DemoTools(), "mail.send", ["subject": "s"]).failure?.code == "bad_arguments")
    }

    @Test("the same patient has the same record")
    func records() throws {
        let first = try call(DemoTools(), "records.read", ["patient": "P-1"]).get()
        #expect(try call(DemoTools(), "records.read", ["patient": "P-1"], org: "other").get() == first)
        #expect(first["blood_group"]?.stringValue?.isEmpty == false)
    }

    @Test("under one idempotency key one refund is made")
    func keys() {
        let tools = DemoTools()
        let first = call(tools, "payments.refund", ["order_id": "A1", "amount": "1"], key: "k")
        #expect(call(tools, "payments.refund", ["order_id": "A1", "amount": "1"], key: "k") == first)
        #expect((try? call(tools, "payments.refund", ["order_id": "A1", "amount": "1"]).get())?["refund_id"] == "re_2")
    }

    @Test("the same id is always the same customer")
    func customers() throws {
        let first = try call(DemoTools(), "crm.lookup", ["customer": "C-7"]).get()
        #expect(try call(DemoTools(), "crm.lookup", ["customer": "C-7"], org: "other").get() == first)
        #expect(try call(DemoTools(), "crm.lookup", ["customer": "C-8"]).get() != first)
        #expect(first["name"]?.stringValue?.isEmpty == false)
    }

    @Test("tables and projects have limits, and reaching one is told")
    func limits() throws {
        let tools = DemoTools()
        for number in 0..<AdapterLimits.demoRowsMax {
            #expect(call(tools, "payments.refund", ["order_id": .string("A\(number)"), "amount": "1"]).failure == nil)
        }
        #expect(call(tools, "payments.refund", ["order_id": "B", "amount": "1"]).failure?.code == "demo_full")
        for number in 1..<AdapterLimits.demoTenantsMax { _ = call(tools, "crm.lookup", ["customer": "C"], org: try OrgID("o\(number)")) }
        #expect(call(tools, "crm.lookup", ["customer": "C"], org: "one-more").failure?.code == "demo_full")
    }
}
