internal import Logging
internal import NIOCore
internal import NIOHTTP1
internal import Synchronization
internal import Telemetry

/// Lets addresses in, or not. Any thread: a `Mutex` guards the table, held for one look-up a handshake, upgrade or end of a session.
final class AddressLimiter: Sendable {
    private let limits: RateLimits
    private let proxies: [AddressBlock]
    private let isOn: Bool
    private let table: Mutex<AddressTable>
    private let hints = Mutex<NIODeadline?>(nil)
    private let addresses: Metric
    private let refused: [AddressTable.Limit: Metric]
    private let logger: Logger

    init(_ configuration: TransportConfiguration, metrics: MetricRegistry, logger: Logger) {
        limits = configuration.rateLimits
        proxies = configuration.trustedProxies
        isOn = limits.limitsAddresses
        table = Mutex(AddressTable(limits))
        self.logger = logger
        addresses = metrics.gauge("kdcube_rate_limit_addresses", "Addresses that are counted for the limits of addresses.")
        var refused: [AddressTable.Limit: Metric] = [:]
        for limit in AddressTable.Limit.allCases {
            refused[limit] = metrics.counter(
                "kdcube_sessions_refused_total", "Sessions and upgrades refused before they began, by what was full.",
                [("reason", "address_\(limit.rawValue)")])
        }
        self.refused = refused
    }

    /// Who asks; nil when that is not known.
    func client(of request: any EngineIORequest) -> ClientAddress? {
        guard isOn || !proxies.isEmpty, let peer = ClientAddress(request.remoteAddress) else { return nil }
        return proxies.client(of: peer, forwarded: request.head.headers["x-forwarded-for"])
    }

    /// - Parameter client: nil is nobody in particular, and all of those are one.
    func open(_ client: ClientAddress?, isUpgrade: Bool, at now: NIODeadline) -> AddressTable.Verdict {
        guard isOn else { return .admitted(.exempt) }
        let counted = client?.counted ?? ClientAddress(high: 0, low: 0)
        if limits.exemptsLoopback, counted.isLoopback { return .admitted(.exempt) }
        let (verdict, count) = table.withLock { ($0.open(counted, isUpgrade: isUpgrade, at: now), $0.count) }
        addresses.set(Int64(count))
        return note(verdict, of: counted, at: now)
    }

    /// - Parameter seat: of the session: a request that another node has sent on counts for its client, too.
    func upgrade(_ seat: AddressTable.Seat, at now: NIODeadline) -> AddressTable.Verdict {
        guard isOn, seat != .exempt else { return .admitted(seat) }
        return note(table.withLock { $0.upgrade(seat, at: now) }, of: nil, at: now)
    }

    func close(_ seat: AddressTable.Seat) {
        guard seat != .exempt else { return }
        table.withLock { $0.close(seat) }
    }

    private func note(_ verdict: AddressTable.Verdict, of client: ClientAddress?, at now: NIODeadline) -> AddressTable.Verdict {
        guard case .refused(let limit, _) = verdict else { return verdict }
        refused[limit]?.add()
        // A proxy that nobody has named looks like one very eager client: an operator has to be able to see that.
        guard let client, hint(at: now) else { return verdict }
        logger.notice(
            "an address is refused sessions; if it is a proxy, name it as trusted", metadata: ["address": "\(client)", "limit": "\(limit)"])
        return verdict
    }

    /// True once a minute.
    private func hint(at now: NIODeadline) -> Bool {
        hints.withLock { last in
            if let last, now < last + .minutes(1) { return false }
            last = now
            return true
        }
    }
}

extension AddressTable.Verdict {
    /// What a client is told that asked too soon. Clients of Socket.IO wait and try again; the body has the form that they know of refusals (E4).
    static func tooSoon(_ retryAfter: TimeAmount, _ fields: HTTPHeaders, isUpgrade: Bool) -> EngineIOResponse {
        var fields = fields
        fields.replaceOrAdd(name: "Retry-After", value: String(retryAfter.retryAfterSeconds))
        fields.add(name: "Content-Type", value: "application/json")
        if isUpgrade { fields.add(name: "Connection", value: "close") }
        let body = HandshakeRefusal.body(.forbidden, "Too many requests")
        return EngineIOResponse(status: .tooManyRequests, headers: fields, body: body, closesConnection: isUpgrade)
    }
}
