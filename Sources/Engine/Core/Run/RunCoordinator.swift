internal import JSON
internal import Synchronization
public import Traces

/// Starts runs, finds them again, ends them.
///
/// Not an actor: nothing here waits while it holds the table, and transports must find and cancel a run from an event
/// loop without a hop. The table is in a `Mutex` held for a look-up; per delta it is not touched at all.
public final class RunCoordinator: Sendable {
    private let meter: any UsageMeter
    private let models: any ModelCatalog
    private let conversations: any ConversationStore
    private let tools: (any ToolGate)?
    private let clock: any EngineClock
    private let metrics: any EngineMetrics
    private let tracer: Tracer?
    private let share: (any RunLogShare)?
    private let limits: EngineLimits
    private let table: Mutex<RunTable>

    /// - Parameters:
    ///   - tools: the server's own; nil where it has none, and every tool call is handed to the client.
    ///   - tracer: nil where nothing is traced.
    ///   - share: nil where this process is the only one.
    public init(
        meter: any UsageMeter, models: any ModelCatalog, conversations: any ConversationStore, tools: (any ToolGate)? = nil,
        clock: any EngineClock = SystemEngineClock(), metrics: any EngineMetrics = NoEngineMetrics(),
        tracer: Tracer? = nil, share: (any RunLogShare)? = nil, limits: EngineLimits = EngineLimits()
    ) {
        self.meter = meter
        self.models = models
        self.conversations = conversations
        self.tools = tools
        self.clock = clock
        self.metrics = metrics
        self.tracer = tracer
        self.share = share
        self.limits = limits
        table = Mutex(RunTable(limits: limits))
    }

    // MARK: Starting

    /// Admits and starts a run. When it returns `.started`, the run is on its way and goes on without the caller.
    public func start(_ request: RunRequest) async -> StartOutcome {
        let span = tracer?.begin(RunTrace.operation, .server, parent: TraceContext.current)
        span?.begin(request, models.origin(of: request.model))
        let outcome = await Span.within(span) { await admit(request, span) }
        if case .started = outcome { return outcome }
        span?.end(refused: outcome)
        metrics.runRefused()
        return outcome
    }

    private func admit(_ request: RunRequest, _ span: Span?) async -> StartOutcome {
        guard models.provider(for: request.model) != nil else {
            return .failed(StartFailure(.modelNotFound, "there is no such model"))
        }
        if let failure = table.withLock({ $0.reserve() }) { return .failed(failure) }
        let outcome: Prepared
        do {
            outcome = try await prepare(request, span)
        } catch {
            release()
            return .failed(error)
        }
        switch outcome {
        case .refused(let cut):
            release()
            return .refused(cut)
        case .run(let run):
            table.withLock { $0.insert(run) }
            watchAudience(of: run)
            share?.share(run.parts.handle)
            run.parts.tellForced(run.parts.first)
            metrics.runStarted(model: request.model)
            // Its end is awaited by `drain(deadline:)`; its deadline is the provider's.
            Task {
                await run.perform()
                self.finish(run)
            }
            return .started(run.parts.handle)
        }
    }

    private enum Prepared {
        case run(Run)
        case refused(CutDescription)
    }

    /// History, prompt, admission, turn: in this order, so that nothing is written for what is refused.
    private func prepare(_ request: RunRequest, _ span: Span?) async throws(StartFailure) -> Prepared {
        let identity = RunIdentity(
            run: RunID(), conversation: request.conversation ?? ConversationID(), turn: request.turn ?? TurnID())
        let messages = try await messages(for: request)
        let tools = await RunTools.of(request, identity: identity, gate: tools)
        let call = ModelRequest(
            model: request.model, messages: messages, outputTokensMax: request.outputTokensMax,
            tools: tools.map(\.definitions) ?? request.tools, parameters: request.parameters)
        let opener = AttemptOpener(
            meter: meter, models: models, run: identity.run, tenant: request.tenant, request: call,
            mayLowerOutput: request.mayLowerOutput)
        let first: Attempt
        switch await opener.open(1, model: request.model) {
        case .opened(let attempt): first = attempt
        case .refused(let cut): return .refused(cut)
        case .failed(let failure): throw failure
        }
        let startedAt = clock.unixMilliseconds
        let startedNanoseconds = clock.nowNanoseconds
        let turn = TurnStart(
            identity: identity, model: request.model, userText: request.userText, startedAt: startedAt)
        do {
            try await conversations.beginTurn(turn, for: request.tenant)
        } catch {
            _ = await first.lease.settle(
                FinalUsage(usage: ModelUsage(), evidence: .nothingBilled, deliveredTokens: 0, outcome: .error))
            throw StartFailure(error)
        }
        let log = RunLog(identity: identity, startedAt: startedAt, limits: limits)
        let handle = RunHandle(
            identity: identity, tenant: request.tenant, model: request.model, startedAt: startedAt, log: log)
        span?.set(identity)
        return .run(
            Run(
                Run.Parts(
                    handle: handle, first: first, opener: opener,
                    plan: AttemptPlan(
                        model: request.model, policy: models.retries(for: request.model), jitter: UInt64.random(in: 0...UInt64.max)),
                    userText: request.userText, tools: tools, onClientLoss: request.onClientLoss, conversations: conversations,
                    clock: clock, metrics: metrics, limits: limits, startedNanoseconds: startedNanoseconds,
                    trace: span.map { RunTrace(span: $0, models: models) })))
    }

    private func messages(for request: RunRequest) async throws(StartFailure) -> [ModelMessage] {
        switch request.input {
        case .prompt(let messages): return messages
        case .message(let text, let system, let knowledge):
            var past: [ConversationTurn] = []
            if let conversation = request.conversation {
                do {
                    past = try await conversations.history(
                        of: conversation, for: request.tenant, turnsMax: limits.historyTurnsMax)
                } catch {
                    throw StartFailure(error)
                }
            }
            var messages: [ModelMessage] = []
            if let system { messages.append(ModelMessage(role: "system", text: system)) }
            for turn in PastTurns.fitting(past, bytesMax: limits.historyBytesMax) {
                messages.append(ModelMessage(role: "user", text: turn.userText))
                messages.append(ModelMessage(role: "assistant", text: turn.answer))
            }
            messages.append(ModelMessage(role: "user", text: KnowledgePassage.prompt(knowledge, before: text)))
            return messages
        }
    }

    /// The run hears of its readers for as long as it lives.
    private func watchAudience(of run: Run) {
        if case .drain = run.parts.onClientLoss { return }
        run.log.watchReaders { [weak run] readers, version in
            run?.audience { $0.changed(readers: readers, version: version) }
        }
        run.audience { $0.begin() }
    }

    private func release() { resume(table.withLock { $0.release() }) }

    private func finish(_ run: Run) {
        let now = clock.nowNanoseconds
        resume(table.withLock { $0.finish(run, now: now) })
    }

    private func resume(_ waiters: [CheckedContinuation<Void, Never>]) {
        for waiter in waiters { waiter.resume() }
    }

    // MARK: Finding

    /// The run and its log, live or finished and still kept. Whether the caller may see it is the caller's to check,
    /// with ``Tenant/owns(asSeenBy:)``.
    public func handle(for run: RunID) -> RunHandle? {
        let now = clock.nowNanoseconds
        return table.withLock { $0.handle(run, now: now) }
    }

    /// All live runs, in no order.
    public func live() -> [LiveRun] {
        table.withLock { $0.runs }.map(\.live)
    }

    /// One run, if it is live.
    public func live(_ run: RunID) -> LiveRun? { table.withLock { $0.run(run) }?.live }

    /// The tenant's live runs in a conversation. Linear in the live runs.
    public func live(in conversation: ConversationID, for tenant: Tenant) -> [RunHandle] {
        table.withLock { $0.runs }.map(\.parts.handle).filter {
            $0.identity.conversation == conversation && $0.tenant.owns(asSeenBy: tenant)
        }
    }

    public var liveCount: Int { table.withLock { $0.liveCount } }

    /// Forgets finished runs that are too old. Starts and ends do it too; call it now and then on an idle server.
    public func prune() {
        let now = clock.nowNanoseconds
        table.withLock { $0.prune(now: now) }
    }

    // MARK: Ending

    /// The client has heard enough: the run completes with finish reason `cancelled`.
    ///
    /// - Returns: false when the run is not live, or was about to end already.
    public func cancel(_ run: RunID) -> Bool { end(run, .cancelled) }

    /// An operator forces the end: the run is cut with reason `killed`.
    public func kill(_ run: RunID, decisionID: String? = nil) -> Bool {
        end(run, .cut(CutDescription(reason: .killed, decisionID: decisionID)))
    }

    /// A policy or a revoked key forces the end.
    public func cut(_ run: RunID, _ description: CutDescription) -> Bool { end(run, .cut(description)) }

    private func end(_ run: RunID, _ ending: RunEnding) -> Bool {
        table.withLock { $0.run(run) }?.requestEnd(ending) ?? false
    }

    /// Lets no new run in from now on; those that live go on.
    public func refuse() { table.withLock { $0.drain() } }

    /// Lets no new run in, waits for the live ones, and ends those that still live after `deadline` with
    /// `server_shutdown`. Returns when the last one is settled.
    public func drain(deadline: Duration) async {
        table.withLock { $0.drain() }
        let last = clock.nowNanoseconds + deadline.wholeNanoseconds
        await withTaskGroup(of: Void.self) { group in
            group.addTask {
                await self.clock.sleep(until: last)
                // Reached early when everything is idle: then there is nothing to end.
                self.endAll(.serverShutdown)
            }
            await idle()
            group.cancelAll()
        }
        await read()
    }

    /// Gives readers a moment to get the end of what they read: whoever drains closes their connections next.
    private func read() async {
        let last = clock.nowNanoseconds + limits.farewell.wholeNanoseconds
        while table.withLock({ $0.hasReaders }), clock.nowNanoseconds < last {
            await clock.sleep(until: clock.nowNanoseconds + 10_000_000)
        }
    }

    private func endAll(_ ending: RunEnding) {
        for run in table.withLock({ $0.runs }) { _ = run.requestEnd(ending) }
    }

    private func idle() async {
        await withCheckedContinuation { continuation in
            if !table.withLock({ $0.wait(continuation) }) { continuation.resume() }
        }
    }
}

extension StartFailure {
    init(_ error: ConversationError) {
        switch error {
        case .notFound: self.init(.conversationNotFound, "there is no such conversation")
        case .turnExists: self.init(.turnExists, "this conversation already has a turn of that name")
        case .unavailable: self.init(.conversationsUnavailable, "conversations cannot be stored at the moment")
        }
    }
}
