import Accounting

/// Every window of the world by number, its cap, and what the durable root has released of it to each of its slots.
///
/// Windows are numbered unit by unit within a scope: organisations first, then projects, users, keys.
struct Budgets {
    static let units: [MeterUnit] = [.usd, .tokens]

    private(set) var caps: [Int64] = []
    /// Used before the world begins.
    private(set) var loaded: [Int64] = []
    private(set) var isNear: [Bool] = []
    /// Where a window's slots begin in ``released``, and how many it has.
    private(set) var firstSlot: [Int32] = []
    private(set) var slots: [Int32] = []
    private(set) var released: [Int64] = []
    private(set) var releasedSum: [Int64] = []
    /// By slot, as `released`: the number of the root's last change.
    private var turns: [Int32] = []
    /// Streams under each slot of each window.
    private var streamsInSlot: [Int32] = []
    private let projectsAt: Int
    private let usersAt: Int
    private let keysAt: Int

    init(_ settings: ScaleSettings, _ population: Population) {
        let units = Self.units.count
        projectsAt = population.orgs.count * units
        usersAt = projectsAt + population.projectStreams.count * units
        keysAt = usersAt + population.users.count * units
        var chance = Chance(seed: settings.seed, stream: 7)
        for (index, org) in population.orgs.enumerated() {
            add(settings, streams: org.streams, slots: max(1, org.sets.count), near: index == 0 ? 1 : 0.3, &chance)
        }
        var slotsOfProject = [Int](repeating: 1, count: population.projectStreams.count)
        for org in population.orgs where org.sets.count > 1 {
            for project in org.project..<org.project + org.projects { slotsOfProject[project] = org.sets.count }
        }
        for (project, streams) in population.projectStreams.enumerated() {
            add(settings, streams: streams, slots: slotsOfProject[project], near: 0.1, &chance)
        }
        for _ in 0..<2 {
            for streams in population.userStreams { add(settings, streams: streams, slots: 1, near: 0.05, &chance) }
        }
        releaseFirst(settings, population, &chance)
    }

    /// The windows of a user's path, widest scope first: eight of them.
    func path(of user: Int, _ population: Population) -> WindowPath {
        let found = population.users[user]
        return WindowPath(firsts: [found.org * 2, projectsAt + found.project * 2, usersAt + user * 2, keysAt + user * 2])
    }

    /// The slot of a window that a counter set is.
    func slot(of window: Int, set: Int, in org: Population.Org) -> Int { slots[window] == 1 ? 0 : set - org.sets.lowerBound }

    func released(_ window: Int, slot: Int) -> Int64 { released[Int(firstSlot[window]) + slot] }

    func unreleased(_ window: Int) -> Int64 { caps[window] - releasedSum[window] }

    func turn(_ window: Int, slot: Int) -> Int64 { Int64(turns[Int(firstSlot[window]) + slot]) }

    mutating func nextTurn(_ window: Int, slot: Int) -> Int64 {
        turns[Int(firstSlot[window]) + slot] += 1
        return turn(window, slot: slot)
    }

    /// The end of a recall.
    mutating func lowerReleased(_ window: Int, slot: Int, to amount: Int64) {
        let lower = min(amount, released(window, slot: slot))
        turns[Int(firstSlot[window]) + slot] -= 1
        setReleased(window, slot: slot, to: lower)
    }

    /// A change is a new turn.
    mutating func setReleased(_ window: Int, slot: Int, to amount: Int64) {
        let index = Int(firstSlot[window]) + slot
        turns[index] += 1
        releasedSum[window] += amount - released[index]
        released[index] = amount
    }

    /// What a slot starts with: its part of what was used before.
    func loaded(_ window: Int, slot: Int) -> Int64 { part(loaded[window], window, slot) }

    /// What all of a window's slots start with together: parts are rounded down.
    func loadedInSlots() -> [Int64] {
        caps.indices.map { window in (0..<Int(slots[window])).reduce(0) { $0 + loaded(window, slot: $1) } }
    }

    private func part(_ amount: Int64, _ window: Int, _ slot: Int) -> Int64 {
        let first = Int(firstSlot[window])
        let streams = streamsInSlot[first..<first + Int(slots[window])].reduce(0) { $0 + Int64($1) }
        return streams == 0 ? 0 : Int64(Double(amount) * Double(streamsInSlot[first + slot]) / Double(streams))
    }

    private mutating func add(_ settings: ScaleSettings, streams: Int, slots count: Int, near odds: Double, _ chance: inout Chance) {
        let nearUnit = chance.unit() < 0.5 ? 0 : 1
        let isReached = settings.isNearCap && chance.unit() < odds
        for unit in Self.units.indices {
            let second = Double(streams) * (unit == 0 ? Traffic.nanoPerSecond : Traffic.spentPerSecond)
            let cap = max(1, Int64(second * Traffic.farSeconds))
            // The hot organisation's tokens run out in any case; of the others one of both.
            let reached = isReached && unit == (odds == 1 ? 1 : nearUnit)
            let spend = second * (odds == 1 ? 1 : chance.uniform(0.5...Double(settings.seconds)))
            let left = Int64(spend) + Int64(streams) * Traffic.held(Self.units[unit])
            caps.append(cap)
            loaded.append(reached ? max(0, cap - left) : Int64(Double(cap) * chance.uniform(0.05...0.8)))
            isNear.append(reached)
            firstSlot.append(Int32(released.count))
            slots.append(Int32(count))
            releasedSum.append(0)
            released += Array(repeating: 0, count: count)
            turns += Array(repeating: 0, count: count)
            streamsInSlot += Array(repeating: 0, count: count)
        }
    }

    /// As it is found on any day: what is used, what is held, and some of a tranche; near the cap everything is released.
    private mutating func releaseFirst(_ settings: ScaleSettings, _ population: Population, _ chance: inout Chance) {
        for user in population.places {
            let found = population.users[Int(user)]
            for window in path(of: Int(user), population) {
                streamsInSlot[Int(firstSlot[window]) + slot(of: window, set: found.set, in: population.orgs[found.org])] += 1
            }
        }
        for window in caps.indices {
            let unit = Self.units[window % 2]
            let count = Int(slots[window])
            for slot in 0..<count {
                let streams = Int64(streamsInSlot[Int(firstSlot[window]) + slot])
                let used = loaded(window, slot: slot)
                let tranche = Double(Tranche.size(cap: caps[window], unit: unit)) / Double(count)
                let some = used + streams * Traffic.held(unit) + Int64(tranche * chance.uniform(0.5...1))
                let all = used + part(caps[window] - loaded[window], window, slot)
                setReleased(window, slot: slot, to: isNear[window] ? all : min(some, all))
            }
        }
    }
}

extension Traffic {
    /// What one place spends in money: nano-USD a second.
    static let nanoPerSecond = 450_000.0

    /// What a place's run holds, at the mean and with a tenth on top: its prompt's bound and a slice.
    static func held(_ unit: MeterUnit) -> Int64 { unit == .usd ? 2_150 * 2_500 + 220 * 10_000 : 2_150 }
}

/// The numbers of a path's windows, two units for each of four scopes.
struct WindowPath: RandomAccessCollection {
    let firsts: SIMD4<Int>
    var startIndex: Int { 0 }
    var endIndex: Int { 8 }
    subscript(position: Int) -> Int { firsts[position / 2] + position % 2 }
}
