/// How many sandboxes there are, by what they do.
public struct SandboxCensus: Sendable, Hashable {
    /// Wait for a job.
    public var warm = 0
    public var starting = 0
    /// Have a job.
    public var running = 0
    /// Are thrown away.
    public var leaving = 0
    /// As many as there may be in all.
    public var most = 0
}

/// Decides which sandbox is started, handed out and thrown away: `(event, time) → [action]`.
///
/// A sandbox is used once: a slot goes from `booting` to `idle` to `used` to nothing, and its number never comes back. Jobs
/// come first: one that finds no idle sandbox has one started at once, and takes whichever is ready first; the pool is filled
/// only while no job waits. `most` bounds all that exist, those that are being thrown away included, because each has a uid.
/// Times are of any monotonic clock.
struct PoolMachine: Sendable {
    typealias Slot = Int
    typealias Ticket = Int

    struct Settings: Sendable, Hashable {
        /// Sandboxes that wait for a job.
        var warm: Int
        /// Sandboxes in all.
        var most: Int
        /// Starts at once for the pool's sake: one core less than there are.
        var startsAtOnce: Int
        /// An idle sandbox that is older is replaced: its files and its interpreter may have been updated.
        var idleMax: Duration = .seconds(600)
        /// After a failed start; doubled with each further one.
        var backoffMin: Duration = .milliseconds(500)
        var backoffMax: Duration = .seconds(60)
    }

    enum Event: Sendable, Hashable {
        case wanted(Ticket)
        /// Whoever wanted it does not any more.
        case abandoned(Ticket)
        case ready(Slot)
        case failed(Slot)
        /// An idle sandbox, or one that was just handed out, turned out to be dead. Its ticket waits again.
        case spoiled(Slot)
        /// A job is over, or what was discarded is gone.
        case gone(Slot)
        /// Whether the pool may be filled (the machine is safe enough).
        case fill(Bool)
        case tick
        case stop
    }

    enum Action: Sendable, Hashable {
        case start(Slot)
        case hand(Slot, Ticket, warm: Bool)
        /// Kill it and remove it, then say `gone`.
        case discard(Slot)
        case refuse(Ticket, Reason)
    }

    enum Reason: Sendable, Hashable {
        case tooMany
        case failed
        case stopping
    }

    private enum State: Sendable, Hashable {
        case booting
        case idle(since: Duration)
        case used(Ticket)
        case leaving
    }

    private let settings: Settings
    private var slots: [Slot: State] = [:]
    private var lastSlot: Slot = 0
    /// First come, first served.
    private var waiting: [Ticket] = []
    private var failures = 0
    private var pausedUntil: Duration = .zero
    private var mayFill = false
    private(set) var isStopping = false

    init(_ settings: Settings) { self.settings = settings }

    /// No sandbox exists any more.
    var isEmpty: Bool { slots.isEmpty }
    var idle: Int { slots.values.count { if case .idle = $0 { true } else { false } } }
    var census: SandboxCensus {
        slots.values.reduce(into: SandboxCensus(most: settings.most)) { census, state in
            switch state {
            case .booting: census.starting += 1
            case .idle: census.warm += 1
            case .used: census.running += 1
            case .leaving: census.leaving += 1
            }
        }
    }
    private var booting: Int { slots.values.count { $0 == .booting } }

    /// When a tick is due at the latest.
    func wake(after now: Duration) -> Duration? {
        guard !isStopping else { return nil }
        let expiry = oldestIdle.map { $0.since + settings.idleMax }
        let isShort = mayFill && idle + booting < settings.warm
        return [expiry, isShort && pausedUntil > now ? pausedUntil : nil].compactMap { $0 }.min()
    }

    mutating func handle(_ event: Event, at now: Duration) -> [Action] {
        var actions: [Action] = []
        switch event {
        case .wanted(let ticket): actions += want(ticket)
        case .abandoned(let ticket): waiting.removeAll { $0 == ticket }
        case .ready(let slot): actions += ready(slot, at: now)
        case .failed(let slot): actions += failed(slot, at: now)
        case .spoiled(let slot): actions += spoiled(slot)
        case .gone(let slot): slots[slot] = nil
        case .fill(let isAllowed):
            mayFill = isAllowed
            if !isAllowed { actions += discardIdle() }
        case .tick: actions += discardIdle(since: now - settings.idleMax)
        case .stop:
            isStopping = true
            for ticket in waiting { actions.append(.refuse(ticket, .stopping)) }
            waiting = []
            actions += discardIdle()
        }
        actions += serve()
        actions += fill(at: now)
        checkInvariants()
        return actions
    }

    private mutating func want(_ ticket: Ticket) -> [Action] {
        if isStopping { return [.refuse(ticket, .stopping)] }
        waiting.append(ticket)
        return []
    }

    private mutating func ready(_ slot: Slot, at now: Duration) -> [Action] {
        guard slots[slot] == .booting else { return [] }
        failures = 0
        pausedUntil = .zero
        if let ticket = waiting.first {
            waiting.removeFirst()
            slots[slot] = .used(ticket)
            return [.hand(slot, ticket, warm: false)]
        }
        if isStopping || !mayFill || idle >= settings.warm {
            slots[slot] = .leaving
            return [.discard(slot)]
        }
        slots[slot] = .idle(since: now)
        return []
    }

    /// A start that failed has nothing left to discard. As many jobs as have no start of their own any more are refused: an
    /// immediate second attempt would mostly fail for the same reason.
    private mutating func failed(_ slot: Slot, at now: Duration) -> [Action] {
        guard slots[slot] == .booting else { return [] }
        slots[slot] = nil
        let pause = settings.backoffMin * (1 << min(failures, 16))
        pausedUntil = now + min(pause, settings.backoffMax)
        failures += 1
        guard waiting.count > booting else { return [] }
        return [.refuse(waiting.removeFirst(), .failed)]
    }

    private mutating func spoiled(_ slot: Slot) -> [Action] {
        switch slots[slot] {
        case .used(let ticket): if !isStopping { waiting.insert(ticket, at: 0) }
        case .idle: break
        case .booting, .leaving, nil: return []
        }
        slots[slot] = .leaving
        return [.discard(slot)]
    }

    private mutating func discardIdle(since limit: Duration? = nil) -> [Action] {
        var actions: [Action] = []
        for slot in slots.keys.sorted() {
            guard case .idle(let since) = slots[slot], since <= limit ?? since else { continue }
            slots[slot] = .leaving
            actions.append(.discard(slot))
        }
        return actions
    }

    /// Gives idle sandboxes to those who wait, and has one started for each who still waits, as far as `most` allows.
    private mutating func serve() -> [Action] {
        var actions: [Action] = []
        while let ticket = waiting.first, let oldest = oldestIdle {
            waiting.removeFirst()
            slots[oldest.slot] = .used(ticket)
            actions.append(.hand(oldest.slot, ticket, warm: true))
        }
        while booting < waiting.count {
            guard slots.count < settings.most else {
                actions.append(.refuse(waiting.removeLast(), .tooMany))
                continue
            }
            actions.append(start())
        }
        return actions
    }

    private mutating func fill(at now: Duration) -> [Action] {
        var actions: [Action] = []
        guard mayFill, !isStopping, waiting.isEmpty, now >= pausedUntil else { return [] }
        while idle + booting < settings.warm, slots.count < settings.most, booting < settings.startsAtOnce {
            actions.append(start())
        }
        return actions
    }

    private mutating func start() -> Action {
        lastSlot += 1
        slots[lastSlot] = .booting
        return .start(lastSlot)
    }

    private var oldestIdle: (slot: Slot, since: Duration)? {
        var oldest: (slot: Slot, since: Duration)?
        for (slot, state) in slots {
            guard case .idle(let since) = state else { continue }
            if let best = oldest, (best.since, best.slot) <= (since, slot) { continue }
            oldest = (slot, since)
        }
        return oldest
    }

    private func checkInvariants() {
        assert(slots.count <= settings.most, "more sandboxes than the machine may have")
        assert(idle == 0 || waiting.isEmpty, "a job waits beside an idle sandbox")
        assert(booting >= waiting.count, "a job waits for nothing")
    }
}
