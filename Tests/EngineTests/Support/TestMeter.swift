import Engine
import Synchronization

/// A meter with one window of tokens, handed out in slices; what Accounting does, without its windows.
final class TestMeter: UsageMeter {
    struct Settled: Sendable {
        let admission: RunAdmission
        let taken: Int
        let reasoning: Int
        let usage: FinalUsage
    }

    private struct State {
        var left: Int
        var admissions: [RunAdmission] = []
        var settled: [Settled] = []
        var answer: AdmissionOutcome?
        var warning: Int?
        var refusedAttempt: Int?
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

    /// Refuses this attempt of each run.
    func refuse(attempt: Int) { state.withLock { $0.refusedAttempt = attempt } }

    func open(_ admission: RunAdmission) async -> AdmissionOutcome {
        let answer = state.withLock { state -> AdmissionOutcome? in
            state.admissions.append(admission)
            if admission.attempt == state.refusedAttempt { return .refused(Self.cut) }
            guard state.answer == nil, admission.metering == .reserve, let wanted = admission.outputTokensMax else {
                return state.answer
            }
            let held = min(wanted, state.left)
            guard held >= admission.outputTokensMin else { return .refused(Self.cut) }
            state.left -= held
            return .admitted(TestLease(self, admission, reserved: held))
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
        var reasoning = 0
        var waitingReasons = false
        var waiting: Int?
        var isSettled = false
    }

    private let meter: TestMeter
    private let admission: RunAdmission
    private let state: Mutex<State>
    private let reserved: Int?

    /// - Parameter reserved: output tokens that were held at once; nil for slices.
    init(_ meter: TestMeter, _ admission: RunAdmission, reserved: Int? = nil) {
        self.meter = meter
        self.admission = admission
        self.reserved = reserved
        state = Mutex(State(balance: reserved ?? 0))
    }

    var outputTokensMax: Int? { reserved ?? meter.outputTokensMax }

    func take(outputTokens: Int, reasoning: Bool) -> TakeOutcome {
        state.withLock { state in
            precondition(!state.isSettled, "take after settle")
            precondition(state.waiting == nil, "take while another take waits")
            precondition(reserved == nil || state.balance >= outputTokens, "more was taken than was reserved")
            guard state.balance >= outputTokens else {
                state.waiting = outputTokens
                state.waitingReasons = reasoning
                return .awaitGrant
            }
            state.balance -= outputTokens
            state.taken += outputTokens
            if reasoning { state.reasoning += outputTokens }
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
            if state.waitingReasons { state.reasoning += waiting }
            state.waiting = nil
            return .paid
        }
    }

    func settle(_ usage: FinalUsage) async -> SettledUsage {
        await Task.yield()
        let (taken, reasoning, rest) = state.withLock { state in
            precondition(!state.isSettled, "settled twice")
            state.isSettled = true
            return (state.taken, state.reasoning, state.balance)
        }
        meter.settle(TestMeter.Settled(admission: admission, taken: taken, reasoning: reasoning, usage: usage), rest: rest)
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
