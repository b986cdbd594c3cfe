import NIOCore
import Testing

@testable import RedisClient

@Suite("The life of a subscription")
struct RedisSubscriberStateTests {
    private let channel = RedisTopic.channel("c")
    private let pattern = RedisTopic.pattern("p*")

    private func ready(_ topics: [RedisTopic]) -> RedisSubscriberState {
        var state = RedisSubscriberState()
        _ = state.apply(.subscribe(topics))
        _ = state.apply(.link(.start))
        _ = state.apply(.link(.connected))
        for topic in topics { _ = state.apply(.received(.subscribed(topic))) }
        _ = state.apply(.received(.pong))
        return state
    }

    @Test("it is let in, subscribes to all that is wanted, and is ready with the pong that follows") func start() {
        var state = RedisSubscriberState(credentials: ["ann", "secret"])
        #expect(state.apply(.subscribe([channel, pattern])) == [])
        #expect(state.apply(.link(.start)) == [.connect])
        #expect(
            state.apply(.link(.connected))
                == [.send([["AUTH", "ann", "secret"], ["SUBSCRIBE", "c"], ["PSUBSCRIBE", "p*"], ["PING"]])])
        #expect(state.apply(.received(.done)) == [])
        #expect(state.apply(.received(.subscribed(channel))) == [])
        #expect(state.confirmed == [channel])
        #expect(state.apply(.received(.subscribed(pattern))) == [])
        #expect(state.apply(.received(.pong)) == [.report(.ready), .ready(isGap: false)])
    }

    @Test("after a loss it subscribes again, and says that there is a gap") func again() {
        var state = ready([channel])
        _ = state.apply(.subscribe([pattern]))
        #expect(state.apply(.link(.disconnected("gone"))) == [.report(.unreachable("gone")), .retry(attempt: 0)])
        #expect(state.confirmed == [])
        #expect(state.apply(.unsubscribe([channel])) == [], "there is nobody to tell")
        #expect(state.apply(.link(.retryDue)) == [.connect])
        #expect(state.apply(.link(.connectFailed("no"))) == [.report(.unreachable("no")), .retry(attempt: 1)])
        #expect(state.apply(.link(.retryDue)) == [.connect])
        #expect(state.apply(.link(.connected)) == [.send([["PSUBSCRIBE", "p*"], ["PING"]])])
        #expect(state.apply(.received(.pong)) == [.report(.ready), .ready(isGap: true)])
    }

    @Test("while it is connected, what is wanted anew is sent at once, and nothing twice") func later() {
        var state = ready([channel])
        #expect(state.apply(.subscribe([channel, pattern])) == [.send([["PSUBSCRIBE", "p*"]])])
        #expect(state.apply(.subscribe([pattern])) == [])
        #expect(state.apply(.unsubscribe([pattern, .channel("x")])) == [.send([["PUNSUBSCRIBE", "p*"]])])
        #expect(state.apply(.unsubscribe([pattern])) == [])
    }

    @Test("a silent connection is asked, and given up") func silence() {
        var state = ready([channel])
        #expect(state.apply(.tick) == [.send([["PING"]])])
        #expect(state.apply(.received(.pong)) == [])
        #expect(state.apply(.tick) == [.send([["PING"]])])
        #expect(state.apply(.tick) == [.send([["PING"]])])
        #expect(state.apply(.tick) == [.disconnect, .report(.unreachable("no sign of life")), .retry(attempt: 0)])
        #expect(state.apply(.tick) == [])
    }

    @Test("a refusal ends the preparation; later it is only told") func refusals() {
        var state = RedisSubscriberState()
        _ = state.apply(.subscribe([channel]))
        _ = state.apply(.link(.start))
        _ = state.apply(.link(.connected))
        let error = RedisServerError("NOPERM no")
        #expect(state.apply(.received(.failed(error))) == [.disconnect, .report(.unreachable("NOPERM no")), .retry(attempt: 0)])
        var other = ready([channel])
        #expect(other.apply(.received(.failed(error))) == [.complain("NOPERM no")])
    }

    @Test("the number of subscriptions is bounded, and each command's") func bounds() {
        var state = RedisSubscriberState()
        let topics = (0..<RedisLimits.topicsMax).map { RedisTopic.channel("\($0)") }
        #expect(state.apply(.subscribe(topics)) == [])
        #expect(state.apply(.subscribe([channel])) == [.complain("too many subscriptions")])
        _ = state.apply(.link(.start))
        guard case .send(let commands)? = state.apply(.link(.connected)).first else { return #expect(Bool(false), "nothing is sent") }
        #expect(commands.count == RedisLimits.topicsMax / RedisLimits.topicsPerCommandMax + 1)
    }

    @Test("what was published is handed on, and nothing after the end") func delivery() {
        var state = ready([channel])
        let message = RedisMessage(topic: channel, channel: "c", payload: ByteBuffer(string: "x"))
        #expect(state.apply(.received(.message(message))) == [.deliver(message)])
        #expect(state.apply(.received(.refused(.tooLong))) == [.refuse(.tooLong)])
        #expect(state.apply(.link(.stop)) == [.disconnect, .report(.closed)])
        #expect(state.apply(.received(.message(message))) == [])
        #expect(state.apply(.link(.retryDue)) == [])
        #expect(state.apply(.link(.connected)) == [.disconnect])
    }
}
