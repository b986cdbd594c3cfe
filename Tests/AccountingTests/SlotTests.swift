import Accounting
import Testing

/// Slots of a split org: what their counters decide. That several together keep a cap is shown by the simulation and end to end.
@Suite("Slots of a split org (metering.md §4.4)")
struct SlotTests {
    let now = ManualClock.monday

    private func machine(_ ref: WindowRef, org: CounterSlot = "acme/2", released: Int64, used: Int64 = 0) -> CounterMachine {
        var machine = CounterMachine()
        _ = machine.apply(.load(org: org, window: ref, used: used, released: released, turn: 1), now: now)
        return machine
    }

    @Test("a slot has its name from the org and its number, and every other name is an org's")
    func names() {
        #expect(CounterSlot("acme") == CounterSlot(org: "acme", index: 0) && CounterSlot("acme/3") == CounterSlot(org: "acme", index: 3))
        #expect(CounterSlot(org: "acme", index: 12).name == "acme/12" && CounterSlot(org: "acme", index: 0).name == "acme")
        #expect(!CounterSlot("acme").isSplit && CounterSlot("acme/1").isSplit)
    }

    @Test("runs of one user share a slot, other runs are spread evenly, and an org of one slot is not split")
    func spread() {
        #expect(CounterSlot(org: "acme", of: 1, user: nil, run: "r").index == 0)
        let ann = Set((0..<100).map { CounterSlot(org: "acme", of: 16, user: "ann", run: "r\($0)") })
        #expect(ann.count == 1)
        var counts = [Int](repeating: 0, count: 17)
        for user in 0..<16_000 { counts[CounterSlot(org: "acme", of: 16, user: "user-\(user)", run: "r").index] += 1 }
        #expect(counts[0] == 0)
        for index in 1...16 { #expect((800...1_200).contains(counts[index]), "slot \(index) has \(counts[index])") }
    }

    @Test("a recall takes half of what is not granted, and all where half is less than what is needed")
    func recall() throws {
        let ref = try Make.ref(cap: 1_000, at: now)
        var machine = machine(ref, released: 400, used: 100)
        #expect(machine.apply(try Make.open(org: "acme/2", path: [ref], offers: [64]), now: now).grantedOffer == 0)
        let first = machine.apply(.recall(org: "acme/2", window: ref.key, turn: 2, least: 10), now: now).snapshots.first
        #expect(first?.released == 282 && first?.turn == 2, "100 used, 64 held, half of 236")
        let again = machine.apply(.recall(org: "acme/2", window: ref.key, turn: 2, least: 10), now: now).snapshots.first
        #expect(again == first, "a repeat takes nothing more")
        let all = machine.apply(.recall(org: "acme/2", window: ref.key, turn: 3, least: 200), now: now).snapshots.first
        #expect(all?.released == 164)
        guard case .denied = machine.apply(try Make.open("l2", org: "acme/2", path: [ref], offers: [1]), now: now) else {
            Issue.record("nothing is left to grant")
            return
        }
    }

    @Test("a release that comes after the recall that took it back is not obeyed")
    func lateRelease() throws {
        let ref = try Make.ref(cap: 1_000, at: now)
        var machine = machine(ref, released: 100)
        _ = machine.apply(.recall(org: "acme/2", window: ref.key, turn: 3, least: 100), now: now)
        _ = machine.apply(.release(org: "acme/2", window: ref.key, released: 300, turn: 2), now: now)
        #expect(machine.windows[ref.key]?.released == 0)
        _ = machine.apply(.release(org: "acme/2", window: ref.key, released: 50, turn: 4), now: now)
        #expect(machine.windows[ref.key]?.released == 50)
    }

    @Test("a lower cap makes a slot give back what it has not granted; unsplit counters need not")
    func lowerCap() throws {
        let ref = try Make.ref(cap: 1_000, at: now)
        for (org, kept) in [("acme/2" as CounterSlot, Int64(30)), ("acme", 500)] {
            var machine = machine(ref, org: org, released: 500, used: 30)
            _ = machine.apply(.setCap(org: org, window: ref.key, cap: 900, version: 2), now: now)
            #expect(machine.windows[ref.key]?.released == kept)
            _ = machine.apply(.setCap(org: org, window: ref.key, cap: 950, version: 3), now: now)
            #expect(machine.windows[ref.key]?.released == kept)
        }
    }

    @Test("one node at a time asks, and what it found is said to the others for a while; a new cap ends that")
    func asking() throws {
        let ref = try Make.ref(cap: 1_000, at: now)
        var machine = machine(ref, released: 500)
        func ask(_ at: Int64) -> CounterReply {
            machine.apply(.ask(org: "acme/2", window: ref.key, for: Milliseconds(2_000)), now: now + Milliseconds(at))
        }
        func asked(_ at: Int64, dry: Int64?, shut: Int64?) {
            _ = machine.apply(
                .asked(org: "acme/2", window: ref.key, dryFor: dry.map { Milliseconds($0) }, shutFor: shut.map { Milliseconds($0) }),
                now: now + Milliseconds(at))
        }
        #expect(ask(0) == .done(now: now))
        #expect(ask(10).snapshots.count == 1, "another one asks")
        #expect(ask(2_000) == .done(now: now + Milliseconds(2_000)), "it took too long")
        asked(2_010, dry: 1_000, shut: 100)
        let shown = try #require(ask(2_050).snapshots.first)
        #expect(shown.dryUntil == now + Milliseconds(3_010) && shown.shutUntil == now + Milliseconds(2_110))
        _ = machine.apply(.setCap(org: "acme/2", window: ref.key, cap: 2_000, version: 2), now: now)
        #expect(ask(2_060) == .done(now: now + Milliseconds(2_060)))
        asked(2_070, dry: nil, shut: nil)
        #expect(ask(2_080) == .done(now: now + Milliseconds(2_080)))
    }

    @Test("rows say which slot made them")
    func rows() throws {
        let ref = try Make.ref(cap: 1_000, at: now)
        var machine = machine(ref, released: 500)
        _ = machine.apply(try Make.open(org: "acme/2", path: [ref]), now: now)
        _ = machine.apply(Make.settle(1, org: "acme/2", spent: 10), now: now)
        let row = try #require(machine.drainChanges().rows.first)
        #expect(row.slot == 2 && row.counters == "acme/2" && row.attribution.path.org == "acme")
    }
}
