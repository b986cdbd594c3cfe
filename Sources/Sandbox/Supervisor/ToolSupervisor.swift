internal import JSON
internal import Synchronization

/// The one place where tool calls are decided, paid for, recorded and made: the model's and those of its code.
///
/// A call goes: name, arguments, schema, canonical form and digest, idempotency, decision, reservation, record, tool, commit or refund,
/// outcome, answer. Nothing is called before its decision is durable, and every refused attempt is recorded too.
///
/// Safe to use from any task. The tables behind it are in `Mutex`es, each held for a look-up.
public final class ToolSupervisor: Sendable {
    /// What the supervisor works with; the Server chooses.
    public struct Ports: Sendable {
        public var decider: any Decider
        public var log: any DecisionLog
        public var meter: any CallMeter
        public var idempotency: any IdempotencyStore
        public var clock: any SupervisorClock
        public var metrics: any SupervisorMetrics
        public var killSwitch: KillSwitch
        public var sessions: any SessionLog
        public var limits: any LimitCounter
        /// Nil where there is nobody to ask: then a call that needs an approval is denied.
        public var approvals: ApprovalDesk?
        /// How well sandboxes are shut in, as of now. Answers at once; nil where no code is run, or where the executor alone judges.
        public var isolation: @Sendable () -> IsolationStanding?
        /// Whether tools of effect read may be called although the decision log cannot be written.
        public var readsWithoutLog: Bool

        public init(
            decider: any Decider = AllowListDecider(), log: any DecisionLog, meter: any CallMeter, idempotency: any IdempotencyStore,
            clock: any SupervisorClock = SystemSupervisorClock(), metrics: any SupervisorMetrics = NoMetrics(),
            killSwitch: KillSwitch = KillSwitch(), sessions: any SessionLog = NoSessionLog(), limits: any LimitCounter = NoLimits(),
            approvals: ApprovalDesk? = nil, isolation: @escaping @Sendable () -> IsolationStanding? = { nil },
            readsWithoutLog: Bool = false
        ) {
            self.decider = decider
            self.log = log
            self.meter = meter
            self.idempotency = idempotency
            self.clock = clock
            self.metrics = metrics
            self.killSwitch = killSwitch
            self.sessions = sessions
            self.limits = limits
            self.approvals = approvals
            self.isolation = isolation
            self.readsWithoutLog = readsWithoutLog
        }
    }

    /// What may be called as of one moment, and who decides about it.
    struct Standing: Sendable {
        /// Tells one catalog from the next.
        let number: Int
        let catalog: ToolCatalog
        let adapters: [String: any ToolAdapter]
        let decider: any Decider
    }

    let ports: Ports
    let builtIn: BuiltInRules
    let gate = CallGate()
    let flights = CallFlights()
    let turns = SessionTurns()
    private let current: Mutex<Offered>
    private let pendingRecords = Mutex(0)
    private let shutdown = Mutex(false)

    /// - Parameter adapters: by the name of the tool; each tool of the catalog has one, and there are no others.
    /// - Throws: ``CatalogError`` for a tool without an adapter, or an adapter without a tool.
    public init(catalog: ToolCatalog, adapters: [String: any ToolAdapter], ports: Ports) throws(CatalogError) {
        current = Mutex(try Offered(number: 0, catalog, adapters))
        self.ports = ports
        builtIn = BuiltInRules(killSwitch: ports.killSwitch, isolation: ports.isolation)
    }

    /// The tools that may be called from now on.
    public var catalog: ToolCatalog { current.withLock { $0.catalog } }

    /// Puts another catalog in the place of this one, as a whole. Calls that have begun go on by the catalog they began with; each that
    /// begins later, those of code included, by the new one.
    ///
    /// - Parameter deciding: makes the decider fit: no call is decided by the policies of the one catalog about a tool of the other.
    ///   Called once, under a lock: it answers at once and does not ask this supervisor.
    /// - Throws: ``CatalogError`` as ``init(catalog:adapters:ports:)``; then nothing has changed.
    public func replace(
        _ catalog: ToolCatalog, adapters: [String: any ToolAdapter], deciding: () -> Void = {}
    ) throws(CatalogError) {
        try current.withLock { current throws(CatalogError) in
            current = try Offered(number: current.number + 1, catalog, adapters)
            deciding()
        }
    }

    /// A catalog and what makes its calls: one belongs to the other.
    private struct Offered: Sendable {
        let number: Int
        let catalog: ToolCatalog
        let adapters: [String: any ToolAdapter]

        init(number: Int, _ catalog: ToolCatalog, _ adapters: [String: any ToolAdapter]) throws(CatalogError) {
            for (position, tool) in catalog.tools.enumerated() where adapters[tool.name] == nil {
                throw CatalogError(path: "tools[\(position)]", rule: "adapter", message: "nothing makes the calls of \(tool.name)")
            }
            if let name = adapters.keys.sorted().first(where: { catalog[$0] == nil }) {
                throw CatalogError(path: "tools", rule: "adapter", message: "there is no tool \(SafeText.shown(name))")
            }
            self.number = number
            self.catalog = catalog
            self.adapters = adapters
        }
    }

    func standing() -> Standing {
        current.withLock {
            Standing(number: $0.number, catalog: $0.catalog, adapters: $0.adapters, decider: ports.decider.snapshot())
        }
    }

    /// The tools that this caller's model may be told of, in the order of the catalog.
    public func offers(for caller: CallerIdentity) -> [ToolDefinition] {
        let standing = standing()
        return standing.catalog.tools.filter { nameRefusal(of: $0, for: caller, source: .model, by: standing.decider) == nil }
    }

    /// Whether the name alone is forbidden. Answers at once: for a name that is still being streamed. Nil is no permission; of a name that
    /// no tool has ``call(_:told:)`` says so.
    public func refusal(ofName name: String, for caller: CallerIdentity) -> Refusal? {
        let standing = standing()
        guard let tool = standing.catalog[name] else { return nil }
        return nameRefusal(of: tool, for: caller, source: .model, by: standing.decider)
    }

    /// Records a call that somebody else has refused: the run, for its name or because it was not offered, or the channel of code. Answers
    /// at once; the record is written in the background, because nothing happens that would have to wait for it.
    ///
    /// - Returns: the refusal with its place in the decision log; without one when too many records wait.
    public func attempted(_ request: CallRequest, as refusal: Refusal) -> Refusal {
        var refusal = refusal
        let record = record(of: request, digest: nil, decision: .deny, rule: refusal.rule, code: refusal.code, message: refusal.message)
        let isPending = pendingRecords.withLock { pending in
            guard pending < SupervisorLimits.pendingRecordsMax else { return false }
            pending += 1
            return true
        }
        guard isPending else { return refusal }
        refusal.decisionID = record.id
        // Unstructured: the caller is in the middle of a stream and waits for nothing. Their number is bounded above.
        Task {
            _ = await ports.log.record(record)
            pendingRecords.withLock { $0 -= 1 }
        }
        ports.metrics.decided(.deny, tool: catalog[request.tool]?.name ?? "unknown")
        return refusal
    }

    /// Decides about a call and, if it is allowed, makes it.
    ///
    /// When the awaiting task is cancelled the tool is told to stop, and this returns ``SupervisorLimits/cancellationGrace`` later at the
    /// latest.
    ///
    /// - Parameter told: takes what happens meanwhile, from any thread; it is told nothing after the return.
    public func call(_ request: CallRequest, told: @escaping @Sendable (ToolNews) -> Void = { _ in }) async -> CallResult {
        await Attempt(self, request, told: told, checked: { _, _ in }).run()
    }

    /// From now on a call that waits for an approval and is cancelled leaves the approval pending: whoever makes the same call after the
    /// restart finds it.
    public func beginShutdown() { shutdown.withLock { $0 = true } }

    var isShuttingDown: Bool { shutdown.withLock { $0 } }

    /// Calls in flight of the whole server, abandoned ones included.
    public var callsInFlight: Int { gate.inFlight }

    func nameRefusal(
        of tool: ToolDefinition, for caller: CallerIdentity, source: CallSource, by decider: any Decider
    ) -> Refusal? {
        builtIn.refusal(of: tool, source: source) ?? decider.refusal(of: tool, for: caller, source: source)
    }

    func record(
        of request: CallRequest, id: String = DecisionID.make(), digest: String?, arguments: String? = nil, redacted: [String] = [],
        decision: DecisionRecord.Decision, rule: String, code: String?, message: String, subject: String? = nil,
        grounds: Grounds = Grounds()
    ) -> DecisionRecord {
        let message = CardNumbers.masked(message) ?? message
        return DecisionRecord(
            id: id, time: ports.clock.unixMilliseconds, caller: request.caller, callID: SafeText.shown(request.callID),
            parentCallID: request.parentCallID.map { SafeText.shown($0) }, source: request.source, tool: SafeText.shown(request.tool),
            argumentsDigest: digest, arguments: arguments, redacted: redacted, decision: decision,
            rule: SafeText.bounded(rule, bytesMax: 256),
            code: code, message: SafeText.bounded(message, bytesMax: SupervisorLimits.messageBytesMax), subject: subject,
            approval: grounds.approval, details: grounds.details)
    }
}
