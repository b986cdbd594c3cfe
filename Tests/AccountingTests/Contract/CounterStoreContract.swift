import Accounting
import Testing

/// What every counter store has to do, whatever it is made of. Each function is one item; the caller gives a store that
/// holds nothing under `org`, and a way to let the store's own time pass.
struct CounterStoreContract {
    let store: any CounterStore
    var org: CounterSlot = "acme"
    /// Lets the store's clock move on by at least so much.
    let advance: @Sendable (Milliseconds) async -> Void
    /// The ledger that the store's rows end in, after ``CounterStore/flushRows(org:)``.
    let ledger: any LedgerStore

    /// All items, by name.
    static let items: [(name: String, run: @Sendable (CounterStoreContract) async throws -> Void)] = [
        ("a window that is not loaded is missing, never zero", { try await $0.missingIsNotZero() }),
        ("a grant is all or nothing over the path", { try await $0.allOrNothing() }),
        ("the same sequence number gets the same decision", { try await $0.repeats() }),
        ("a grant shrinks to the fair share and then to one token", { try await $0.shrinks() }),
        ("a settlement frees the rest and may be repeated", { try await $0.settles() }),
        ("a settlement above the hold is an overrun", { try await $0.overruns() }),
        ("an exact count below the committed one is given back", { try await $0.refunds() }),
        ("a reaped lease is in suspense until evidence comes", { try await $0.reaps() }),
        ("a stale fence, an old number and an unknown lease are refused", { try await $0.refusals() }),
        ("a window of another time is refused with the store's time", { try await $0.wrongSpan() }),
        ("a lowered cap stops grants, a raised one lets them on", { try await $0.caps() }),
        ("a budget that was made anew is loaded again", { try await $0.generations() }),
        ("commands that no node sends change nothing", { try await $0.nonsense() }),
        ("without windows everything is granted and recorded", { try await $0.unlimited() }),
        ("tokens in, tokens out and their sum are counted apart", { try await $0.tokensApart() }),
        ("runs at one time: held, never used, given back", { try await $0.runsAtOneTime() }),
        ("a run that goes on under a new lease keeps its place", { try await $0.runsContinue() }),
        ("calls of tools: held, then used or free, and in suspense when nobody says which", { try await $0.callsOfTools() }),
        ("the ledger's sum is what the windows count", { try await $0.ledgerAgrees() }),
    ]

    func now() async throws -> Milliseconds {
        guard case .windows(_, let now) = try await store.apply(.read(org: org, windows: [])) else { throw Unexpected.reply }
        return now
    }

    enum Unexpected: Error { case reply }

    /// A window that lasts through the item: `total`, unless the item is about time.
    func window(_ cap: Int64, unit: MeterUnit = .tokens, scope: Scope? = nil, used: Int64 = 0) async throws -> WindowRef {
        let ref = try Make.ref(scope ?? .org(org.org), unit, .total, cap: cap, at: try await now())
        guard case .done = try await store.apply(.load(org: org, window: ref, used: used)) else { throw Unexpected.reply }
        return ref
    }

    func read(_ ref: WindowRef) async throws -> WindowSnapshot {
        let reply = try await store.apply(.read(org: org, windows: [ref.key]))
        return try #require(reply.snapshots.first)
    }

    func missingIsNotZero() async throws {
        let ref = try Make.ref(.org(org.org), .tokens, .total, cap: 100, at: try await now())
        guard case .missing(let keys, _) = try await store.apply(Make.open(org: org, path: [ref])) else { throw Unexpected.reply }
        #expect(keys == [ref.key])
        #expect(try await store.apply(.read(org: org, windows: [ref.key])).snapshots.isEmpty)
        _ = try await store.apply(.load(org: org, window: ref, used: 40))
        _ = try await store.apply(.load(org: org, window: ref, used: 0))
        #expect(try await read(ref).used == 40, "a second load must not overwrite the count")
        #expect(try await store.apply(Make.open(org: org, path: [ref])).grantedOffer != nil)
    }

    func allOrNothing() async throws {
        let wide = try await window(1_000)
        let narrow = try await window(10, scope: .project(org: org.org, project: "web"))
        let money = try await window(50, unit: .usd)
        let first = try await store.apply(Make.open("a", org: org, path: [wide, narrow, money], offers: [8, 1], nanoEach: 5))
        #expect(first.grantedOffer == 0)
        for ref in [wide, narrow] { #expect(try await read(ref).held == 8) }
        #expect(try await read(money).held == 40)
        let second = try await store.apply(Make.open("b", org: org, path: [wide, narrow, money], offers: [8, 3], nanoEach: 5))
        guard case .denied(let by, let windows, _) = second else { throw Unexpected.reply }
        #expect(by.key == narrow.key)
        #expect(windows.map(\.key) == [wide.key, narrow.key, money.key])
        #expect(try await read(wide).held == 8, "a refused path holds nothing anywhere")
        let third = try await store.apply(Make.open("b", org: org, path: [wide, narrow, money], offers: [8, 2], nanoEach: 5))
        #expect(third.grantedOffer == 1)
    }

    func repeats() async throws {
        let ref = try await window(1_000)
        let open = try Make.open(org: org, path: [ref])
        let granted = try await store.apply(open)
        #expect(try await store.apply(open).grantedOffer == granted.grantedOffer)
        #expect(try await read(ref).held == 64)
        let step = Make.step(1, org: org, spent: 40)
        let first = try await store.apply(step)
        for _ in 0..<3 { #expect(try await store.apply(step).grantedOffer == first.grantedOffer) }
        let window = try await read(ref)
        #expect(window.used == 40)
        #expect(window.held == 24 + 64)
    }

    func shrinks() async throws {
        let ref = try await window(200)
        _ = try await store.apply(Make.open("a", org: org, path: [ref], offers: [64, 32, 16, 8, 4, 2, 1], shareFloor: 8))
        // 200 left, one lease: a share of 100.
        var held = try await read(ref).held
        #expect(held == 64)
        _ = try await store.apply(Make.step(1, of: "a", org: org, spent: 0, offers: [64, 32, 16, 8, 4, 2, 1], shareFloor: 8))
        held = try await read(ref).held
        #expect(held == 128, "136 left, share 68")
        _ = try await store.apply(Make.step(2, of: "a", org: org, spent: 0, offers: [64, 32, 16, 8, 4, 2, 1], shareFloor: 8))
        held = try await read(ref).held
        #expect(held == 160, "72 left, share 36")
        var sequence: Int64 = 3
        while try await store.apply(Make.step(sequence, of: "a", org: org, spent: 0, shareFloor: 8)).grantedOffer != nil { sequence += 1 }
        let window = try await read(ref)
        #expect(window.held == 200, "nothing is stranded below one token")
    }

    func settles() async throws {
        let ref = try await window(1_000)
        let requests = try await window(5, unit: .requests)
        _ = try await store.apply(Make.open(org: org, path: [ref, requests], fixed: Amounts(tokens: 100, requests: 1)))
        let settle = Make.settle(1, org: org, spent: 30)
        for _ in 0..<3 {
            guard case .settled(let overrun, let windows, _) = try await store.apply(settle) else { throw Unexpected.reply }
            #expect(overrun == .zero)
            #expect(windows.first?.used == 30)
            #expect(windows.first?.held == 0)
            #expect(windows.last?.used == 1)
        }
        #expect(try await store.apply(Make.step(2, org: org, spent: 31)) == .unknownLease)
        #expect(try await store.apply(Make.open(org: org, path: [ref, requests])) == .staleSequence)
    }

    func overruns() async throws {
        let ref = try await window(70)
        _ = try await store.apply(Make.open(org: org, path: [ref], offers: [32]))
        guard case .settled(let overrun, let windows, _) = try await store.apply(Make.settle(1, org: org, spent: 100)) else {
            throw Unexpected.reply
        }
        #expect(overrun.tokens == 68)
        #expect(windows.first?.used == 100)
        #expect(windows.first?.held == 0)
        guard case .denied = try await store.apply(Make.open("b", org: org, path: [ref], offers: [1])) else { throw Unexpected.reply }
    }

    func refunds() async throws {
        let ref = try await window(1_000)
        _ = try await store.apply(Make.open(org: org, path: [ref]))
        _ = try await store.apply(Make.step(1, org: org, spent: 60))
        #expect(try await store.apply(Make.step(2, org: org, spent: 59)) == .refused(.spentShrank))
        _ = try await store.apply(Make.settle(2, org: org, spent: 50))
        #expect(try await read(ref).used == 50)
        try await store.flushRows(org: org)
        let sum = try await ledger.sum(.org(org.org), from: Milliseconds(0), to: WindowSpan.never)
        #expect(sum.amounts.tokens == 50)
    }

    func reaps() async throws {
        let ref = try await window(1_000)
        _ = try await store.apply(Make.open(org: org, path: [ref], offers: [32], ttl: Milliseconds(20)))
        _ = try await store.apply(Make.step(1, org: org, spent: 10, offers: [], ttl: Milliseconds(20)))
        await advance(Milliseconds(40))
        guard case .reaped(let count, _) = try await store.apply(.reap(org: org, grace: Milliseconds(0))) else { throw Unexpected.reply }
        #expect(count == 1)
        var window = try await read(ref)
        #expect([window.used, window.held, window.suspense] == [10, 0, 22])
        #expect(try await store.apply(Make.step(2, org: org, spent: 20)) == .suspended)
        _ = try await store.apply(.reap(org: org, grace: Milliseconds(0)))
        #expect(try await read(ref).suspense == 22, "time alone frees nothing")
        let evidence = CounterCommand.resolve(LeaseKey(org: org, id: "l1"), evidence: Make.spent(25))
        for _ in 0..<2 { guard case .settled = try await store.apply(evidence) else { throw Unexpected.reply } }
        window = try await read(ref)
        #expect([window.used, window.held, window.suspense] == [25, 0, 0])
    }

    func refusals() async throws {
        let ref = try await window(1_000)
        let held = LeaseHolder(node: "n1", fence: 5)
        _ = try await store.apply(Make.open(org: org, path: [ref], holder: held))
        #expect(try await store.apply(Make.step(1, org: org, spent: 1, holder: LeaseHolder(node: "n1", fence: 4))) == .staleFence)
        #expect(try await store.apply(Make.step(1, org: org, spent: 1, holder: LeaseHolder(node: "n2", fence: 5))) == .staleFence)
        #expect(try await store.apply(Make.step(3, org: org, spent: 1, holder: held)).grantedOffer != nil)
        #expect(try await store.apply(Make.step(2, org: org, spent: 1, holder: held)) == .staleSequence)
        #expect(try await store.apply(Make.step(1, of: "nobody", org: org, spent: 1, holder: held)) == .unknownLease)
        let successor = LeaseHolder(node: "n2", fence: 6)
        #expect(try await store.apply(Make.step(4, org: org, spent: 2, holder: successor)).grantedOffer != nil)
        #expect(try await store.apply(Make.step(5, org: org, spent: 2, holder: held)) == .staleFence)
    }

    func wrongSpan() async throws {
        let time = try await now()
        let yesterday = try Make.ref(.org(org.org), .tokens, .day, cap: 10, at: time - Milliseconds(86_400_000))
        guard case .wrongSpan(let told) = try await store.apply(Make.open(org: org, path: [yesterday])) else { throw Unexpected.reply }
        #expect(told >= time)
    }

    func caps() async throws {
        let ref = try await window(1_000)
        _ = try await store.apply(Make.open(org: org, path: [ref], offers: [32]))
        _ = try await store.apply(.setCap(org: org, window: ref.key, cap: 20, version: 2))
        guard case .denied(let by, _, _) = try await store.apply(Make.step(1, org: org, spent: 32)) else { throw Unexpected.reply }
        #expect(by.cap == 20)
        #expect(by.used == 32, "what was spent is committed though nothing is granted")
        _ = try await store.apply(.setCap(org: org, window: ref.key, cap: 900, version: 1))
        #expect(try await read(ref).cap == 20, "an older version changes nothing")
        let raised = WindowRef(key: ref.key, cap: 500, version: 3, generation: 1, start: ref.start, end: ref.end)
        #expect(try await store.apply(Make.open("b", org: org, path: [raised], offers: [16])).grantedOffer == 0)
        #expect(try await read(ref).cap == 500)
    }

    func generations() async throws {
        let ref = try await window(1_000, used: 5)
        _ = try await store.apply(Make.open(org: org, path: [ref], offers: [32]))
        let anew = WindowRef(key: ref.key, cap: 1_000, version: 7, generation: 7, start: ref.start, end: ref.end)
        guard case .missing = try await store.apply(Make.open("b", org: org, path: [anew])) else { throw Unexpected.reply }
        _ = try await store.apply(.load(org: org, window: anew, used: 400))
        let window = try await read(ref)
        #expect([window.used, window.held] == [400, 32])
        _ = try await store.apply(Make.settle(1, org: org, spent: 10))
        #expect(try await read(ref).used == 410)
    }

    func nonsense() async throws {
        let ref = try await window(1_000)
        #expect(try await store.apply(Make.open(org: org, path: [ref], offers: [])) == .refused(.offers))
        #expect(try await store.apply(Make.open(org: org, path: [ref], offers: [1, 2])) == .refused(.offers))
        #expect(try await store.apply(Make.open(org: org, path: [ref, ref])) == .refused(.path))
        #expect(try await store.apply(Make.open(org: org, path: [ref], fixed: Amounts(tokens: -1))) == .refused(.amount))
        #expect(try await store.apply(Make.open(org: org, path: [ref], ttl: Milliseconds(0))) == .refused(.time))
        #expect(try await read(ref).held == 0)
    }

    func unlimited() async throws {
        #expect(try await store.apply(Make.open(org: org, path: [], offers: [1024])).grantedOffer == 0)
        #expect(try await store.apply(Make.step(1, org: org, spent: 1000, offers: [1024])).grantedOffer == 0)
        guard case .settled(.zero, _, _) = try await store.apply(Make.settle(2, org: org, spent: 1500)) else { throw Unexpected.reply }
        try await store.flushRows(org: org)
        #expect(try await ledger.sum(.org(org.org), from: Milliseconds(0), to: WindowSpan.never).amounts.tokens == 1500)
    }

    func ledgerAgrees() async throws {
        let org = try await window(100_000, unit: .usd)
        let user = try await window(100_000, scope: .user(org: self.org.org, project: "web", user: "ann"))
        for lease in 0..<10 {
            let name = "l\(lease)"
            _ = try await store.apply(Make.open(name, org: self.org, path: [org, user], nanoEach: 3))
            _ = try await store.apply(Make.step(1, of: name, org: self.org, spent: 20, nano: 60, nanoEach: 3))
            _ = try await store.apply(Make.settle(2, of: name, org: self.org, spent: 20 + Int64(lease), nano: 60 + 3 * Int64(lease)))
        }
        try await store.flushRows(org: self.org)
        let sum = try await ledger.sum(.org(self.org.org), from: Milliseconds(0), to: WindowSpan.never)
        #expect(sum.nanoUSD == 735)
        #expect(sum.requests == 10)
        #expect(try await read(org).used == sum.nanoUSD)
        #expect(try await read(user).used == sum.usage.total)
    }
}
