import NIOHTTP1
import Testing

@testable import Transport

@Suite("Front: state machine") struct FrontStateMachineTests {
    private static let rules = RequestPlan.Rules(enginePath: EnginePath("/socket.io/"), pollingBodyBytesMax: 100, bodyBytesMax: 1_000_000)

    static func plan(
        _ method: HTTPMethod = .GET, _ uri: String = "/hello", version: HTTPVersion = .http1_1, _ headers: HTTPHeaders = [:]
    ) throws -> RequestPlan {
        try RequestPlan(HTTPRequestHead(version: version, method: method, uri: uri, headers: ["Host": "h"] + headers), rules)
    }

    static let upgradeFields: HTTPHeaders = ["Upgrade": "websocket", "Connection": "keep-alive, Upgrade"]

    /// A machine whose request is whole and waits for its answer.
    private func dispatched(_ plan: RequestPlan) -> FrontStateMachine {
        var machine = FrontStateMachine()
        machine.head(plan)
        _ = machine.end()
        return machine
    }

    @Test("an ordinary exchange returns to idle") func ordinary() throws {
        var machine = FrontStateMachine()
        #expect(machine.arrived(bytes: 0) == .process)
        machine.head(try Self.plan())
        #expect(machine.end() == .dispatch(.rest))
        #expect(machine.responseHead(streams: false, isDelimited: true) == .write(keepAlive: true))
        #expect(machine.responseEnd() == .next)
        #expect(machine.state == .idle)
    }

    @Test("what is pipelined waits, and reading pauses above 16 parts") func pipelining() throws {
        var machine = dispatched(try Self.plan())
        for count in 1...17 {
            #expect(machine.arrived(bytes: 0) == .enqueue)
            #expect(machine.withholdsRead == (count > 16))
            #expect(!machine.takesFromQueue)
        }
        _ = machine.responseHead(streams: false, isDelimited: true)
        #expect(machine.responseEnd() == .next)
        #expect(machine.takesFromQueue)
        machine.tookFromQueue()
        #expect(!machine.withholdsRead)
        #expect(machine.arrived(bytes: 0) == .enqueue, "order is kept while the queue is not empty")
    }

    @Test("a queue beyond the hard limit drops the connection") func queueLimit() throws {
        var machine = dispatched(try Self.plan())
        for _ in 0..<FrontLimits.queuedPartsHardMax { #expect(machine.arrived(bytes: 0) == .enqueue) }
        #expect(machine.arrived(bytes: 0) == .drop)
        #expect(machine.state == .closed)
    }

    @Test("a polling body over the limit is refused, counted as it streams (E22)") func pollingLimit() throws {
        var machine = FrontStateMachine()
        machine.head(try Self.plan(.POST, "/socket.io/?EIO=4", ["Transfer-Encoding": "chunked"]))
        #expect(machine.body(bytes: 60) == .gather)
        #expect(machine.body(bytes: 40) == .gather)
        #expect(machine.body(bytes: 1) == .refuse)
        machine.refused()
        #expect(machine.arrived(bytes: 10) == .discard)
        #expect(machine.arrived(bytes: FrontLimits.drainedBytesMax) == .drop)
    }

    @Test("a streamed body over the limit closes a connection whose response has begun") func streamedLimit() throws {
        var machine = FrontStateMachine()
        machine.head(try Self.plan(.POST, "/x", ["Transfer-Encoding": "chunked"]))
        #expect(machine.body(bytes: 1_000_000) == .stream)
        _ = machine.responseHead(streams: true, isDelimited: true)
        #expect(machine.body(bytes: 1) == .abandonAndClose)
    }

    @Test("an answer before the end of the request drains the rest and does not keep the connection") func earlyAnswer() throws {
        var machine = FrontStateMachine()
        machine.head(try Self.plan(.POST, "/x", ["Transfer-Encoding": "chunked"]))
        #expect(machine.responseHead(streams: false, isDelimited: true) == .write(keepAlive: false))
        #expect(machine.responseEnd() == .drain)
        #expect(machine.state == .draining(discardedBytes: 0))
    }

    @Test("close, HTTP/1.0 without keep-alive and an undelimited response end the connection") func closing() throws {
        for plan in [try Self.plan(.GET, "/x", version: .http1_0), try Self.plan(.GET, "/x", ["Connection": "close"])] {
            var machine = dispatched(plan)
            #expect(machine.responseHead(streams: false, isDelimited: true) == .write(keepAlive: false))
            #expect(machine.responseEnd() == .close)
        }
        var machine = dispatched(try Self.plan())
        #expect(machine.responseHead(streams: true, isDelimited: false) == .write(keepAlive: false))
        #expect(machine.responseEnd() == .close)
    }

    @Test("an upgrade stops reading until it is answered, and ends the machine's work") func upgrade() throws {
        var machine = dispatched(try Self.plan(.GET, "/socket.io/?EIO=4", Self.upgradeFields))
        #expect(machine.withholdsRead)
        #expect(machine.upgrade() == true)
        #expect(machine.state == .upgraded && !machine.withholdsRead)
        #expect(machine.upgrade() == false)
        #expect(machine.inputClosed() == .none)
        #expect(machine.quiesce() == .none)
    }

    @Test("an upgrade that is answered otherwise closes, for the decoder reads nothing after it") func refusedUpgrade() throws {
        var machine = dispatched(try Self.plan(.GET, "/socket.io/?EIO=4", Self.upgradeFields))
        #expect(machine.responseHead(streams: false, isDelimited: true) == .write(keepAlive: false))
        #expect(machine.responseEnd() == .close)
        var h2c = dispatched(try Self.plan(.GET, "/x", ["Upgrade": "h2c", "Connection": "Upgrade"]))
        #expect(h2c.upgrade() == false)
        #expect(h2c.responseHead(streams: false, isDelimited: true) == .write(keepAlive: false))
    }

    @Test("half close: an ordinary response is finished, everything else is over") func halfClose() throws {
        var idle = FrontStateMachine()
        #expect(idle.inputClosed() == .close)
        var receiving = FrontStateMachine()
        receiving.head(try Self.plan(.POST, "/x", ["Content-Length": "5"]))
        #expect(receiving.inputClosed() == .abandonAndClose)
        var poll = dispatched(try Self.plan(.GET, "/socket.io/?EIO=4"))
        #expect(poll.inputClosed() == .abandonAndClose)
        var ordinary = dispatched(try Self.plan())
        #expect(ordinary.inputClosed() == .none)
        #expect(ordinary.responseHead(streams: false, isDelimited: true) == .write(keepAlive: false))
        #expect(ordinary.responseEnd() == .close)
        var stream = dispatched(try Self.plan())
        _ = stream.responseHead(streams: true, isDelimited: true)
        #expect(stream.inputClosed() == .abandonAndClose)
        var rules = Self.rules
        rules.pathsThatEndWithTheirClient = ["/costly"]
        var costly = dispatched(
            try RequestPlan(HTTPRequestHead(version: .http1_1, method: .GET, uri: "/costly?x=1", headers: ["Host": "h"]), rules))
        #expect(costly.inputClosed() == .abandonAndClose)
        var later = dispatched(try Self.plan())
        #expect(later.inputClosed() == .none)
        #expect(later.responseHead(streams: true, isDelimited: true) == .abandonAndClose)
    }

    @Test("half close after two pipelined requests: both are answered") func halfCloseTwo() throws {
        var machine = dispatched(try Self.plan())
        _ = machine.arrived(bytes: 0)
        _ = machine.arrived(bytes: 0)
        #expect(machine.inputClosed() == .none)
        #expect(machine.responseHead(streams: false, isDelimited: true) == .write(keepAlive: true))
        #expect(machine.responseEnd() == .next)
        machine.tookFromQueue()
        machine.head(try Self.plan())
        machine.tookFromQueue()
        _ = machine.end()
        #expect(!machine.isOrphaned)
        #expect(machine.responseHead(streams: false, isDelimited: true) == .write(keepAlive: false))
        #expect(machine.responseEnd() == .close)
    }

    @Test("a pipelined request whose body will never come is orphaned by the half close") func orphan() throws {
        var machine = dispatched(try Self.plan())
        _ = machine.arrived(bytes: 0)
        _ = machine.inputClosed()
        _ = machine.responseHead(streams: false, isDelimited: true)
        #expect(machine.responseEnd() == .next)
        machine.tookFromQueue()
        machine.head(try Self.plan(.POST, "/x", ["Content-Length": "5"]))
        #expect(machine.isOrphaned)
    }

    @Test("quiescing: idle closes, an ordinary response finishes and closes, a stream is cut") func quiescing() throws {
        var idle = FrontStateMachine()
        #expect(idle.quiesce() == .close)
        var ordinary = dispatched(try Self.plan())
        #expect(ordinary.quiesce() == .none)
        #expect(ordinary.responseHead(streams: false, isDelimited: true) == .write(keepAlive: false))
        #expect(ordinary.responseEnd() == .close)
        var stream = dispatched(try Self.plan())
        _ = stream.responseHead(streams: true, isDelimited: true)
        #expect(stream.quiesce() == .abandonAndClose)
        var late = dispatched(try Self.plan())
        _ = late.quiesce()
        #expect(late.responseHead(streams: true, isDelimited: true) == .abandonAndClose)
    }

    @Test("a decoder failure is answered unless a response has begun") func failures() throws {
        var idle = FrontStateMachine()
        #expect(idle.failed() == .refuse)
        var receiving = FrontStateMachine()
        receiving.head(try Self.plan(.POST, "/x", ["Transfer-Encoding": "chunked"]))
        #expect(receiving.failed() == .abandonAndRefuse)
        _ = receiving.responseHead(streams: true, isDelimited: true)
        #expect(receiving.failed() == .abandonAndClose)
        receiving.refused()
        #expect(receiving.failed() == .ignore)
    }

    @Test("a full consumer pauses reading, and the end of the body resumes it") func consumer() throws {
        var machine = FrontStateMachine()
        machine.head(try Self.plan(.POST, "/x", ["Transfer-Encoding": "chunked"]))
        machine.consumerIsFull = true
        #expect(machine.withholdsRead)
        #expect(machine.end() == .finishStream)
        #expect(!machine.withholdsRead)
    }

    @Test("no sequence of events makes the machine trap or answer twice", arguments: 0..<200) func randomEvents(_ seed: UInt64) throws {
        var random = SplitMix(seed: seed)
        var machine = FrontStateMachine()
        let plans = [
            try Self.plan(), try Self.plan(.POST, "/x", ["Transfer-Encoding": "chunked"]),
            try Self.plan(.POST, "/socket.io/", ["Content-Length": "9"]),
            try Self.plan(.GET, "/socket.io/?EIO=4", Self.upgradeFields),
        ]
        var heads = 0
        for _ in 0..<300 {
            switch random.next() % 12 {
            case 0, 1: if machine.state == .idle, machine.queuedParts == 0 { machine.head(plans[Int(random.next() % 4)]) }
            case 2: _ = machine.arrived(bytes: Int(random.next() % 1000))
            case 3: if machine.takesFromQueue { machine.tookFromQueue() }
            case 4: _ = machine.body(bytes: Int(random.next() % 200))
            case 5, 6: _ = machine.end()
            case 7:
                if case .write = machine.responseHead(streams: random.next() % 4 == 0, isDelimited: random.next() % 4 != 0) { heads += 1 }
            case 8, 9:
                if machine.responseEnd() != .ignore {
                    heads -= 1
                    #expect(heads == 0, "seed \(seed)")
                }
            case 10: _ = random.next() % 20 == 0 ? machine.inputClosed() : .none
            default: if random.next() % 20 == 0 { _ = machine.upgrade() }
            }
            if machine.state == .closed { break }
        }
    }
}

/// A seeded generator whose sequence is the same everywhere.
struct SplitMix: RandomNumberGenerator {
    private var state: UInt64
    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = (state ^ (state >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }
}

extension HTTPHeaders {
    static func + (left: HTTPHeaders, right: HTTPHeaders) -> HTTPHeaders {
        var sum = left
        sum.add(contentsOf: right)
        return sum
    }
}
