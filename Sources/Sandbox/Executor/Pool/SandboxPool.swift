/// Does what the pool's machine decides. An actor: coordination, no hot path.
actor SandboxPool {
    struct Loan: Sendable {
        let slot: PoolMachine.Slot
        let sandbox: WarmSandbox
        let wasWarm: Bool
    }

    private let boot: SandboxBoot
    private let launcher: Launcher
    private let lane: DescriptorLane
    private let observer: any SandboxObserver
    private let clock = ContinuousClock()
    private let epoch = ContinuousClock.now
    private var machine: PoolMachine
    private var sandboxes: [PoolMachine.Slot: WarmSandbox] = [:]
    private var waiters: [PoolMachine.Ticket: CheckedContinuation<Result<Loan, SandboxRefusal>, Never>] = [:]
    private var lastTicket = 0
    /// Starts and removals under way; bounded by the machine's `most`.
    private var starts: [PoolMachine.Slot: Task<Void, Never>] = [:]
    private var removals: [PoolMachine.Slot: Task<Void, Never>] = [:]
    private var stopWaiters: [CheckedContinuation<Void, Never>] = []
    private var alarm: (at: Duration, task: Task<Void, Never>)?
    private var lastFailure = "a sandbox could not be started"

    init(_ settings: PoolMachine.Settings, boot: SandboxBoot, observer: any SandboxObserver) {
        machine = PoolMachine(settings)
        self.boot = boot
        launcher = boot.launcher
        lane = boot.lane
        self.observer = observer
    }

    func fill(_ isAllowed: Bool) { handle(.fill(isAllowed)) }

    /// An idle sandbox at once, or a new one. Nil when the task was cancelled meanwhile.
    func take() async throws(SandboxRefusal) -> Loan? {
        lastTicket += 1
        let ticket = lastTicket
        let result = await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                waiters[ticket] = continuation
                // Looked at once: a cancellation after it is `abandon`'s.
                if Task.isCancelled { return resume(ticket, .failure(.stopping)) }
                handle(.wanted(ticket))
            }
        } onCancel: {
            Task { await self.abandon(ticket) }
        }
        switch result {
        case .success(let loan): return loan
        case .failure(let refusal):
            if Task.isCancelled { return nil }
            throw refusal
        }
    }

    /// The loan's sandbox is dead: it is removed, and its place is free afterwards.
    func giveBack(_ loan: Loan) {
        let launched = loan.sandbox.launched
        perform(loan.slot) { [launcher] in await launcher.remove(launched) }
    }

    /// Refuses who waits, throws away what is idle, and returns when nothing is left. The jobs must be over or ending.
    func stop() async {
        handle(.stop)
        alarm?.task.cancel()
        for task in starts.values { task.cancel() }
        guard !machine.isEmpty else { return }
        await withCheckedContinuation { stopWaiters.append($0) }
    }

    /// Everything that was given back is removed.
    func settle() async {
        while let task = removals.values.first { await task.value }
    }

    var idle: Int { machine.idle }
    var census: SandboxCensus { machine.census }

    private func abandon(_ ticket: PoolMachine.Ticket) {
        guard waiters[ticket] != nil else { return }
        handle(.abandoned(ticket))
        resume(ticket, .failure(.stopping))
    }

    private func handle(_ event: PoolMachine.Event) {
        for action in machine.handle(event, at: clock.now - epoch) { act(on: action) }
        setAlarm()
        guard machine.isStopping, machine.isEmpty else { return }
        for waiter in stopWaiters { waiter.resume() }
        stopWaiters = []
    }

    private func act(on action: PoolMachine.Action) {
        switch action {
        case .start(let slot): start(slot)
        case .hand(let slot, let ticket, let isWarm): hand(slot, ticket, isWarm)
        case .discard(let slot): discard(slot)
        case .refuse(let ticket, .tooMany): resume(ticket, .failure(.tooMany(retryAfter: SessionLimits.retry)))
        case .refuse(let ticket, .failed): resume(ticket, .failure(.launch(lastFailure)))
        case .refuse(let ticket, .stopping): resume(ticket, .failure(.stopping))
        }
    }

    private func start(_ slot: PoolMachine.Slot) {
        starts[slot] = Task { [boot] in
            do throws(SandboxRefusal) {
                let sandbox = try await boot.start()
                starts[slot] = nil
                sandboxes[slot] = sandbox
                handle(.ready(slot))
            } catch {
                starts[slot] = nil
                if case .launch(let text) = error { lastFailure = text }
                handle(.failed(slot))
            }
        }
    }

    private func hand(_ slot: PoolMachine.Slot, _ ticket: PoolMachine.Ticket, _ isWarm: Bool) {
        guard let sandbox = sandboxes[slot], sandbox.isFit else { return handle(.spoiled(slot)) }
        sandboxes[slot] = nil
        resume(ticket, .success(Loan(slot: slot, sandbox: sandbox, wasWarm: isWarm)))
    }

    private func discard(_ slot: PoolMachine.Slot) {
        guard let sandbox = sandboxes.removeValue(forKey: slot) else { return handle(.gone(slot)) }
        perform(slot) { [launcher, lane, observer] in
            if await launcher.kill(sandbox.launched).isUndead { observer.undead(sandbox: sandbox.launched.id) }
            lane.perform(.finish(sandbox.lane))
            await launcher.remove(sandbox.launched)
        }
    }

    private func perform(_ slot: PoolMachine.Slot, _ removal: @escaping @Sendable () async -> Void) {
        removals[slot] = Task {
            await removal()
            removals[slot] = nil
            handle(.gone(slot))
        }
    }

    private func resume(_ ticket: PoolMachine.Ticket, _ result: Result<Loan, SandboxRefusal>) {
        waiters.removeValue(forKey: ticket)?.resume(returning: result)
    }

    private func setAlarm() {
        let wake = machine.wake(after: clock.now - epoch)
        guard wake != alarm?.at else { return }
        alarm?.task.cancel()
        alarm = wake.map { wake in
            let task = Task {
                try? await clock.sleep(until: epoch + wake)
                guard !Task.isCancelled else { return }
                alarm = nil
                handle(.tick)
            }
            return (wake, task)
        }
    }
}
