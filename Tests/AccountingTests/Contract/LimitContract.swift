import Accounting
import Testing

/// What every store of limits has to do, whatever it is made of. Each function is one item; the caller gives an empty store.
struct LimitContract {
    let store: any LimitStore
    /// Of a process beside it.
    let other: any LimitStore
    let clock: ManualClock
    /// How many rows a table has; nil in memory.
    let count: (@Sendable (String) async throws -> Int)?

    static let items: [(name: String, run: @Sendable (LimitContract) async throws -> Void)] = [
        ("of sixteen takes of 50 at once against 200 exactly four are taken", { try await $0.race() }),
        ("a reservation takes of all its limits or of none", { try await $0.allOrNone() }),
        ("two takes of one limit add up", { try await $0.addUp() }),
        ("repeating a reservation takes once and answers the same", { try await $0.repetition() }),
        ("many who make one reservation at once take once", { try await $0.oneReservation() }),
        ("a window that is over is begun anew, by the calendar", { try await $0.windows() }),
        ("a clock that goes back refills nothing", { try await $0.clockBack() }),
        ("what is given back is given back once, into its window", { try await $0.refunds() }),
        ("reservations in any order of limits do not wait in a circle", { try await $0.circles() }),
        ("orgs do not share limits", { try await $0.orgs() }),
        ("numbers at their ends do not overflow", { try await $0.edges() }),
        ("what is not in order is refused", { try await $0.malformed() }),
        ("old reservations and counts of windows that are over are removed", { try await $0.pruning() }),
    ]

    private func take(_ id: String, _ amount: Int64 = 1, of cap: Int64 = 200, _ period: Period = .day) -> LimitTake {
        LimitTake(id: id, amount: amount, cap: cap, period: period)
    }

    @discardableResult
    private func reserve(_ reservation: String, _ takes: LimitTake..., org: OrgID = "acme") async throws -> LimitOutcome {
        try await store.reserve(org: org, reservation: reservation, takes: takes)
    }

    private func used(_ ids: String..., org: OrgID = "acme") async throws -> [Int64] {
        try await other.uses(org: org, ids: ids).map(\.used)
    }

    /// Midnight after the clock's Monday noon.
    private let midnight = ManualClock.monday + Milliseconds(43_200_000)

    func race() async throws {
        let outcomes = try await withThrowingTaskGroup(of: LimitOutcome.self) { group in
            for number in 0..<16 {
                let store = number % 2 == 0 ? store : other
                group.addTask {
                    try await store.reserve(
                        org: "acme", reservation: "r\(number)", takes: [LimitTake(id: "l", amount: 50, cap: 200, period: .day)])
                }
            }
            return try await group.reduce(into: []) { $0.append($1) }
        }
        let full = LimitOutcome.exceeded(LimitUse(id: "l", used: 200, resetsAt: midnight))
        #expect(outcomes.count { $0 == full } == 12)
        let reserved = outcomes.compactMap { outcome in if case .reserved(let uses) = outcome { uses.first?.used } else { nil } }
        #expect(reserved.sorted() == [50, 100, 150, 200])
        #expect(try await used("l") == [200])
    }

    func allOrNone() async throws {
        #expect(
            try await reserve("r1", take("b", 150), take("a", 2, of: 3, .total))
                == .reserved([LimitUse(id: "b", used: 150, resetsAt: midnight), LimitUse(id: "a", used: 2, resetsAt: nil)]))
        #expect(
            try await reserve("r2", take("a", 1, of: 3, .total), take("b", 60))
                == .exceeded(LimitUse(id: "b", used: 150, resetsAt: midnight)))
        #expect(try await used("a", "b", "c") == [2, 150, 0])
        #expect(
            try await reserve("r3", take("b", 60), take("a", 2, of: 3, .total))
                == .exceeded(LimitUse(id: "b", used: 150, resetsAt: midnight)),
            "the first one of the call, not of the alphabet")
        #expect(
            try await reserve("r4", take("c", 2, of: 1, .hour), take("b", 60))
                == .exceeded(LimitUse(id: "c", used: 0, resetsAt: ManualClock.monday + Milliseconds(3_600_000))))
        _ = try await reserve("r2", take("a", 1, of: 3, .total), take("b", 50))
        #expect(try await used("a", "b") == [3, 200])
        #expect(try await reserve("r5") == .reserved([]))
    }

    func addUp() async throws {
        #expect(try await reserve("r1", take("a", 150), take("a", 51)) == .exceeded(LimitUse(id: "a", used: 0, resetsAt: midnight)))
        let twice = LimitUse(id: "a", used: 200, resetsAt: midnight)
        #expect(try await reserve("r2", take("a", 150), take("a", 50)) == .reserved([twice, twice]))
        try await store.refund(org: "acme", reservation: "r2")
        #expect(try await used("a") == [0])
        #expect(
            try await reserve("r3", take("a", 5, of: 200), take("a", 5, of: 9)) == .exceeded(LimitUse(id: "a", used: 0, resetsAt: midnight))
        )
    }

    func repetition() async throws {
        let first = try await reserve("r1", take("a", 100), take("b", 10))
        _ = try await reserve("r2", take("a", 100))
        #expect(try await other.reserve(org: "acme", reservation: "r1", takes: [take("a", 100), take("b", 10)]) == first)
        #expect(try await used("a", "b") == [200, 10])
        for takes in [[take("a", 100)], [take("a", 99), take("b", 10)], [take("a", 100), take("c", 10)], []] {
            await #expect(throws: LimitStoreError.reservationTaken) {
                try await store.reserve(org: "acme", reservation: "r1", takes: takes)
            }
        }
        #expect(try await used("a", "b", "c") == [200, 10, 0])
        clock.advance(Milliseconds(86_400_000))
        #expect(try await reserve("r1", take("a", 100), take("b", 10)) == first, "also when its window is over")
        try await store.refund(org: "acme", reservation: "r1")
        await #expect(throws: LimitStoreError.reservationTaken) { try await reserve("r1", take("a", 100), take("b", 10)) }
    }

    func oneReservation() async throws {
        let outcomes = try await withThrowingTaskGroup(of: Bool.self) { group in
            for number in 0..<12 {
                let store = number % 2 == 0 ? store : other
                // Two that share no limit do not meet before the reservation itself.
                let id = number % 3 == 0 ? "a" : "b"
                group.addTask {
                    do {
                        _ = try await store.reserve(
                            org: "acme", reservation: "r", takes: [LimitTake(id: id, amount: 1, cap: 9, period: .day)])
                        return true
                    } catch LimitStoreError.reservationTaken {
                        return false
                    }
                }
            }
            return try await group.reduce(into: []) { $0.append($1) }
        }
        let uses = try await used("a", "b")
        #expect(uses == [1, 0] && outcomes.count(where: \.self) == 4 || uses == [0, 1] && outcomes.count(where: \.self) == 8)
    }

    func windows() async throws {
        let ends: [(Period, Int64?)] = [
            (.minute, 60_000), (.hour, 3_600_000), (.day, 43_200_000), (.week, 6 * 86_400_000 + 43_200_000),
            (.month, 7 * 86_400_000 + 43_200_000), (.total, nil),
        ]
        for (period, end) in ends {
            let id = period.rawValue
            let end = end.map { ManualClock.monday + Milliseconds($0) }
            #expect(try await reserve("\(id)-1", take(id, 1, of: 1, period)) == .reserved([LimitUse(id: id, used: 1, resetsAt: end)]))
            #expect(try await reserve("\(id)-2", take(id, 1, of: 1, period)) == .exceeded(LimitUse(id: id, used: 1, resetsAt: end)))
            #expect(try await other.uses(org: "acme", ids: [id]) == [LimitUse(id: id, used: 1, resetsAt: end)])
            guard let end else { continue }
            clock.advance(end - clock.now() - Milliseconds(1))
            #expect(try await reserve("\(id)-2", take(id, 1, of: 1, period)) == .exceeded(LimitUse(id: id, used: 1, resetsAt: end)))
            clock.advance(Milliseconds(1))
            #expect(try await other.uses(org: "acme", ids: [id]) == [LimitUse(id: id, used: 0, resetsAt: nil)])
            guard case .reserved = try await reserve("\(id)-2", take(id, 1, of: 1, period)) else {
                Issue.record("no new \(id)")
                continue
            }
            #expect(try await used(id) == [1])
            clock.advance(ManualClock.monday - clock.now())
        }
    }

    func clockBack() async throws {
        clock.advance(Milliseconds(86_400_000))
        _ = try await reserve("r1", take("a", 150))
        let later = midnight + Milliseconds(86_400_000)
        clock.advance(Milliseconds(-86_400_000))
        #expect(try await reserve("r2", take("a", 60)) == .exceeded(LimitUse(id: "a", used: 150, resetsAt: later)))
        #expect(try await reserve("r3", take("a", 50)) == .reserved([LimitUse(id: "a", used: 200, resetsAt: later)]))
        clock.advance(Milliseconds(-86_400_000))
        #expect(try await reserve("r4", take("a")) == .exceeded(LimitUse(id: "a", used: 200, resetsAt: later)))
        clock.advance(Milliseconds(2 * 86_400_000))
        #expect(try await reserve("r4", take("a")) == .exceeded(LimitUse(id: "a", used: 200, resetsAt: later)))
    }

    func refunds() async throws {
        _ = try await reserve("r1", take("a", 150), take("ever", 1, of: 3, .total))
        _ = try await reserve("r2", take("a", 50))
        try await withThrowingTaskGroup(of: Void.self) { group in
            for number in 0..<8 {
                let store = number % 2 == 0 ? store : other
                group.addTask { try await store.refund(org: "acme", reservation: "r1") }
            }
            try await group.waitForAll()
        }
        #expect(try await used("a", "ever") == [50, 0])
        try await store.refund(org: "acme", reservation: "nobody's")
        try await store.refund(org: "beta", reservation: "r2")
        #expect(try await used("a") == [50])
        _ = try await reserve("r3", take("a", 100), take("ever", 1, of: 3, .total))
        clock.advance(Milliseconds(86_400_000))
        _ = try await reserve("r4", take("a", 10))
        try await store.refund(org: "acme", reservation: "r3")
        #expect(try await used("a", "ever") == [10, 0], "yesterday's day keeps what it had")
        clock.advance(Milliseconds(-86_400_000))
        _ = try await reserve("r5", take("a", 10))
        clock.advance(Milliseconds(86_400_000))
        try await store.refund(org: "acme", reservation: "r5")
        #expect(try await used("a") == [10], "taken from the window that was there, and given back to it")
        #expect(
            try await reserve("r6", take("b", 200), take("c", 300))
                == .exceeded(
                    LimitUse(id: "c", used: 0, resetsAt: midnight + Milliseconds(86_400_000))))
        try await store.refund(org: "acme", reservation: "r6")
        #expect(try await used("b", "c") == [0, 0], "nothing was taken")
    }

    func circles() async throws {
        let ids = (0..<6).map { "l\($0)" }
        try await withThrowingTaskGroup(of: Void.self) { group in
            for writer in 0..<8 {
                let store = writer % 2 == 0 ? store : other
                let ids = writer % 4 < 2 ? ids : ids.reversed()
                group.addTask {
                    for number in 0..<6 {
                        let takes = ids.map { LimitTake(id: $0, amount: 1, cap: 1_000, period: .day) }
                        _ = try await store.reserve(org: "acme", reservation: "w\(writer)-\(number)", takes: takes)
                        if number % 2 == 0 { try await store.refund(org: "acme", reservation: "w\(writer)-\(number)") }
                    }
                }
            }
            try await group.waitForAll()
        }
        #expect(try await store.uses(org: "acme", ids: ids).map(\.used) == Array(repeating: 24, count: 6))
    }

    func orgs() async throws {
        _ = try await reserve("r1", take("a", 150))
        _ = try await reserve("r1", take("a", 100), org: "beta")
        #expect(try await used("a") == [150])
        #expect(try await used("a", org: "beta") == [100])
        #expect(try await used("a", "a", "b", org: "größe") == [0, 0, 0])
    }

    func edges() async throws {
        let most = Int64.max
        _ = try await reserve("r1", take("a", most - 1, of: most, .total))
        #expect(try await reserve("r2", take("a", 2, of: most, .total)) == .exceeded(LimitUse(id: "a", used: most - 1, resetsAt: nil)))
        #expect(try await reserve("r2", take("a", 1, of: most, .total)) == .reserved([LimitUse(id: "a", used: most, resetsAt: nil)]))
        #expect(
            try await reserve("r3", take("b", most, of: most, .total), take("b", most, of: most, .total))
                == .exceeded(LimitUse(id: "b", used: 0, resetsAt: nil)))
        #expect(try await reserve("r4", take("b", 0, of: 0, .total)) == .reserved([LimitUse(id: "b", used: 0, resetsAt: nil)]))
        for cap in [0, -1, Int64.min] {
            #expect(try await reserve("r5", take("b", most, of: cap, .total)) == .exceeded(LimitUse(id: "b", used: 0, resetsAt: nil)))
            #expect(try await reserve("r5", take("b", 1, of: cap, .total)) == .exceeded(LimitUse(id: "b", used: 0, resetsAt: nil)))
        }
        #expect(try await reserve("r6", take("b", 0, of: -1, .total)) == .exceeded(LimitUse(id: "b", used: 0, resetsAt: nil)))
        _ = try await reserve("r7", take("b", 9, of: 9, .total))
        #expect(
            try await reserve("r8", take("b", 0, of: 5, .total)) == .exceeded(LimitUse(id: "b", used: 9, resetsAt: nil)),
            "a cap that was lowered below what is used")
        try await store.refund(org: "acme", reservation: "r2")
        #expect(try await used("a") == [most - 1])
    }

    func malformed() async throws {
        func refuses(_ field: String, _ reservation: String, _ takes: [LimitTake]) async {
            await #expect(throws: LimitStoreError.malformed(field)) {
                try await store.reserve(org: "acme", reservation: reservation, takes: takes)
            }
        }
        for reservation in ["", "a b", "a\u{0}", String(repeating: "r", count: 129)] {
            await refuses("reservation", reservation, [])
        }
        await refuses("limit", "r", [take("é")])
        await refuses("amount", "r", [take("a", -1)])
        await refuses("period", "r", [take("a"), take("a", 1, of: 200, .hour)])
        await refuses("takes", "r", Array(repeating: take("a"), count: PolicyStoreLimits.takes + 1))
        await #expect(throws: LimitStoreError.malformed("limits")) {
            try await store.uses(org: "acme", ids: Array(repeating: "a", count: PolicyStoreLimits.ids + 1))
        }
        _ = try await store.reserve(
            org: "acme", reservation: String(repeating: "r", count: 128),
            takes: (0..<PolicyStoreLimits.takes).map { take("l\($0)") })
        #expect(try await used("l0", "l63") == [1, 1])
    }

    func pruning() async throws {
        for number in 0..<20 { _ = try await reserve("r\(number)", take("l\(number)", 1, of: 9, .hour), take("ever", 1, of: 99, .total)) }
        clock.advance(PolicyStoreLimits.reservationRetention - Milliseconds(1))
        _ = try await reserve("a1", take("a"))
        if let count { #expect(try await count("limit_reservations") == 21) }
        clock.advance(Milliseconds(3_600_001))
        for number in 2...5 { _ = try await reserve("a\(number)", take("a")) }
        if let count {
            #expect(try await count("limit_reservations") == 5)
            #expect(try await count("limit_takes") == 5)
            #expect(try await count("limit_counts") == 2)
        }
        try await store.refund(org: "acme", reservation: "r1")
        #expect(try await used("ever") == [20], "too late")
        guard case .reserved = try await reserve("r1", take("ever", 1, of: 99, .total)) else {
            Issue.record("the name is as good as new")
            return
        }
        #expect(try await used("ever") == [21])
    }
}
