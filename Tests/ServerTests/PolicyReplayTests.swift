import Accounting
import AccountingSQLite
import Foundation
import JSON
import Logging
import Supervisor
import Telemetry
import Testing

@testable import kdcube

/// Decisions as a server makes and keeps them, read back and made again.
@Suite("Past decisions under the same policies and under others")
struct PolicyReplayTests {
    /// 72: pages of the log, and a part of one. Ten thousand are decided again in SupervisorTests, without a log;
    /// `KDCUBE_REPLAY_DECISIONS=100000` for as many as an organisation makes in a busy week.
    private static let decisions = ProcessInfo.processInfo.environment["KDCUBE_REPLAY_DECISIONS"].flatMap { Int($0) } ?? 3_300
    private static let callsOfSession = 20

    private static let tools = """
        tools:
          - name: payments.refund
            description: Refunds an order.
            builtin: payments.refund
            effect: write
            correlate: order_id
            parameters:
              type: object
              additionalProperties: false
              required: [order_id, amount]
              properties:
                order_id: { type: string, minLength: 1, maxLength: 64 }
                amount: { type: string, format: decimal, minimum: "0.01", maximum: "5000.00" }
                reason: { type: string, maxLength: 200 }
          - name: crm.lookup
            description: Looks a customer up.
            builtin: crm.lookup
            effect: read
            correlate: customer
            parameters:
              type: object
              additionalProperties: false
              required: [customer]
              properties:
                customer: { type: string, minLength: 1, maxLength: 64 }
        """

    private static let policies = """
        @id("small") permit (principal in Role::"support", action == Action::"payments.refund", resource)
        when { context.args.amount.lessThanOrEqual(decimal("50.00")) };
        @id("large") @approval("group:finance timeout:30m")
        permit (principal in Role::"support", action == Action::"payments.refund", resource)
        when { context.args.amount.greaterThan(decimal("50.00")) && context.args.amount.lessThanOrEqual(decimal("1000.00")) };
        @id("looked-up") forbid (principal, action == Action::"payments.refund", resource)
        unless { context.counts["crm.lookup"] > 0 };
        @id("reasons") forbid (principal, action == Action::"payments.refund", resource)
        when { context.args has reason && context.args.reason like "*urgent*" };
        @id("read") permit (principal, action in Action::"effect:read", resource);
        """

    @Test("72: every decision comes out again as it was made; under other policies exactly those differ that are decided otherwise")
    func replay() async throws {
        let folder = FileManager.default.temporaryDirectory.appending(path: "replay-\(UUID().uuidString)").path
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let store = DecisionTable(try EmbeddedDatabase(path: folder + "/kdcube.sqlite"))
        let catalog = try ToolsFile(yaml: Self.tools, path: "tools.yaml", environment: nil).catalog
        let bundle = try PolicyBundle(files: [PolicyFile(name: "a.cedar", text: Self.policies)], catalog: catalog)
        try await Self.decide(Self.decisions, by: bundle, catalog, store)

        let same = try await PastDecisions(decisions: store, bundle: bundle, catalog: catalog).replay("acme", since: nil) { difference in
            Issue.record("\(difference.text)")
        }
        #expect(same.same == Self.decisions && same.different == 0 && same.unanswerable == 0)

        let text = Self.policies.replacing(#"decimal("50.00")"#, with: #"decimal("20.00")"#)
        let stricter = try PolicyBundle(files: [PolicyFile(name: "a.cedar", text: text)], catalog: catalog)
        var told: [String] = []
        let other = try await PastDecisions(decisions: store, bundle: stricter, catalog: catalog).replay("acme", since: nil) { difference in
            told.append(difference.record.decision.id)
            #expect(difference.was.rule == "small" && difference.now.rule == "large")
        }
        let expected = try await Self.allowedAbove20(store)
        #expect(Set(told) == expected && told.count == expected.count && !told.isEmpty)
        #expect(other.different == told.count && other.compared == Self.decisions)
    }

    /// What the amounts alone say: refunds of more than 20.00 that the rule `small` allowed.
    private static func allowedAbove20(_ store: DecisionTable) async throws -> Set<String> {
        var (found, cursor): (Set<String>, Int64) = ([], 0)
        while true {
            let page = try await store.decisions(
                for: .org(OrgHandle(org: "acme")), DecisionFilter(decision: .allow, rule: "small"), after: cursor,
                limit: DecisionLimits.replayPage)
            for one in page.decisions {
                let amount = try JSONValue(parsing: Array((one.decision.arguments ?? "").utf8))["amount"]?.stringValue ?? ""
                if (Double(amount) ?? 0) > 20 { found.insert(one.decision.id) }
            }
            guard let next = page.next else { return found }
            cursor = next
        }
    }

    /// Through the whole supervisor, session by session and many at a time.
    private static func decide(_ count: Int, by bundle: PolicyBundle, _ catalog: ToolCatalog, _ store: DecisionTable) async throws {
        let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        let supervisor = try ToolSupervisor(
            catalog: catalog, adapters: ["payments.refund": Answering(), "crm.lookup": Answering()],
            ports: ToolSupervisor.Ports(
                decider: PolicyDecider(bundle),
                log: DecisionLogBinding(writer: DecisionWriter(store), metrics: ToolMetrics(MetricRegistry()), logger: logger),
                meter: FreeMeter(), idempotency: NoKeys(), sessions: SessionLogBinding(decisions: store, logger: logger)))
        let sessions = (count + callsOfSession - 1) / callsOfSession
        await withTaskGroup(of: Void.self) { group in
            for session in 0..<sessions {
                if session >= 48 { await group.next() }
                let calls = min(callsOfSession, count - session * callsOfSession)
                group.addTask {
                    var dice = Dice(seed: UInt64(session))
                    for number in 0..<calls { _ = await supervisor.call(dice.call(number, of: session)) }
                }
            }
        }
    }

    private struct Answering: ToolAdapter {
        func call(_ call: AdmittedCall) async throws(ToolFailure) -> JSONValue { ["ok": true] }
    }

    private struct FreeMeter: CallMeter {
        private struct Nothing: CallReservation {
            func commit() async {}
            func refund() async {}
        }

        func reserve(tool: String, cost: Int64, caller: CallerIdentity) async -> MeterAnswer { .admitted(Nothing()) }
    }

    private struct NoKeys: Supervisor.IdempotencyStore {
        func claim(_ call: IdempotentCall) async -> Supervisor.IdempotencyClaim { .claimed }
        func settle(_ call: IdempotentCall, _ ending: IdempotencyEnding) async {}
    }

    /// Calls by a seeded generator (SplitMix64).
    private struct Dice {
        private var state: UInt64

        init(seed: UInt64) { state = seed &* 0x9E37_79B9_7F4A_7C15 }

        private mutating func roll(_ sides: UInt64) -> UInt64 {
            state &+= 0x9E37_79B9_7F4A_7C15
            var mixed = state
            mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
            mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
            return (mixed ^ (mixed >> 31)) % sides
        }

        mutating func call(_ number: Int, of session: Int) -> CallRequest {
            let caller = CallerIdentity(
                org: "acme", project: "web", user: "user\(roll(5))", roles: roll(4) == 0 ? [] : ["support", "extra\(roll(3))"],
                run: "run_\(session)", conversation: "conv_\(session)")
            guard roll(3) > 0 else {
                return CallRequest(caller: caller, callID: "call_\(number)", tool: "crm.lookup", text: #"{"customer":"C\#(roll(9))"}"#)
            }
            let cents = roll(120_000) + 1
            let fraction = cents % 100
            let amount = roll(2) == 0 ? "\(cents / 100).\(fraction < 10 ? "0" : "")\(fraction)" : "\(roll(60) + 1).00"
            let reason = roll(6) == 0 ? #","reason":"\#(roll(2) == 0 ? "very urgent" : "broken")""# : ""
            return CallRequest(
                caller: caller, callID: "call_\(number)", tool: "payments.refund",
                text: #"{"order_id":"A\#(roll(50))","amount":"\#(amount)"\#(reason)}"#)
        }
    }
}
