import Testing

@testable import Executor

@Suite("The pool of sandboxes")
struct PoolMachineTests {
    private func machine(warm: Int = 2, most: Int = 4, startsAtOnce: Int = 1) -> PoolMachine {
        PoolMachine(PoolMachine.Settings(warm: warm, most: most, startsAtOnce: startsAtOnce))
    }

    @Test("it fills one start after another when it may, and not before")
    func fills() {
        var machine = machine()
        #expect(machine.handle(.tick, at: .zero) == [])
        #expect(machine.handle(.fill(true), at: .zero) == [.start(1)])
        #expect(machine.handle(.ready(1), at: .zero) == [.start(2)])
        #expect(machine.handle(.ready(2), at: .zero) == [])
        #expect(machine.idle == 2)
    }

    @Test("a job takes the oldest idle sandbox at once, and another is started in its place")
    func warm() {
        var machine = machine()
        _ = machine.handle(.fill(true), at: .zero)
        _ = machine.handle(.ready(1), at: .seconds(1))
        _ = machine.handle(.ready(2), at: .seconds(2))
        #expect(machine.handle(.wanted(1), at: .seconds(3)) == [.hand(1, 1, warm: true), .start(3)])
        #expect(machine.handle(.ready(3), at: .seconds(3)) == [])
        // The place of a job that is over is filled with a new number.
        #expect(machine.handle(.gone(1), at: .seconds(4)) == [])
        #expect(machine.handle(.wanted(2), at: .seconds(4)) == [.hand(2, 2, warm: true), .start(4)])
    }

    @Test("an empty pool is a cold start, before the pool's own starts")
    func cold() {
        var machine = machine(warm: 1)
        #expect(machine.handle(.wanted(1), at: .zero) == [.start(1)])
        #expect(machine.handle(.fill(true), at: .zero) == [])
        #expect(machine.handle(.ready(1), at: .zero) == [.hand(1, 1, warm: false), .start(2)])
    }

    @Test("whichever start is ready first serves whoever waits longest")
    func firstReady() {
        var machine = machine(warm: 1, startsAtOnce: 3)
        #expect(machine.handle(.fill(true), at: .zero) == [.start(1)])
        #expect(machine.handle(.wanted(1), at: .zero) == [])
        #expect(machine.handle(.wanted(2), at: .zero) == [.start(2)])
        #expect(machine.handle(.ready(2), at: .zero) == [.hand(2, 1, warm: false)])
        #expect(machine.handle(.ready(1), at: .zero) == [.hand(1, 2, warm: false), .start(3)])
    }

    @Test("most bounds all there are; the job beyond is refused")
    func most() {
        var machine = machine(warm: 0, most: 2)
        #expect(machine.handle(.wanted(1), at: .zero) == [.start(1)])
        #expect(machine.handle(.wanted(2), at: .zero) == [.start(2)])
        #expect(machine.handle(.wanted(3), at: .zero) == [.refuse(3, .tooMany)])
        _ = machine.handle(.ready(1), at: .zero)
        _ = machine.handle(.ready(2), at: .zero)
        #expect(machine.handle(.wanted(4), at: .zero) == [.refuse(4, .tooMany)])
        #expect(machine.handle(.gone(1), at: .zero) == [])
        #expect(machine.handle(.wanted(5), at: .zero) == [.start(3)])
    }

    @Test("a sandbox is replaced when it has waited for ten minutes")
    func expiry() {
        var machine = machine(warm: 1)
        _ = machine.handle(.fill(true), at: .zero)
        _ = machine.handle(.ready(1), at: .seconds(5))
        #expect(machine.wake(after: .seconds(5)) == .seconds(605))
        #expect(machine.handle(.tick, at: .seconds(604.9)) == [])
        #expect(machine.handle(.tick, at: .seconds(605)) == [.discard(1), .start(2)])
        #expect(machine.handle(.gone(1), at: .seconds(605)) == [])
        #expect(machine.idle == 0)
    }

    @Test("failed starts are repeated later and later, until one works")
    func backoff() {
        var machine = machine(warm: 1)
        #expect(machine.handle(.fill(true), at: .zero) == [.start(1)])
        #expect(machine.handle(.failed(1), at: .zero) == [])
        #expect(machine.wake(after: .zero) == .milliseconds(500))
        #expect(machine.handle(.tick, at: .milliseconds(499)) == [])
        #expect(machine.handle(.tick, at: .milliseconds(500)) == [.start(2)])
        #expect(machine.handle(.failed(2), at: .seconds(1)) == [])
        #expect(machine.wake(after: .seconds(1)) == .seconds(2))
        var now = Duration.seconds(2)
        for slot in 3...20 {
            #expect(machine.handle(.tick, at: now) == [.start(slot)])
            #expect(machine.handle(.failed(slot), at: now) == [])
            let wake = machine.wake(after: now) ?? .zero
            #expect(wake - now <= .seconds(60))
            now = wake
        }
        #expect(machine.handle(.tick, at: now) == [.start(21)])
        #expect(machine.handle(.ready(21), at: now) == [])
        #expect(machine.handle(.wanted(1), at: now) == [.hand(21, 1, warm: true), .start(22)])
    }

    @Test("a job is tried at once though the pool pauses, and refused when its start fails")
    func failedJob() {
        var machine = machine(warm: 1)
        _ = machine.handle(.fill(true), at: .zero)
        _ = machine.handle(.failed(1), at: .zero)
        #expect(machine.handle(.wanted(1), at: .zero) == [.start(2)])
        #expect(machine.handle(.failed(2), at: .zero) == [.refuse(1, .failed)])
    }

    @Test("an abandoned job's start becomes the pool's, or is thrown away when the pool is full")
    func abandoned() {
        var machine = machine(warm: 1)
        _ = machine.handle(.fill(true), at: .zero)
        _ = machine.handle(.wanted(1), at: .zero)
        #expect(machine.handle(.wanted(2), at: .zero) == [.start(2)])
        #expect(machine.handle(.abandoned(1), at: .zero) == [])
        #expect(machine.handle(.abandoned(2), at: .zero) == [])
        #expect(machine.handle(.ready(2), at: .zero) == [])
        #expect(machine.handle(.ready(1), at: .zero) == [.discard(1)])
        #expect(machine.idle == 1)
    }

    @Test("a sandbox that died in the pool is thrown away and its job gets another")
    func spoiled() {
        var machine = machine(warm: 2)
        _ = machine.handle(.fill(true), at: .zero)
        _ = machine.handle(.ready(1), at: .zero)
        _ = machine.handle(.ready(2), at: .zero)
        #expect(machine.handle(.wanted(1), at: .zero) == [.hand(1, 1, warm: true), .start(3)])
        #expect(machine.handle(.spoiled(1), at: .zero) == [.discard(1), .hand(2, 1, warm: true)])
        #expect(machine.handle(.spoiled(2), at: .zero) == [.discard(2)])
        #expect(machine.handle(.ready(3), at: .zero) == [.hand(3, 1, warm: false), .start(4)])
    }

    @Test("a machine that is no longer safe enough has no pool")
    func unsafe() {
        var machine = machine(warm: 1)
        _ = machine.handle(.fill(true), at: .zero)
        _ = machine.handle(.ready(1), at: .zero)
        #expect(machine.handle(.fill(false), at: .zero) == [.discard(1)])
        #expect(machine.handle(.gone(1), at: .zero) == [])
        #expect(machine.handle(.tick, at: .seconds(1)) == [])
        #expect(machine.handle(.fill(true), at: .seconds(1)) == [.start(2)])
    }

    @Test("a stop refuses who waits, throws away what is idle, and starts nothing more")
    func stop() {
        var machine = machine(warm: 1)
        _ = machine.handle(.fill(true), at: .zero)
        _ = machine.handle(.ready(1), at: .zero)
        _ = machine.handle(.wanted(1), at: .zero)
        _ = machine.handle(.wanted(2), at: .zero)
        #expect(machine.handle(.stop, at: .zero) == [.refuse(2, .stopping)])
        #expect(machine.handle(.wanted(3), at: .zero) == [.refuse(3, .stopping)])
        #expect(machine.handle(.ready(2), at: .zero) == [.discard(2)])
        #expect(!machine.isEmpty)
        #expect(machine.handle(.gone(2), at: .zero) == [])
        #expect(machine.handle(.gone(1), at: .zero) == [])
        #expect(machine.isEmpty)
        #expect(machine.wake(after: .zero) == nil)
    }

    @Test("43: a used slot is never handed out twice, whatever happens in whatever order")
    func onceOnly() {
        for seed in UInt64(0)..<150 {
            var random = Dice(state: seed)
            var machine = machine(
                warm: random.roll(4), most: 1 + random.roll(6), startsAtOnce: 1 + random.roll(2))
            var world = World()
            for step in 0..<400 {
                let now = Duration.seconds(step * (1 + random.roll(3)))
                guard let event = world.next(&random, isLast: step > 350) else { continue }
                world.apply(machine.handle(event, at: now))
            }
            #expect(world.handed.count == Set(world.handed).count)
            #expect(world.answered.count == Set(world.answered).count)
            world.apply(machine.handle(.stop, at: .seconds(9_999)))
            while let event = world.ending() { world.apply(machine.handle(event, at: .seconds(9_999))) }
            #expect(machine.isEmpty)
            // Every ticket had exactly one answer, or was given up.
            #expect(Set(world.answered).union(world.abandoned) == Set(1..<(world.lastTicket + 1)))
        }
    }
}

/// A small generator that repeats itself, so a failing seed can be looked at.
private struct Dice {
    var state: UInt64

    mutating func roll(_ sides: Int) -> Int {
        state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        return Int((state >> 33) % UInt64(sides))
    }
}

/// What the pool's host knows, with everything that can happen to it.
private struct World {
    var booting: Set<Int> = []
    var used: [Int: Int] = [:]
    var leaving: Set<Int> = []
    var handed: [Int] = []
    var answered: [Int] = []
    var abandoned: Set<Int> = []
    var lastTicket = 0

    mutating func apply(_ actions: [PoolMachine.Action]) {
        for action in actions {
            switch action {
            case .start(let slot): booting.insert(slot)
            case .hand(let slot, let ticket, _):
                handed.append(slot)
                answered.append(ticket)
                used[slot] = ticket
            case .discard(let slot): leaving.insert(slot)
            case .refuse(let ticket, _): answered.append(ticket)
            }
        }
    }

    mutating func next(_ random: inout Dice, isLast: Bool) -> PoolMachine.Event? {
        switch random.roll(8) {
        case 0, 1:
            lastTicket += 1
            return .wanted(lastTicket)
        case 2, 3:
            return booting.min().map { slot in
                booting.remove(slot)
                return random.roll(5) == 0 ? .failed(slot) : .ready(slot)
            }
        case 4: return ending()
        case 5:
            // A ticket that still waits.
            guard let ticket = (1..<(lastTicket + 1)).first(where: { !answered.contains($0) && !abandoned.contains($0) }) else {
                return nil
            }
            abandoned.insert(ticket)
            return .abandoned(ticket)
        case 6: return random.roll(10) == 0 ? .fill(random.roll(3) > 0) : .tick
        default:
            // Only what was handed out just now can turn out to be dead; its ticket has no answer yet then.
            guard let slot = handed.last, let ticket = used.removeValue(forKey: slot) else { return .fill(true) }
            answered.removeAll { $0 == ticket }
            return .spoiled(slot)
        }
    }

    mutating func ending() -> PoolMachine.Event? {
        if let slot = used.keys.min() {
            used[slot] = nil
            return .gone(slot)
        }
        if let slot = leaving.min() {
            leaving.remove(slot)
            return .gone(slot)
        }
        if let slot = booting.min() {
            booting.remove(slot)
            return .ready(slot)
        }
        return nil
    }
}
