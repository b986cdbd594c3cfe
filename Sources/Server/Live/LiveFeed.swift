internal import Accounting
internal import Engine
internal import JSON
internal import Supervisor
internal import Synchronization
internal import Transport

/// What consoles are told of live runs, windows and the present hour: of their own organisation, or an operator's of all.
///
/// Two loops, for organisations that somebody watches: one that never waits for a store tells of streams (at most four times a second) and
/// of `now`; one reads windows and approvals every second. The table is in a `Mutex` held for a few lines. A row may be told twice: whoever
/// shows it goes by its id.
final class LiveFeed: Sendable {
    private struct Watch {
        var sockets = 0
        var streams = StreamDiff()
        var now: JSONValue?
        var toldAt: Int64 = 0
        var approvals = 0
        let windows: WindowWatch?
    }

    private let namespace: Namespace
    private let live: LiveServer
    private let stores: Stores
    private let accountant: Accountant
    private let approvals: ApprovalCount
    private let watches = Mutex<[OrgChoice: Watch]>([:])

    init(_ namespace: Namespace, live: LiveServer, stores: Stores, accountant: Accountant, approvals: ApprovalCount) {
        self.namespace = namespace
        self.live = live
        self.stores = stores
        self.accountant = accountant
        self.approvals = approvals
    }

    // MARK: Who watches

    /// - Returns: false when too many organisations are watched.
    func opened(_ choice: OrgChoice) -> Bool {
        watches.withLock { watches in
            guard watches[choice] != nil || watches.count < LiveLimits.watchedOrgs else { return false }
            if watches[choice] == nil {
                var windows: WindowWatch?
                if case .one(let org) = choice { windows = WindowWatch(org, stores: stores, accountant: accountant) }
                watches[choice] = Watch(windows: windows)
            }
            watches[choice]?.sockets += 1
            return true
        }
    }

    func closed(_ choice: OrgChoice) {
        watches.withLock { watches in
            guard let watch = watches[choice] else { return }
            if watch.sockets > 1 { watches[choice]?.sockets -= 1 } else { watches[choice] = nil }
        }
    }

    /// What there is, for a console that has just come; changes follow.
    func snapshot(_ choice: OrgChoice, to socket: Socket) async {
        let view = await live.view()
        let rows = view.streams(choice).prefix(LiveLimits.rows)
        socket.emit(.streams, ["snapshot": true, "data": .array(rows.map(\.json)), "gone": []])
        // What ended while it was read may have been told before, and then nobody tells it again.
        let living = Set(await live.fleet.latest(with: live.report).streams(choice).map(\.run))
        let gone = rows.map(\.run).filter { !living.contains($0) }
        if !gone.isEmpty { socket.emit(.streams, ["data": [], "gone": .array(gone.map { .string($0) })]) }
        let waiting = await approvals.waiting(choice)
        watches.withLock { $0[choice]?.approvals = waiting }
        socket.emit(.now, view.now(choice, approvals: waiting, at: WallClock.now().rawValue))
        guard let windows = watches.withLock({ $0[choice]?.windows }) else { return }
        // Of the first console of an organisation nothing has been read yet.
        let changed = await windows.look()
        if !changed.isEmpty { tellWindows(changed, choice) }
        socket.emit(.windows, ["snapshot": true, "data": .array(await windows.snapshot)])
    }

    // MARK: What changes

    /// Until the task is cancelled.
    func run() async {
        var next = ContinuousClock.now
        while !Task.isCancelled {
            let choices = watches.withLock { Array($0.keys) }
            let isSecond = ContinuousClock.now >= next
            if isSecond { next = .now + .seconds(1) }
            if !choices.isEmpty, isSecond || live.coordinator.liveCount <= LiveLimits.closelyWatchedRuns {
                await live.look()
                let view = await live.fleet.latest(with: live.report)
                for choice in choices {
                    tellStreams(view, choice)
                    if isSecond { tellNow(view, choice) }
                }
            }
            try? await Task.sleep(for: .milliseconds(250))
        }
    }

    private func tellStreams(_ view: FleetView, _ choice: OrgChoice) {
        let rows = Array(view.streams(choice).prefix(LiveLimits.rows))
        guard let (data, gone) = watches.withLock({ $0[choice]?.streams.take(rows) }), !data.isEmpty || !gone.isEmpty else { return }
        let event: JSONValue = ["data": .array(data.map(\.json)), "gone": .array(gone.map { .string($0) })]
        namespace.emit(.streams, event, to: choice)
    }

    private func tellNow(_ view: FleetView, _ choice: OrgChoice) {
        guard let waiting = watches.withLock({ $0[choice]?.approvals }) else { return }
        let at = WallClock.now().rawValue
        // As of no moment: to see whether anything else has changed.
        let timeless = view.now(choice, approvals: waiting, at: at / 60_000 * 60_000)
        let isDue = watches.withLock { watches in
            guard let watch = watches[choice], watch.now != timeless || at - watch.toldAt >= LiveLimits.idleInterval else { return false }
            watches[choice]?.now = timeless
            watches[choice]?.toldAt = at
            return true
        }
        guard isDue, case .object(var object) = timeless else { return }
        object["at"] = .integer(at)
        namespace.emit(.now, .object(object), to: choice)
    }

    /// Reads windows and approvals; until the task is cancelled.
    func runStores() async {
        while !Task.isCancelled {
            for (choice, watch) in watches.withLock({ $0 }) {
                if let changed = await watch.windows?.look(), !changed.isEmpty { tellWindows(changed, choice) }
                let waiting = await approvals.waiting(choice)
                watches.withLock { $0[choice]?.approvals = waiting }
            }
            try? await Task.sleep(for: .seconds(1))
        }
    }

    private func tellWindows(_ rows: [JSONValue], _ choice: OrgChoice) {
        namespace.emit(.windows, ["data": .array(rows)], to: choice)
    }
}

/// How many approvals wait for people.
///
/// An actor: of all organisations together it is counted every ten seconds, and at most for ``LiveLimits/orgs`` of them.
actor ApprovalCount {
    private let store: (any ApprovalStore)?
    private let keys: any KeyStore
    private var all: (at: ContinuousClock.Instant, count: Int)?

    /// - Parameter store: nil where nothing waits for people.
    init(store: (any ApprovalStore)?, keys: any KeyStore) {
        self.store = store
        self.keys = keys
    }

    func waiting(_ choice: OrgChoice) async -> Int {
        switch choice {
        case .one(let org): return await count(org)
        case .all:
            if let all, ContinuousClock.now - all.at < .seconds(10) { return all.count }
            var sum = 0
            for org in ((try? await keys.orgs()) ?? []).prefix(LiveLimits.orgs) { sum += await count(org) }
            all = (.now, sum)
            return sum
        }
    }

    private func count(_ org: OrgID) async -> Int {
        await store?.approvals(of: org, Supervisor.ApprovalFilter(state: .pending), before: nil, limit: LiveLimits.approvals)?.count
            ?? 0
    }
}
