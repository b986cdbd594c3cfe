internal import AsyncHTTPClient
internal import NIOCore
internal import Synchronization

/// HTTP clients, each for one host at one address that was checked: the name is not looked up again when it connects.
///
/// The client of a host has that address in its `dnsOverride`, so that TLS still asks for, and verifies, the name. State is in a
/// short `Mutex`.
final class PinnedClients: Sendable {
    private struct Key: Hashable {
        let host: String
        let address: IPAddress
    }

    private struct Entry {
        let client: HTTPClient
        var users = 0
        /// Of ``State/uses``; the smallest of those without users goes first.
        var lastUse = 0
    }

    private struct State {
        var entries: [Key: Entry] = [:]
        var uses = 0
        var isShutDown = false
    }

    private let group: any EventLoopGroup
    private let state = Mutex(State())

    init(group: any EventLoopGroup) { self.group = group }

    /// Lends the client for `host` at `address` while `body` runs.
    ///
    /// - Throws: ``OutboundError/tooManyHosts`` when all places are in use; what `body` throws.
    func with<Result>(
        host: String, address: IPAddress, _ body: (HTTPClient) async throws -> Result
    ) async throws -> Result {
        let key = Key(host: host, address: address)
        let (client, evicted) = try state.withLock { try take(key, &$0) }
        defer { state.withLock { $0.entries[key]?.users -= 1 } }
        // Nobody uses it: there is nothing to wait for but its idle connections.
        if let evicted { Task { try? await evicted.shutdown() } }
        return try await body(client)
    }

    private func take(_ key: Key, _ state: inout State) throws(OutboundError) -> (HTTPClient, HTTPClient?) {
        guard !state.isShutDown else { throw .shutDown }
        state.uses += 1
        if var entry = state.entries[key] {
            entry.users += 1
            entry.lastUse = state.uses
            state.entries[key] = entry
            return (entry.client, nil)
        }
        var evicted: HTTPClient?
        if state.entries.count >= AdapterLimits.pinnedHostsMax {
            let idle = state.entries.filter { $0.value.users == 0 }.min { $0.value.lastUse < $1.value.lastUse }
            guard let idle else { throw .tooManyHosts }
            evicted = state.entries.removeValue(forKey: idle.key)?.client
        }
        let client = HTTPClient(eventLoopGroupProvider: .shared(group), configuration: Self.configuration(key.host, key.address))
        state.entries[key] = Entry(client: client, users: 1, lastUse: state.uses)
        return (client, evicted)
    }

    private static func configuration(_ host: String, _ address: IPAddress) -> HTTPClient.Configuration {
        var configuration = HTTPClient.Configuration(redirectConfiguration: .disallow, decompression: .disabled)
        configuration.dnsOverride = [host: address.description]
        configuration.timeout.connect = .nanoseconds(AdapterLimits.connectTimeout.nanoseconds)
        configuration.connectionPool.idleTimeout = .nanoseconds(AdapterLimits.connectionIdle.nanoseconds)
        // A refused connection is told at once, and nothing that may have an effect is sent twice.
        configuration.connectionPool.retryConnectionEstablishment = false
        return configuration
    }

    /// Ends the connections. Calls that run fail.
    func shutdown() async {
        let clients = state.withLock { state in
            state.isShutDown = true
            defer { state.entries.removeAll() }
            return state.entries.values.map(\.client)
        }
        for client in clients { try? await client.shutdown() }
    }
}

extension Duration {
    /// Whole nanoseconds, clamped to `Int64`.
    var nanoseconds: Int64 {
        let (seconds, attoseconds) = components
        let (product, overflow) = seconds.multipliedReportingOverflow(by: 1_000_000_000)
        guard !overflow else { return seconds < 0 ? .min : .max }
        let (sum, sumOverflow) = product.addingReportingOverflow(attoseconds / 1_000_000_000)
        return sumOverflow ? (seconds < 0 ? .min : .max) : sum
    }
}
