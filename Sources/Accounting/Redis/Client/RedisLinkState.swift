/// Whether commands can be sent.
public enum RedisHealth: Sendable, Equatable {
    case connecting
    case ready
    /// The reason is for a log line or `doctor`; it holds no credentials.
    case unreachable(String)
    case closed
}

/// The life of one connection as a pure state machine: connect, prepare (AUTH, SELECT, functions), serve, lose, wait, connect again.
struct RedisLinkState {
    enum Event {
        case start
        case connected
        case connectFailed(String)
        case prepared
        case prepareFailed(String)
        case disconnected(String)
        case retryDue
        case stop
    }

    enum Action: Equatable {
        case connect
        case prepare
        case disconnect
        /// Fail whatever waits: the commands may have been executed or not.
        case failPending(RedisFault)
        /// Connect again after a pause; the number is the count of attempts that failed in a row.
        case retry(attempt: Int)
        /// The first outcome, good or bad, or a change of it.
        case report(RedisHealth)
    }

    private enum Phase {
        case idle, connecting, preparing, ready, waiting, closed
    }

    private var phase = Phase.idle
    private var failures = 0

    var isReady: Bool { phase == .ready }
    var isPreparing: Bool { phase == .preparing }
    var isClosed: Bool { phase == .closed }

    mutating func apply(_ event: Event) -> [Action] {
        switch (phase, event) {
        case (.closed, _): return closedApply(event)
        case (_, .stop):
            phase = .closed
            return [.failPending(.closed), .disconnect, .report(.closed)]
        case (.idle, .start), (.waiting, .retryDue):
            phase = .connecting
            return [.connect]
        case (.connecting, .connected):
            phase = .preparing
            return [.prepare]
        case (.connecting, .connectFailed(let reason)): return lose(reason, disconnect: false)
        case (.preparing, .prepared):
            phase = .ready
            failures = 0
            return [.report(.ready)]
        case (.preparing, .prepareFailed(let reason)): return lose(reason, disconnect: true)
        case (.preparing, .disconnected(let reason)), (.ready, .disconnected(let reason)): return lose(reason, disconnect: false)
        default: return []
        }
    }

    /// A connection that was on its way when the owner closed must not stay open.
    private func closedApply(_ event: Event) -> [Action] {
        if case .connected = event { [.disconnect] } else { [] }
    }

    private mutating func lose(_ reason: String, disconnect: Bool) -> [Action] {
        phase = .waiting
        failures += 1
        let actions: [Action] = [.report(.unreachable(reason)), .failPending(.lost(reason)), .retry(attempt: failures - 1)]
        return disconnect ? [.disconnect] + actions : actions
    }
}
