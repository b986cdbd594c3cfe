import Accounting

/// A world of streams on virtual time, with the product's own machines and one queue of events. Single-threaded.
///
/// What is real: `CounterMachine`, `LeaseMachine`, `RunCost`, `SliceLadder`, `Tranche`, `Budget` and its windows. What is modelled: the
/// network, the time that a master needs for a script, the durable root's own bookkeeping, upstreams and clients. See docs/scale.md.
final class World {
    let settings: ScaleSettings
    let population: Population
    var budgets: Budgets
    var witness: Witness
    var queue = CalendarQueue()
    /// Virtual microseconds.
    var now: Int64 = World.firstMoment
    var chance: Chance
    var sets: ContiguousArray<CounterMachine>
    var masters: ContiguousArray<Master>
    var places: ContiguousArray<Place>
    var flights: ContiguousArray<Flight> = []
    var freeFlights: [Int] = []
    var rootServer = RootServer()
    var widenings: ContiguousArray<Widening> = []
    var freeWidenings: [Int] = []
    var widening: [WideningName: Int] = [:]
    var figures: Figures
    var lastRun = 0
    private(set) var events = 0
    /// The first rule that was broken, in words; nothing is played after it.
    var violation: String?
    private var commandsOfSet: [Int]
    private(set) var rowsOfSet: [Int64]
    let names: Names

    /// Noon, UTC: no day ends while a world is played.
    static let noon: Int64 = 1_795_435_200_000
    static let firstMoment: Int64 = 10_000_000
    static let deadline: Int64 = 1_000_000

    init(_ settings: ScaleSettings) {
        self.settings = settings
        population = Population(settings)
        budgets = Budgets(settings, population)
        witness = Witness(caps: budgets.caps, loaded: budgets.loadedInSlots())
        chance = Chance(seed: settings.seed)
        sets = ContiguousArray(repeating: CounterMachine(), count: population.masterOfSet.count)
        masters = ContiguousArray(repeating: Master(), count: settings.masters)
        places = ContiguousArray(population.places.map { Place(user: $0) })
        figures = Figures()
        commandsOfSet = Array(repeating: 0, count: sets.count)
        rowsOfSet = Array(repeating: 0, count: sets.count)
        names = Names(settings, population, budgets)
    }

    /// The store's wall clock, and every node's: they do not drift here.
    var wall: Milliseconds { Milliseconds(Self.noon + now / 1_000) }
    var monotonic: Milliseconds { Milliseconds(now / 1_000) }

    func play() {
        bringIn()
        let counted = Self.firstMoment + Int64(settings.warmUp) * 1_000_000
        let end = counted + Int64(settings.seconds) * 1_000_000
        while violation == nil, let event = queue.pop(), event.time < end {
            now = event.time
            events += 1
            if !figures.isCounting, now >= counted { startCounting() }
            play(event)
        }
        now = end
        finish()
    }

    private func startCounting() {
        for set in sets.indices { drain(set) }
        figures.isCounting = true
    }

    private func play(_ event: Event) {
        let subject = Int(event.subject)
        switch event.kind {
        case .take: take(subject, tokens: Int64(event.count), generation: event.generation)
        case .arrive: arrive(subject)
        case .reply: replied(subject)
        case .timeout: timedOut(subject)
        case .open: open(subject)
        case .rootArrive: rootDecides(subject)
        case .rootReply: rootReplied(subject)
        }
    }

    func fail(_ words: String) { if violation == nil { violation = "at \(now) µs: \(words)" } }

    // MARK: The counters

    /// Decides a command as the master does, and checks every window that it shows.
    func decide(_ command: CounterCommand, set: Int, at time: Int64) -> CounterReply {
        let reply = sets[set].apply(command, now: Milliseconds(Self.noon + time / 1_000))
        commandsOfSet[set] += 1
        // Rows are taken in batches: what was changed is not written anywhere here.
        if commandsOfSet[set] % 512 == 0 { drain(set) }
        for window in reply.shown where window.taken > min(window.cap, window.released) {
            fail("I2: \(window.key.text) has taken \(window.taken) of cap \(window.cap), released \(window.released)")
        }
        return reply
    }

    private func drain(_ set: Int) {
        let rows = sets[set].drainChanges().rows
        figures.made(rows: rows.count)
        for row in rows {
            if !row.kind.isCharge { fail("an \(row.kind.rawValue) row of \(row.lease)") }
            rowsOfSet[set] += row.amounts.tokens
        }
    }

    private func finish() {
        for set in sets.indices {
            drain(set)
            do { try sets[set].checkInvariants() } catch { fail("\(error)") }
        }
        for (index, org) in population.orgs.enumerated() where org.streams > 0 && !org.sets.isEmpty {
            // What the ledger was given is what the counters count as used.
            let window = index * 2 + 1
            for (slot, set) in org.sets.enumerated() {
                let used = (sets[set].windows[names.key(window)]?.used ?? 0) - budgets.loaded(window, slot: slot)
                if used != rowsOfSet[set] { fail("\(org.name), slot \(slot): used \(used), rows of \(rowsOfSet[set])") }
            }
        }
        for window in budgets.caps.indices where witness.left(window) < 0 { fail("\(names.key(window).text) is overspent") }
        figures.finish(self)
    }
}

extension CounterReply {
    /// The windows that it shows.
    var shown: [WindowSnapshot] {
        switch self {
        case .granted(_, let windows, _), .denied(_, let windows, _), .committed(let windows, _), .settled(_, let windows, _),
            .windows(let windows, _):
            windows
        default: []
        }
    }
}
