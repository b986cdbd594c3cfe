import Accounting
import NIOPosix
import Testing

@testable import AccountingRedis
@testable import RedisClient

/// Three masters of a Redis Cluster on loopback, each with a third of the slots.
final class RedisClusterRig {
    let servers: [RedisServer]
    let links: [RedisConnection]
    let ids: [String]

    init() async throws {
        var servers: [RedisServer] = []
        var links: [RedisConnection] = []
        var buses: [Int] = []
        for _ in 0..<3 {
            let bus = try RedisServer.freePort()
            buses.append(bus)
            servers.append(
                try await RedisServer(options: [
                    "--cluster-enabled", "yes", "--cluster-config-file", "nodes.conf", "--cluster-port", "\(bus)",
                    "--cluster-node-timeout", "5000", "--cluster-require-full-coverage", "no",
                ]))
        }
        for server in servers {
            var configuration = RedisConnection.Configuration(url: server.url, logger: quiet)
            configuration.deadlineMilliseconds = 10_000
            let link = RedisConnection(configuration, on: MultiThreadedEventLoopGroup.singleton.next())
            try await link.start()
            links.append(link)
        }
        let bounds = [0, 5_461, 10_923, RedisSlots.count]
        for (index, link) in links.enumerated() {
            _ = try await link.call(RedisCommand("CLUSTER", "ADDSLOTSRANGE", "\(bounds[index])", "\(bounds[index + 1] - 1)"))
            _ = try await link.call(RedisCommand("CLUSTER", "SET-CONFIG-EPOCH", "\(index + 1)"))
        }
        for (server, bus) in zip(servers.dropFirst(), buses.dropFirst()) {
            _ = try await links[0].call(RedisCommand("CLUSTER", "MEET", "127.0.0.1", "\(server.port)", "\(bus)"))
        }
        var ids: [String] = []
        for link in links { ids.append(try await link.call(RedisCommand("CLUSTER", "MYID")).string ?? "") }
        (self.servers, self.links, self.ids) = (servers, links, ids)
        try await settled { slots in slots.masters.count == 3 }
    }

    /// Waits until every node is well and sees the map that is meant.
    func settled(_ isMeant: (RedisSlots) -> Bool) async throws {
        let deadline = ContinuousClock.now + .seconds(30)
        for link in links {
            while true {
                let info = try await link.call(RedisCommand("CLUSTER", "INFO")).string ?? ""
                let answer = try await link.call(RedisCommand("CLUSTER", "SLOTS"))
                let slots = try #require(RedisSlots(answer, asked: link.configuration.url.address))
                if info.contains("cluster_state:ok"), isMeant(slots) { break }
                try #require(ContinuousClock.now < deadline, "the cluster does not settle: \(info)")
                try await Task.sleep(for: .milliseconds(20))
            }
        }
    }

    /// Moves the org's slot with all its keys, as `redis-cli --cluster reshard` does.
    func move(org: CounterSlot, to target: Int) async throws {
        let slot = "\(RedisSlots.slot(tag: org.name))"
        let source = try #require(await owner(of: org))
        _ = try await links[target].call(RedisCommand("CLUSTER", "SETSLOT", slot, "IMPORTING", ids[source]))
        _ = try await links[source].call(RedisCommand("CLUSTER", "SETSLOT", slot, "MIGRATING", ids[target]))
        let keys = try await links[source].call(RedisCommand("CLUSTER", "GETKEYSINSLOT", slot, "1000")).elements ?? []
        for key in keys.compactMap(\.string) {
            _ = try await links[source].call(
                RedisCommand("MIGRATE", "127.0.0.1", "\(servers[target].port)", key, "0", "5000"))
        }
        for node in [target, source] { _ = try await links[node].call(RedisCommand("CLUSTER", "SETSLOT", slot, "NODE", ids[target])) }
    }

    /// The node that holds the org's keys, by asking all.
    func owner(of org: CounterSlot) async -> Int? {
        for (index, link) in links.enumerated() {
            if let found = try? await link.call(RedisCommand("EXISTS", "{\(org)}:epoch")).number, found == 1 { return index }
        }
        return nil
    }

    func close() async { for link in links { await link.close() } }
}

@Suite("Counters in a Redis Cluster", .serialized)
struct RedisClusterTests {
    @Test("the slot of an org is Redis' own")
    func slots() async throws {
        let server = try await RedisServer(options: ["--cluster-enabled", "yes", "--cluster-port", "\(try RedisServer.freePort())"])
        let link = RedisConnection(.init(url: server.url, logger: quiet), on: MultiThreadedEventLoopGroup.singleton.next())
        try await link.start()
        #expect(link.isCluster)
        for org in ["acme", "a", "Zürich:7", "123456789", "x_y.z"] as [CounterSlot] {
            let slot = try await link.call(RedisCommand("CLUSTER", "KEYSLOT", "{\(org)}:w:org:\(org):usd:day:2026-11-23")).number
            #expect(slot == Int64(RedisSlots.slot(tag: org.name)), "\(org)")
        }
        await link.close()
    }

    @Test("orgs on three masters: whole paths in one call, rows in the ledger, a moved slot is a new life")
    func threeMasters() async throws {
        let rig = try await RedisClusterRig()
        let ledger = FaultyLedger()
        let orgs = try (0..<12).map { try CounterSlot("org\($0)") }
        let node = try await RedisNode(rig.servers[0], ledger: ledger, orgs: orgs)
        var owners: Set<Int> = []
        for org in orgs {
            owners.insert(try #require(await rig.owner(of: org)))
            try await Self.spend(100, of: org, on: node)
            try await node.outbox.flush(org: org)
            let sum = try await ledger.sum(.org(org.org), from: Milliseconds(0), to: WindowSpan.never)
            #expect(sum.usage.total == 100, "\(org)")
        }
        #expect(owners == [0, 1, 2], "twelve orgs lie on all masters")
        guard case .reaped = try await node.store.apply(.reap(org: nil, grace: Milliseconds(0))) else {
            Issue.record("no reap over all masters")
            return
        }

        let org = orgs[0]
        let source = try #require(await rig.owner(of: org))
        let before = node.store.incarnation(org: org)
        let target = (source + 1) % 3
        try await rig.move(org: org, to: target)
        try await rig.settled { $0.master(of: RedisSlots.slot(tag: org.name)) == rig.servers[target].url.address }
        // The counters arrived, but in another process: nothing is decided before the root has sealed the life that ended.
        let window = Given.window(.org(org.org), .tokens, cap: 1_000)
        guard case .lost = try await node.store.apply(.read(org: org, windows: [window.key])) else {
            Issue.record("a moved slot was taken for the same life")
            return
        }
        #expect(!node.store.incarnation(org: org).isEmpty && node.store.incarnation(org: org) != before)
        try await node.begin(org, epoch: 2)
        try await Self.spend(50, of: org, on: node, lease: "second")
        try await node.outbox.flush(org: org)
        #expect(await ledger.rows.values.filter { $0.attribution.path.org == org.org }.map(\.usage.total).reduce(0, +) == 150)
        #expect(await rig.owner(of: org) == target)

        // A master that is away takes its orgs with it and no others.
        rig.servers[source].freeze()
        defer { rig.servers[source].thaw() }
        #expect(node.store.incarnation(org: org) != "")
        try await Self.spend(10, of: org, on: node, lease: "third")
        rig.servers[source].thaw()
        await node.outbox.close()
        await node.connection.close()
        await rig.close()
    }

    @Test("a start by several seeds of which one is away, and the way on when the one that answered dies")
    func seeds() async throws {
        let rig = try await RedisClusterRig()
        let dead = RedisURL.Address.tcp(host: "127.0.0.1", port: try RedisServer.freePort())
        let url = RedisURL(address: dead, others: rig.servers.map(\.url.address))
        let ledger = FaultyLedger()
        let orgs = try (0..<12).map { try CounterSlot("org\($0)") }
        let node = try await RedisNode(url, ledger: ledger, orgs: orgs)
        #expect(node.connection.isCluster && node.connection.address == rig.servers[0].url.address)
        var survivors: [CounterSlot] = []
        for org in orgs where try #require(await rig.owner(of: org)) != 0 { survivors.append(org) }
        #expect(!survivors.isEmpty)

        rig.servers[0].kill()
        // The connection goes on to the next seed by itself.
        #expect(await eventually { node.connection.health == .ready && node.connection.address == rig.servers[1].url.address })
        #expect(node.connection.isCluster)
        for org in survivors { try await Self.spend(10, of: org, on: node) }
        // A second process starts meanwhile, with the same list, and finds the masters that are there.
        let second = try await RedisNode(url, ledger: ledger, name: "b", orgs: survivors, begins: false)
        for org in survivors {
            try await second.outbox.flush(org: org)
            #expect(second.store.incarnation(org: org) == node.store.incarnation(org: org))
        }
        for node in [node, second] {
            await node.outbox.close()
            await node.connection.close()
        }
        await rig.close()
    }

    @Test("a burst of first calls waits for the masters, and not one of them fails")
    func firstCalls() async throws {
        let rig = try await RedisClusterRig()
        let orgs = try (0..<12).map { try CounterSlot("org\($0)") }
        for round in 0..<10 {
            let node = try await RedisNode(rig.servers[round % 3], ledger: FaultyLedger(), name: "n\(round)", orgs: orgs, begins: false)
            let faults = await withTaskGroup(of: RedisFault?.self) { group in
                for index in 0..<600 {
                    group.addTask {
                        let org = orgs[index % orgs.count]
                        // In waves: some come when the map of slots is known and no master is connected to yet.
                        for _ in 0..<index / orgs.count { await Task.yield() }
                        do throws(RedisFault) {
                            _ = try await node.outbox.masters.call(RedisCommand("EXISTS", "{\(org)}:epoch"), org: org)
                        } catch { return error }
                        return nil
                    }
                }
                return await group.reduce(into: []) { if let fault = $1 { $0.append(fault) } }
            }
            #expect(faults.isEmpty, "\(faults.count) of 600: \(faults.first.map { "\($0)" } ?? "")")
            await node.outbox.close()
            await node.connection.close()
        }
        await rig.close()
    }

    @Test("several addresses that are no cluster are refused, and no counters are kept there")
    func noCluster() async throws {
        let servers = [try await RedisServer(), try await RedisServer()]
        let url = RedisURL(address: servers[0].url.address, others: [servers[1].url.address])
        var configuration = RedisConnection.Configuration.counters(url: url, logger: quiet)
        configuration.backoff = RedisBackoff(first: 5, longest: 40)
        let connection = RedisConnection(configuration, on: MultiThreadedEventLoopGroup.singleton.next())
        await #expect(throws: RedisFault.notCluster("127.0.0.1:\(servers[0].port)")) { try await connection.start() }
        let fault = await #expect(throws: RedisFault.self) { try await connection.call(RedisCommand("SET", "k", "v")) }
        guard case .notCluster = fault else { return #expect(Bool(false), "\(String(describing: fault))") }
        await connection.close()
    }

    /// One run of `tokens` tokens under windows of two scopes.
    private static func spend(_ tokens: Int64, of org: CounterSlot, on node: RedisNode, lease: String = "first") async throws {
        let path = [
            Given.window(.org(org.org), .tokens, cap: 1_000), Given.window(.project(org: org.org, project: "web"), .requests, cap: 10),
        ]
        for window in path { _ = try await node.store.apply(.load(org: org, window: window, used: 0)) }
        let key = LeaseKey(org: org, id: "\(org).\(lease)")
        let open = OpenLease(
            lease: key, holder: Given.holder, attribution: try Given.attribution(org: org.org, run: lease), path: path,
            fixed: Amounts(requests: 1), offers: Given.offers(tokens, price: 1), shareFloor: 1_000, ttl: Milliseconds(30_000))
        guard case .granted = try await node.store.apply(.open(open)) else {
            Issue.record("\(org) was refused")
            return
        }
        let spent = Spent(nanoUSD: tokens, usage: UsageClasses(outputVisible: tokens), requests: 1)
        let reply = try await node.store.apply(.settle(SettleLease(lease: key, holder: Given.holder, sequence: 1, spent: spent)))
        guard case .settled(let overrun, _, _) = reply else {
            Issue.record("\(org) was not settled: \(reply)")
            return
        }
        #expect(overrun == .zero)
    }
}
