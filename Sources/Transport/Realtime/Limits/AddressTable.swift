internal import NIOCore

/// Who has how many sessions, and who asked for some lately. Pure; the clock comes with each question.
///
/// Bounded: beyond ``RateLimits/addressesMax`` new addresses share one entry. So an attacker with very many addresses slows
/// strangers down, never those who are known, and costs no more memory.
struct AddressTable: Sendable {
    /// Where a session is counted.
    enum Seat: Sendable, Hashable {
        case address(ClientAddress)
        /// With all the others for whom there was no place.
        case shared
        /// Not at all.
        case exempt
    }

    /// Which limit an address has reached.
    enum Limit: String, Sendable, Hashable, CaseIterable { case sessions, upgrades, open }

    enum Verdict: Sendable, Hashable {
        case admitted(Seat)
        case refused(Limit, retryAfter: TimeAmount)
    }

    private struct Entry: Sendable {
        var sessions = TokenBucket()
        var upgrades = TokenBucket()
        var open = 0

        func isIdle(at now: NIODeadline) -> Bool { open == 0 && sessions.isFull(at: now) && upgrades.isFull(at: now) }
    }

    /// When too many are open there is no saying when one will close.
    static let openRetryAfter = TimeAmount.seconds(10)
    /// Between two looks through a full table, which takes about a millisecond.
    private static let sweepPause = TimeAmount.seconds(1)

    private let limits: RateLimits
    private var entries: [ClientAddress: Entry] = [:]
    private var rest = Entry()
    /// So many entries before the table is looked through for idle ones: twice what the last look left.
    private var sweepAt: Int
    private var sweptAt: NIODeadline?

    init(_ limits: RateLimits) {
        self.limits = limits
        sweepAt = min(limits.addressesMax, 1_024)
    }

    var count: Int { entries.count }

    /// Asks for a session. Refused requests count for nothing.
    ///
    /// - Parameter isUpgrade: it begins as a WebSocket.
    mutating func open(_ address: ClientAddress, isUpgrade: Bool, at now: NIODeadline) -> Verdict {
        let limits = limits
        let seat = seat(of: address, at: now)
        return change(seat) { entry in
            if let most = limits.openSessionsMax, entry.open >= most { return .refused(.open, retryAfter: Self.openRetryAfter) }
            if let rate = limits.sessions, let wait = entry.sessions.wait(rate, at: now) { return .refused(.sessions, retryAfter: wait) }
            if isUpgrade, let rate = limits.upgrades {
                if let wait = entry.upgrades.wait(rate, at: now) { return .refused(.upgrades, retryAfter: wait) }
                entry.upgrades.take(1, rate, at: now)
            }
            if let rate = limits.sessions { entry.sessions.take(1, rate, at: now) }
            entry.open += 1
            return .admitted(seat)
        }
    }

    /// Asks for the upgrade of a session that is counted at `seat`.
    mutating func upgrade(_ seat: Seat, at now: NIODeadline) -> Verdict {
        guard let rate = limits.upgrades, seat != .exempt else { return .admitted(seat) }
        return change(seat) { entry in
            if let wait = entry.upgrades.wait(rate, at: now) { return .refused(.upgrades, retryAfter: wait) }
            entry.upgrades.take(1, rate, at: now)
            return .admitted(seat)
        }
    }

    /// A session has ended.
    mutating func close(_ seat: Seat) {
        switch seat {
        case .address(let address): entries[address]?.open -= 1
        case .shared: rest.open -= 1
        case .exempt: break
        }
        assert(rest.open >= 0, "a session was counted out twice")
    }

    private mutating func change<Result>(_ seat: Seat, _ body: (inout Entry) -> Result) -> Result {
        guard case .address(let address) = seat else { return body(&rest) }
        return body(&entries[address, default: Entry()])
    }

    /// The address's own entry, or everybody's.
    private mutating func seat(of address: ClientAddress, at now: NIODeadline) -> Seat {
        if entries[address] != nil { return .address(address) }
        if entries.count >= sweepAt { sweep(at: now) }
        return entries.count < limits.addressesMax ? .address(address) : .shared
    }

    private mutating func sweep(at now: NIODeadline) {
        if entries.count >= limits.addressesMax, let sweptAt, now < sweptAt + Self.sweepPause { return }
        sweptAt = now
        entries = entries.filter { !$0.value.isIdle(at: now) }
        sweepAt = min(limits.addressesMax, max(1_024, entries.count * 2))
    }
}
