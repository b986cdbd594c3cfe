import Engine
import JSON
import Synchronization

/// A gate whose tools a test writes.
final class TestGate: ToolGate {
    typealias Tell = @Sendable (ToolNews) -> Void

    struct Seen: Sendable {
        var calls: [ToolInvocation] = []
        /// Names that were asked for alone.
        var names: [String] = []
        var callers: [ToolCaller] = []
        /// Names of calls that were refused: forbidden ones, and those that nobody offered.
        var refused: [String] = []
        /// Calls that were told to stop.
        var stopped = 0
    }

    private let names: [String]
    private let forbidden: Set<String>
    private let tool: @Sendable (ToolInvocation, @escaping Tell) async -> ToolAnswer
    private let seen = Mutex(Seen())

    var record: Seen { seen.withLock { $0 } }

    /// - Parameters:
    ///   - names: what is offered.
    ///   - forbidden: names that are refused as soon as they are known.
    init(
        _ names: [String] = ["look", "write"], forbidden: Set<String> = [],
        tool: @escaping @Sendable (ToolInvocation, @escaping Tell) async -> ToolAnswer = { call, _ in
            ToolAnswer(content: "\(call.name) says \(call.arguments)", data: JSONObject([("result", .string("of \(call.name)"))]))
        }
    ) {
        self.names = names
        self.forbidden = forbidden
        self.tool = tool
    }

    static let refusal = ToolRefusal(code: "policy_denied", message: "no", rule: "policy7", decisionID: "d7")

    func offers(for caller: ToolCaller) async -> [ToolOffer] {
        seen.withLock { $0.callers.append(caller) }
        return names.map { ToolOffer(name: $0, definition: Self.definition($0, "server")) }
    }

    static func definition(_ name: String, _ description: String) -> JSONValue {
        ["type": "function", "function": ["name": .string(name), "description": .string(description)]]
    }

    func refusal(ofName name: String, for caller: ToolCaller) -> ToolRefusal? {
        seen.withLock { $0.names.append(name) }
        return forbidden.contains(name) ? Self.refusal : nil
    }

    func record(_ refusal: ToolRefusal, of call: ToolInvocation) -> ToolRefusal {
        seen.withLock { $0.refused.append(call.name) }
        return refusal
    }

    func call(_ call: ToolInvocation, told: @escaping Tell) async -> ToolAnswer {
        guard call.isOffered, !forbidden.contains(call.name) else {
            seen.withLock { $0.refused.append(call.name) }
            return call.isOffered
                ? .denied(Self.refusal) : ToolAnswer(ToolRefusal(code: "unknown_tool", message: "There is no tool of that name."))
        }
        seen.withLock { $0.calls.append(call) }
        let answer = await tool(call, told)
        if Task.isCancelled { seen.withLock { $0.stopped += 1 } }
        return answer
    }
}

/// Keeps tools at work until a test opens it.
final class Latch: Sendable {
    private struct State {
        var isOpen = false
        var next = 0
        var waiters: [Int: CheckedContinuation<Void, Never>] = [:]
        var waited = 0
    }

    private let state = Mutex(State())

    /// How many have come to wait.
    var waited: Int { state.withLock { $0.waited } }

    func open() {
        let waiters = state.withLock { state in
            state.isOpen = true
            defer { state.waiters = [:] }
            return state.waiters.values
        }
        for waiter in waiters { waiter.resume() }
    }

    /// Returns when it is open, or the task is cancelled.
    func wait() async {
        let id = state.withLock { state in
            state.next += 1
            return state.next
        }
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let isOver = state.withLock { state in
                    state.waited += 1
                    if state.isOpen || Task.isCancelled { return true }
                    state.waiters[id] = continuation
                    return false
                }
                if isOver { continuation.resume() }
            }
        } onCancel: {
            state.withLock { $0.waiters.removeValue(forKey: id) }?.resume()
        }
    }

    /// Returns when it is open, whatever becomes of the task.
    func waitStubbornly() async {
        await withCheckedContinuation { continuation in
            let isOver = state.withLock { state in
                state.waited += 1
                if state.isOpen { return true }
                state.next += 1
                state.waiters[state.next] = continuation
                return false
            }
            if isOver { continuation.resume() }
        }
    }

    func waitForWaiters(_ count: Int) async {
        while waited < count { await Task.yield() }
    }
}

/// A model that plays one script for each call, and the last one again and again; it keeps what it was asked.
final class RoundsModel: Sendable {
    private struct State {
        var requests: [ModelRequest] = []
    }

    private let rounds: [([ModelEvent], PlayedStream.End)]
    private let state = Mutex(State())

    init(_ rounds: [([ModelEvent], PlayedStream.End)]) { self.rounds = rounds }

    convenience init(_ rounds: [ModelEvent]...) { self.init(rounds.map { ($0, .finish) }) }

    var requests: [ModelRequest] { state.withLock { $0.requests } }

    var provider: TestProvider {
        TestProvider { [self] request in
            let (events, end) = state.withLock { state in
                state.requests.append(request)
                return rounds[min(state.requests.count, rounds.count) - 1]
            }
            return PlayedStream(events, end: end)
        }
    }
}

extension ModelEvent {
    static func word(_ text: String) -> ModelEvent { .delta(ModelDelta(text: text, tokens: 1)) }

    static func call(_ name: String, _ arguments: String = "{}", index: Int = 0, id: String? = nil) -> ModelEvent {
        .toolCallDelta(ToolCallDelta(index: index, id: id ?? "call_\(name)_\(index)", name: name, argumentsFragment: arguments, tokens: 1))
    }

    static func arguments(_ text: String, index: Int = 0) -> ModelEvent {
        .toolCallDelta(ToolCallDelta(index: index, id: nil, name: nil, argumentsFragment: text, tokens: 1))
    }

    static func spent(_ input: Int, _ output: Int) -> ModelEvent { .usage(ModelUsage(inputFresh: input, outputVisible: output)) }
}

extension Sequence<LogEntry> {
    var steps: [RunStep] {
        compactMap { entry in
            guard case .step(let step) = entry.body else { return nil }
            return step
        }
    }

    /// `status tool` of each step.
    var stepLines: [String] { steps.map { "\($0.status.rawValue) \($0.title)" } }

    /// The finish reason, or the reason of the cut, or the code of the error.
    var end: String? {
        switch terminals.last {
        case .complete(_, let reason, _): reason
        case .cut(let cut, _): cut.reason.rawValue
        case .error(let code, _, _): code
        default: nil
        }
    }

    var settled: SettledUsage? {
        switch terminals.last {
        case .complete(_, _, let settled), .cut(_, let settled), .error(_, _, let settled): settled
        default: nil
        }
    }
}
