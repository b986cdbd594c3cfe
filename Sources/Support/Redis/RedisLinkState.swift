/// Whether commands can be sent.
public enum RedisHealth: Sendable, Equatable {
    case connecting
    case ready
    /// The reason is for a log line or `doctor`; it holds no credentials.
    case unreachable(String)
    /// One of several addresses is no node of a cluster; see ``RedisFault/notCluster(_:)``.
    case notCluster(String)
    case closed
}

/// The life of one connection as a pure state machine: connect, prepare (AUTH, SELECT, functions), serve, lose, wait, connect again.
///
/// Where it has several addresses, one that fails is followed by the next at once; only when all have failed is that an outcome.
struct RedisLinkState {
    enum Event {
        case start
        case connected
        case connectFailed(String)
        case prepared
        case prepareFailed(String)
        /// The Redis stands alone although there are several addresses.
        case standsAlone(String)
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
    private let addresses: Int
    private var failures = 0
    /// Addresses that failed since the last outcome.
    private var tried = 0
    /// Which address is meant by `connect`.
    private(set) var address = 0

    init(addresses: Int = 1) { self.addresses = addresses }

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
        case (.connecting, .connectFailed(let reason)): return tryNext(reason, disconnect: false)
        case (.preparing, .prepared):
            phase = .ready
            failures = 0
            tried = 0
            return [.report(.ready)]
        case (.preparing, .prepareFailed(let reason)): return tryNext(reason, disconnect: true)
        case (.preparing, .disconnected(let reason)): return tryNext(reason, disconnect: false)
        case (.preparing, .standsAlone(let address)):
            step()
            return lose(.notCluster(address), .notCluster(address), disconnect: true)
        // The same address first: most losses are short.
        case (.ready, .disconnected(let reason)): return lose(.unreachable(reason), .lost(reason), disconnect: false)
        default: return []
        }
    }

    /// A connection that was on its way when the owner closed must not stay open.
    private func closedApply(_ event: Event) -> [Action] {
        if case .connected = event { [.disconnect] } else { [] }
    }

    private mutating func step() { address = (address + 1) % addresses }

    private mutating func tryNext(_ reason: String, disconnect: Bool) -> [Action] {
        step()
        tried += 1
        guard tried < addresses else { return lose(.unreachable(reason), .lost(reason), disconnect: disconnect) }
        phase = .connecting
        return (disconnect ? [.disconnect] : []) + [.failPending(.lost(reason)), .connect]
    }

    private mutating func lose(_ health: RedisHealth, _ fault: RedisFault, disconnect: Bool) -> [Action] {
        phase = .waiting
        failures += 1
        tried = 0
        let actions: [Action] = [.report(health), .failPending(fault), .retry(attempt: failures - 1)]
        return disconnect ? [.disconnect] + actions : actions
    }
}
