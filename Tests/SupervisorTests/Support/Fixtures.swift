import JSON
import Supervisor
import Synchronization
import Testing

/// A tool that does what a test says.
struct ScriptedTool: ToolAdapter {
    let body: @Sendable (AdmittedCall) async -> Result<JSONValue, ToolFailure>

    func call(_ call: AdmittedCall) async throws(ToolFailure) -> JSONValue { try await body(call).get() }

    static let echo = ScriptedTool { .success(.object($0.arguments)) }
    /// Returns only when its task is cancelled.
    static let obedient = ScriptedTool { _ in
        await Hold().waitUntilCancelled()
        return .failure(ToolFailure(code: "stopped", message: "stopped"))
    }
}

/// A gate that a test opens.
final class Hold: Sendable {
    private struct State {
        var isOpen = false
        var waiters: [CheckedContinuation<Void, Never>] = []
    }

    private let state = Mutex(State())

    /// Ignores cancellation.
    func wait() async {
        await withCheckedContinuation { continuation in
            let isOpen = state.withLock { state in
                if !state.isOpen { state.waiters.append(continuation) }
                return state.isOpen
            }
            if isOpen { continuation.resume() }
        }
    }

    func open() {
        let waiters = state.withLock { state in
            state.isOpen = true
            defer { state.waiters = [] }
            return state.waiters
        }
        for waiter in waiters { waiter.resume() }
    }

    func waitUntilCancelled() async {
        await withTaskCancellationHandler {
            await wait()
        } onCancel: {
            open()
        }
    }

    var waiting: Int { state.withLock { $0.waiters.count } }

    func wait(forWaiters count: Int) async { while waiting < count { await Task.yield() } }
}

let ann = CallerIdentity(org: "acme", project: "shop", user: "ann", roles: ["support"], run: "run_1")

func tool(
    _ name: String = "payments.refund", roles: JSONValue? = nil, cost: JSONValue? = nil, timeout: String = "10s", output: String = "1KiB",
    builtin: String = "payments.refund", parameters: JSONValue? = nil
) -> JSONValue {
    let refund: JSONValue = [
        "type": "object", "additionalProperties": false, "required": ["order_id", "amount"],
        "properties": [
            "order_id": ["type": "string", "minLength": 1, "maxLength": 32], "amount": ["type": "integer", "minimum": 1, "maximum": 5000],
            "card_number": ["type": "string"],
        ],
    ]
    var object = JSONObject([
        ("name", .string(name)), ("description", "Gives money back."), ("parameters", parameters ?? refund), ("effect", "write"),
        ("correlate", "order_id"), ("timeout", .string(timeout)), ("output", .string(output)), ("builtin", .string(builtin)),
    ])
    if parameters != nil { object["correlate"] = nil }
    object["roles"] = roles
    object["cost"] = cost
    return .object(object)
}

/// A supervisor over memory, with one tool unless the test brings others.
struct Bench {
    let journal = Journal()
    let log: MemoryLog
    let meter: MemoryMeter
    let idempotency = MemoryIdempotency()
    let clock = ManualClock()
    let metrics = CountingMetrics()
    let killSwitch = KillSwitch()
    let limits: MemoryLimits
    let approvals: MemoryApprovalStore
    let watched = WatchedApprovals()
    let desk: ApprovalDesk
    let supervisor: ToolSupervisor

    init(
        _ tools: [JSONValue] = [tool()], adapter: any ToolAdapter = ScriptedTool.echo, others: [String: any ToolAdapter] = [:],
        decider: any Decider = AllowListDecider(), budget: Int64 = 1_000_000_000_000, approvals: MemoryApprovalStore? = nil,
        asksPeople: Bool = true, isolation: @escaping @Sendable () -> IsolationStanding? = { nil }, readsWithoutLog: Bool = false
    ) throws {
        limits = MemoryLimits(clock, journal)
        self.approvals = approvals ?? MemoryApprovalStore()
        desk = ApprovalDesk(store: self.approvals, clock: clock, observers: [watched], metrics: metrics)
        log = MemoryLog(journal)
        meter = MemoryMeter(journal, budget: budget)
        let catalog = try ToolCatalog(["tools": .array(tools)])
        var adapters = Dictionary(uniqueKeysWithValues: catalog.tools.map { ($0.name, adapter) })
        adapters.merge(others) { $1 }
        supervisor = try ToolSupervisor(
            catalog: catalog, adapters: adapters,
            ports: ToolSupervisor.Ports(
                decider: decider, log: log, meter: meter, idempotency: idempotency, clock: clock, metrics: metrics,
                killSwitch: killSwitch, sessions: log, limits: limits, approvals: asksPeople ? desk : nil, isolation: isolation,
                readsWithoutLog: readsWithoutLog))
    }

    func call(
        _ text: String = #"{"order_id":"A1","amount":5}"#, tool: String = "payments.refund", id: String = "call_1", key: String? = nil,
        caller: CallerIdentity = ann, told: @escaping @Sendable (ToolNews) -> Void = { _ in }
    ) async -> CallResult {
        await supervisor.call(CallRequest(caller: caller, callID: id, tool: tool, text: text, idempotencyKey: key), told: told)
    }

    /// Lets other tasks run until so many approvals are pending and their calls wait.
    func pending(_ count: Int = 1) async -> [Approval] {
        while approvals.all.count(where: { $0.state == .pending }) < count || clock.sleeperCount < count { await Task.yield() }
        return approvals.all.filter { $0.state == .pending }
    }
}
