import JSON
import Testing

@testable import Supervisor

@Suite("The life of a call at its tool", .timeLimit(.minutes(1)))
struct DispatchMachineTests {
    static let done = DispatchMachine.Event.returned(.success(.null))

    /// The actions of all events, by name.
    static func actions(_ events: [DispatchMachine.Event]) -> [String] {
        var machine = DispatchMachine()
        return events.flatMap { event in
            machine.handle(event).map { action in
                switch action {
                case .startTool: "start"
                case .startGrace: "grace"
                case .cancelTool: "cancel"
                case .releaseAbandoned: "release"
                case .finish(.notStarted): "not started"
                case .finish(.returned): "returned"
                case .finish(.stopped(let cause, _)): "stopped: \(cause)"
                case .finish(.abandoned(let cause)): "abandoned: \(cause)"
                }
            }
        }
    }

    @Test(
        "events and what follows",
        arguments: [
            ([.begun, done], ["start", "returned"]), ([.cancelled, .begun, done], ["not started"]),
            ([.begun, .deadlinePassed, done], ["start", "cancel", "grace", "stopped: deadline"]),
            ([.begun, .cancelled, done], ["start", "cancel", "grace", "stopped: cancelled"]),
            ([.begun, .cancelled, .deadlinePassed, .gracePassed, done], ["start", "cancel", "grace", "abandoned: cancelled", "release"]),
            ([.begun, .deadlinePassed, .cancelled, .gracePassed], ["start", "cancel", "grace", "abandoned: deadline"]),
            ([.begun, done, .deadlinePassed, .cancelled, .gracePassed], ["start", "returned"]),
            ([.begun, .gracePassed, done], ["start", "returned"]),
        ] as [([DispatchMachine.Event], [String])])
    func table(events: [DispatchMachine.Event], actions: [String]) {
        #expect(Self.actions(events) == actions)
    }

    @Test("what an ending means for charge and answer")
    func endings() {
        let certain = ToolFailure(code: "connect_failed", message: "", hadNoEffect: true)
        let cases: [(DispatchMachine.Ending, String?, DecisionOutcome.Status, Attempt.Certainty)] = [
            (.notStarted, "cancelled", .cancelled, .noEffect), (.returned(.success(1)), nil, .ok, .known),
            (.returned(.success("0123456789")), "output_too_large", .error, .known),
            (.returned(.failure(certain)), "connect_failed", .error, .noEffect),
            (.returned(.failure(ToolFailure(code: "x", message: ""))), "x", .error, .known),
            (.returned(.failure(ToolFailure(code: "x", message: "", isTimeout: true))), "tool_timeout", .timeout, .unknown),
            (.stopped(.deadline, .success(1)), "tool_timeout", .timeout, .unknown),
            (.stopped(.cancelled, .failure(certain)), "cancelled", .cancelled, .noEffect),
            (.abandoned(.cancelled), "cancelled", .unknown, .unknown),
        ]
        for (ending, code, status, certainty) in cases {
            let meaning = CallEnding(ending, limit: 10)
            #expect(meaning.code == code)
            #expect(meaning.status == status)
            #expect(meaning.certainty == certainty)
        }
    }

    @Test("calls that are cancelled at any moment come back, and leave nothing in flight")
    func cancellationRaces() async throws {
        let bench = try Bench(
            adapter: ScriptedTool { call in
                await Task.yield()
                return .success(.object(call.arguments))
            })
        for round in 0..<300 {
            let task = Task { await bench.call(key: round % 3 == 0 ? "k\(round)" : nil) }
            for _ in 0..<(round % 12) { await Task.yield() }
            task.cancel()
            let result = await task.value
            #expect(result.code == nil || result.code == "cancelled")
        }
        #expect(bench.supervisor.callsInFlight == 0)
        #expect(bench.log.records.count == 300)
        #expect(bench.log.outcomes.count == bench.log.records.filter { $0.decision == .allow }.count)
        #expect(bench.meter.commits + bench.meter.refunds >= bench.log.outcomes.count)
    }

    @Test("waiters of one key that are cancelled while they wait come back")
    func cancelledWaiters() async throws {
        let hold = Hold()
        let bench = try Bench(
            adapter: ScriptedTool { _ in
                await hold.wait()
                return .success(.null)
            })
        let first = Task { await bench.call(key: "k") }
        await hold.wait(forWaiters: 1)
        let others = (0..<10).map { index in Task { await bench.call(id: "c\(index)", key: "k") } }
        for (index, task) in others.enumerated() {
            for _ in 0..<index { await Task.yield() }
            task.cancel()
            #expect(await task.value.code == "cancelled")
        }
        hold.open()
        #expect(await first.value.value == .null)
        #expect(bench.supervisor.callsInFlight == 0)
    }

    @Test("a decision's name is dec_ and 20 characters of the URL-safe alphabet")
    func names() {
        let names = (0..<100).map { _ in DecisionID.make() }
        #expect(Set(names).count == 100)
        #expect(names.allSatisfy { $0.hasPrefix("dec_") && $0.utf8.count == 24 })
    }

    @Test("a name that nobody checked is shown in bounded, plain text")
    func shown() {
        #expect(SafeText.shown("p\u{0430}y\n\"x\"") == "p\\u{430}y\\u{a}\\u{22}x\\u{22}")
        #expect(SafeText.shown(String(repeating: "a", count: 1_000)).utf8.count == 99)
        #expect(SafeText.bounded("aé", bytesMax: 2) == "a")
    }
}
