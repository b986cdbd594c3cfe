import Engine
import Synchronization

/// A meter with one window of tokens, handed out in slices; what Accounting does, without its windows.
final class TestMeter: UsageMeter {
    struct Settled: Sendable {
        let admission: RunAdmission
        let taken: Int
        let usage: FinalUsage
    }

    private struct State {
        var left: Int
        var admissions: [RunAdmission] = []
        var settled: [Settled] = []
        var answer: AdmissionOutcome?
        var warning: Int?
    }

    private let state: Mutex<State>
    let slice: Int
    let outputTokensMax: Int?
    /// What a take answers when nothing is left.
    static let cut = CutDescription(
        reason: .budgetExceeded, scopeKind: "project", scopeID: "o/p", unit: "tokens", window: "day", limit: "100",
        used: "100", resetsAt: 1_700_000_100_000)

    init(tokens: Int = .max, slice: Int = 16, outputTokensMax: Int? = nil, answer: AdmissionOutcome? = nil) {
        state = Mutex(State(left: tokens, answer: answer))
        self.slice = slice
        self.outputTokensMax = outputTokensMax
    }

    var admissions: [RunAdmission] { state.withLock { $0.admissions } }
    var settled: [Settled] { state.withLock { $0.settled } }
    var left: Int { state.withLock { $0.left } }
    var warning: Int? { state.withLock { $0.warning } }
    func setWarning(_ warning: Int?) { state.withLock { $0.warning = warning } }

    func open(_ admission: RunAdmission) async -> AdmissionOutcome {
        let answer = state.withLock { state in
            state.admissions.append(admission)
            return state.answer
        }
        return answer ?? .admitted(TestLease(self, admission))
    }

    func grant() -> Int {
        state.withLock { state in
            let granted = min(slice, state.left)
            state.left -= granted
            return granted
        }
    }

    func settle(_ settled: Settled, rest: Int) {
        state.withLock { state in
            state.settled.append(settled)
            state.left += rest
        }
    }
}

/// A lease of ``TestMeter``. It checks that the engine keeps the protocol of the port.
final class TestLease: RunLease {
    private struct State {
        var balance = 0
        var taken = 0
        var waiting: Int?
        var isSettled = false
    }

    private let meter: TestMeter
    private let admission: RunAdmission
    private let state = Mutex(State())

    init(_ meter: TestMeter, _ admission: RunAdmission) {
        self.meter = meter
        self.admission = admission
    }

    var outputTokensMax: Int? { meter.outputTokensMax }

    func take(outputTokens: Int) -> TakeOutcome {
        state.withLock { state in
            precondition(!state.isSettled, "take after settle")
            precondition(state.waiting == nil, "take while another take waits")
            guard state.balance >= outputTokens else {
                state.waiting = outputTokens
                return .awaitGrant
            }
            state.balance -= outputTokens
            state.taken += outputTokens
            return .paid
        }
    }

    func awaitGrant() async -> TakeOutcome {
        await Task.yield()
        let granted = meter.grant()
        return state.withLock { state in
            precondition(!state.isSettled, "awaitGrant after settle")
            state.balance += granted
            guard let waiting = state.waiting else { preconditionFailure("no take waits") }
            guard state.balance >= waiting else {
                guard granted == 0 else { return .awaitGrant }
                state.waiting = nil
                return .cut(TestMeter.cut)
            }
            state.balance -= waiting
            state.taken += waiting
            state.waiting = nil
            return .paid
        }
    }

    func settle(_ usage: FinalUsage) async -> SettledUsage {
        await Task.yield()
        let (taken, rest) = state.withLock { state in
            precondition(!state.isSettled, "settled twice")
            state.isSettled = true
            return (state.taken, state.balance)
        }
        meter.settle(TestMeter.Settled(admission: admission, taken: taken, usage: usage), rest: rest)
        return SettledUsage(
            inputTokens: usage.usage.inputTokens, outputTokens: usage.usage.outputTokens, costUSD: "0.01",
            isEstimated: usage.usage.isEstimated)
    }

    func report() -> UsageReport {
        UsageReport(
            inputTokens: admission.promptTokens.likely, outputTokens: state.withLock { $0.taken }, costUSD: "0",
            windows: [], warning: meter.warning)
    }
}
