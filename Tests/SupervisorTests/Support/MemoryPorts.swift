import JSON
import Supervisor
import Synchronization

/// What happened, in order, over all ports of a test.
final class Journal: Sendable {
    private let lines = Mutex<[String]>([])
    func note(_ line: String) { lines.withLock { $0.append(line) } }
    var all: [String] { lines.withLock { $0 } }
}

final class MemoryLog: DecisionLog {
    private struct State {
        var records: [DecisionRecord] = []
        var outcomes: [DecisionOutcome] = []
        var isAvailable = true
    }

    private let state = Mutex(State())
    private let journal: Journal

    init(_ journal: Journal) { self.journal = journal }

    var records: [DecisionRecord] { state.withLock { $0.records } }
    var outcomes: [DecisionOutcome] { state.withLock { $0.outcomes } }
    func fail() { state.withLock { $0.isAvailable = false } }

    func record(_ record: DecisionRecord) async -> Bool {
        guard !Task.isCancelled else { return false }
        journal.note("log \(record.decision.rawValue) \(record.rule)")
        return state.withLock { state in
            if state.isAvailable { state.records.append(record) }
            return state.isAvailable
        }
    }

    func record(_ outcome: DecisionOutcome, of caller: CallerIdentity) async {
        journal.note("outcome \(outcome.status.rawValue)")
        state.withLock { $0.outcomes.append(outcome) }
    }
}

extension MemoryLog: SessionLog {
    func calls(of caller: CallerIdentity) async -> [SessionCall]? {
        state.withLock { state in
            guard state.isAvailable else { return nil }
            let done = Set(state.outcomes.filter { $0.status == .ok }.map(\.id))
            return state.records.filter { $0.decision == .allow && $0.caller.conversation == caller.conversation }.map { record in
                SessionCall(
                    tool: record.tool, subject: record.subject ?? "", isDone: done.contains(record.id), isApproved: record.approval != nil)
            }
        }
    }
}

/// One budget in nano-USD for everybody.
final class MemoryMeter: CallMeter {
    struct State {
        var left: Int64 = .max
        var spent: Int64 = 0
        var refunds = 0
        var commits = 0
        var kind = MeterRefusal.Kind.budgetExceeded
        var isAvailable = true
    }

    struct Hold: CallReservation {
        let cost: Int64
        let meter: MemoryMeter

        func commit() async {
            meter.journal.note("commit")
            meter.state.withLock { state in
                state.spent += cost
                state.commits += 1
            }
        }

        func refund() async {
            meter.journal.note("refund")
            meter.state.withLock { state in
                state.left += cost
                state.refunds += 1
            }
        }
    }

    let state: Mutex<State>
    let journal: Journal
    /// Called within each reservation, before it answers.
    let onReserve: Mutex<(@Sendable () async -> Void)?> = Mutex(nil)

    init(_ journal: Journal, budget: Int64 = 1_000_000_000_000) {
        self.journal = journal
        state = Mutex(State(left: budget))
    }

    var commits: Int { state.withLock { $0.commits } }
    var refunds: Int { state.withLock { $0.refunds } }
    var spent: Int64 { state.withLock { $0.spent } }

    func reserve(tool: String, cost: Int64, caller: CallerIdentity) async -> MeterAnswer {
        if let hook = onReserve.withLock({ $0 }) { await hook() }
        journal.note("reserve")
        return state.withLock { state in
            guard state.isAvailable else { return .unavailable }
            guard cost <= state.left else {
                let details = JSONObject([("scope", ["kind": "user", "id": "acme/shop/ann"]), ("unit", "usd")])
                return .refused(MeterRefusal(kind: state.kind, message: "no room", details: details))
            }
            state.left -= cost
            return .admitted(Hold(cost: cost, meter: self))
        }
    }
}

final class MemoryIdempotency: IdempotencyStore {
    enum Entry: Sendable {
        case inFlight(IdempotentCall)
        case finished(IdempotentCall, JSONValue)
        case unknown(IdempotentCall)

        var call: IdempotentCall {
            switch self {
            case .inFlight(let call), .finished(let call, _), .unknown(let call): call
            }
        }
    }

    let entries = Mutex<[IdempotentCall.Key: Entry]>([:])
    private let isAvailable = Mutex(true)

    func fail() { isAvailable.withLock { $0 = false } }

    func claim(_ call: IdempotentCall) async -> IdempotencyClaim {
        guard isAvailable.withLock({ $0 }) else { return .unavailable }
        return entries.withLock { entries in
            guard let entry = entries[call.key] else {
                entries[call.key] = .inFlight(call)
                return .claimed
            }
            guard entry.call == call else { return .conflict }
            return switch entry {
            case .inFlight: .inFlight
            case .finished(_, let stored): .finished(stored)
            case .unknown: .unknown
            }
        }
    }

    func settle(_ call: IdempotentCall, _ ending: IdempotencyEnding) async {
        entries.withLock { entries in
            switch ending {
            case .finished(let stored): entries[call.key] = .finished(call, stored)
            case .unknown: entries[call.key] = .unknown(call)
            case .released: entries[call.key] = nil
            }
        }
    }
}

final class CountingMetrics: SupervisorMetrics {
    private let count = Mutex((abandoned: 0, allowed: 0, denied: 0))
    private let lines = Mutex<[String]>([])
    /// States of approvals, and reads without a record, in order.
    var noted: [String] { lines.withLock { $0 } }
    var abandoned: Int { count.withLock { $0.abandoned } }
    var allowed: Int { count.withLock { $0.allowed } }
    var denied: Int { count.withLock { $0.denied } }

    func decided(_ decision: DecisionRecord.Decision, tool: String) {
        count.withLock { count in
            if decision == .allow { count.allowed += 1 } else { count.denied += 1 }
        }
    }
    func called(tool: String, status: DecisionOutcome.Status, elapsed: Duration) {}
    func approval(_ state: Approval.State) { lines.withLock { $0.append(state.rawValue) } }
    func unlogged(tool: String) { lines.withLock { $0.append("unlogged \(tool)") } }
    func abandoned(tool: String) { count.withLock { $0.abandoned += 1 } }
}
