import Accounting
import Testing

/// What only the machine shows: rows, invariants and random histories. The decisions are in ``CounterStoreContract``.
@Suite("Counter machine")
struct CounterMachineTests {
    let now = ManualClock.monday

    func machine(_ refs: [WindowRef]) -> CounterMachine {
        var machine = CounterMachine()
        for ref in refs { _ = machine.apply(.load(org: "acme", window: ref, used: 0), now: now) }
        return machine
    }

    @Test("each charge has a row whose id is the lease, the number and the kind")
    func rows() throws {
        let ref = try Make.ref(cap: 1_000, at: now)
        var machine = machine([ref])
        _ = machine.apply(try Make.open(path: [ref], offers: [32]), now: now)
        #expect(machine.drainChanges().rows.isEmpty, "a hold is no charge")
        _ = machine.apply(Make.step(1, spent: 10, nano: 70, offers: []), now: now)
        _ = machine.apply(Make.step(1, spent: 10, nano: 70, offers: []), now: now)
        _ = machine.apply(Make.settle(2, spent: 50, nano: 350), now: now)
        let rows = machine.drainChanges().rows
        #expect(rows.map(\.chargeID) == ["l1:1:commit", "l1:2:settle", "l1:2:overrun"])
        #expect(rows.map(\.amounts.tokens) == [10, 40, 18])
        #expect(rows.map(\.nanoUSD) == [70, 280, 350], "no money was held, so all of it is beyond the hold")
        #expect(rows.map(\.requests) == [1, 0, 0])
        #expect(rows.map(\.kind.isCharge) == [true, true, false])
        #expect(rows[0].attribution.run == "run-l1")
    }

    @Test("a charge after the window's end is booked inside the window that granted it")
    func lateCharge() throws {
        let ref = try Make.ref(.org("acme"), .tokens, .minute, cap: 1_000, at: now)
        var machine = machine([ref])
        _ = machine.apply(try Make.open(path: [ref]), now: now)
        let late = ref.end + Milliseconds(700)
        #expect(machine.apply(Make.step(1, spent: 5), now: late) == .wrongSpan(now: late))
        #expect(machine.windows[ref.key]?.used == 5)
        #expect(machine.windows[ref.key]?.held == 59, "nothing new is granted in an ended window")
        #expect(machine.drainChanges().rows.map(\.at) == [ref.end - Milliseconds(1)])
    }

    @Test("a model without a price passes a spent money cap, but not a token cap (trap 12)")
    func zeroPrice() throws {
        let money = try Make.ref(.org("acme"), .usd, cap: 0, at: now)
        let tokens = try Make.ref(.org("acme"), .tokens, cap: 10, at: now)
        var machine = machine([money, tokens])
        #expect(machine.apply(try Make.open("a", path: [money, tokens], offers: [8, 4]), now: now).grantedOffer == 0)
        guard case .denied(let by, _, _) = machine.apply(try Make.open("b", path: [money, tokens], offers: [8, 4]), now: now) else {
            Issue.record("expected a denial")
            return
        }
        #expect(by.key == tokens.key)
    }

    @Test("of several full windows the one that stays shut longest is named, of those the widest scope")
    func tightest() throws {
        let minute = try Make.ref(.org("acme"), .tokens, .minute, cap: 0, at: now)
        let org = try Make.ref(.org("acme"), .usd, .day, cap: 0, at: now)
        let user = try Make.ref(.user(org: "acme", project: "web", user: "ann"), .usd, .day, cap: 0, at: now)
        var machine = machine([minute, org, user])
        guard case .denied(let by, _, _) = machine.apply(try Make.open(path: [minute, org, user], nanoEach: 1), now: now) else {
            Issue.record("expected a denial")
            return
        }
        #expect(by.key == org.key)
    }

    @Test("settled leases and ended windows are forgotten in their time, held ones are not")
    func forgets() throws {
        let day = try Make.ref(cap: 1_000, at: now)
        let other = try Make.ref(.org("beta"), cap: 1_000, at: now)
        var machine = machine([day, other])
        _ = machine.apply(try Make.open("a", path: [day]), now: now)
        _ = machine.apply(Make.settle("a", 1, spent: 1), now: now)
        _ = machine.apply(try Make.open("b", org: "beta", path: [other]), now: now)
        let muchLater = day.end + Milliseconds(8 * 86_400_000)
        _ = machine.apply(.reap(org: nil, grace: Milliseconds(0)), now: muchLater)
        #expect(machine.leases.keys.map(\.id) == ["b"])
        #expect(machine.windows[day.key] == nil)
        #expect(machine.windows[other.key]?.suspense == 64)
    }

    @Test("any history of repeated, lost and late commands keeps I2, I3 and the ledger (seeded)", arguments: [1, 2, 3, 4, 5, 6, 7, 8])
    func randomHistories(seed: UInt64) throws {
        var random = SplitMix(seed: seed)
        let refs = [
            try Make.ref(.org("acme"), .usd, .total, cap: 40_000, at: now),
            try Make.ref(.org("acme"), .tokens, .total, cap: 9_000, at: now),
            try Make.ref(.project(org: "acme", project: "web"), .requests, .total, cap: 60, at: now),
        ]
        var machine = machine(refs)
        var time = now
        var history: [CounterCommand] = []
        var spent: [Int: Int64] = [:]
        var sequence: [Int: Int64] = [:]
        for step in 0..<3_000 {
            time = time + Milliseconds(Int64.random(in: 0...200, using: &random))
            let lease = Int.random(in: 0..<80, using: &random)
            let command: CounterCommand
            switch Int.random(in: 0..<100, using: &random) {
            case 0..<25: command = try Make.open("l\(lease)", path: refs, nanoEach: 3, ttl: Milliseconds(4_000))
            case 25..<70:
                sequence[lease, default: 0] += 1
                spent[lease, default: 0] += Int64.random(in: 0...20, using: &random)
                command = Make.step(
                    "l\(lease)", sequence[lease, default: 0], spent: spent[lease, default: 0], nano: 3 * spent[lease, default: 0],
                    nanoEach: 3,
                    ttl: Milliseconds(4_000))
            case 70..<80:
                sequence[lease, default: 0] += 1
                let total = max(0, spent[lease, default: 0] + Int64.random(in: -10...30, using: &random))
                command = Make.settle("l\(lease)", sequence[lease, default: 0], spent: total, nano: 3 * total)
            case 80..<92: command = history.randomElement(using: &random) ?? .read(org: "acme", windows: [])
            case 92..<96: command = .reap(org: nil, grace: Milliseconds(500))
            default: command = .resolve(LeaseKey(org: "acme", id: "l\(lease)"), evidence: Make.spent(spent[lease, default: 0]))
            }
            history.append(command)
            _ = machine.apply(command, now: time)
            do { try machine.checkInvariants() } catch { Issue.record("seed \(seed), step \(step): \(error) after \(command)") }
        }
        let rows = machine.drainChanges().rows
        #expect(Set(rows.map(\.chargeID)).count == rows.count, "seed \(seed): a charge id came twice")
        for ref in refs {
            let sum = rows.filter(\.kind.isCharge).reduce(0) { $0 + $1.amounts[ref.key.unit] }
            #expect(machine.windows[ref.key]?.used == sum, "seed \(seed): \(ref.key.text)")
        }
        #expect(rows.contains { $0.kind == .suspense } && rows.contains { $0.kind == .overrun }, "the history was too tame")
    }

    @Test("a step that is sent again, before or after others, changes nothing (lost replies)")
    func replays() throws {
        let ref = try Make.ref(cap: 10_000, at: now)
        var machine = machine([ref])
        var commands = [try Make.open(path: [ref])]
        for sequence in 1...20 { commands.append(Make.step(Int64(sequence), spent: Int64(sequence) * 30)) }
        commands.append(Make.settle(21, spent: 600))
        for (index, command) in commands.enumerated() {
            _ = machine.apply(command, now: now)
            let before = machine.windows
            for earlier in commands[...index] { _ = machine.apply(earlier, now: now) }
            #expect(machine.windows == before, "after command \(index)")
        }
        #expect(machine.windows[ref.key]?.used == 600)
        #expect(machine.windows[ref.key]?.held == 0)
    }
}
