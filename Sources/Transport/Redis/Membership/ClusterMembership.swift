public import Logging
public import NIOCore
public import RedisClient
internal import Synchronization
public import Telemetry
public import Transport

/// One node's place among the nodes on a Redis: its id, which its sessions' ids begin with, and where the others are.
///
/// `start()` claims an id; `announce(uid:address:)` says where the node listens; `run()` beats every two seconds and reads the others,
/// until it is cancelled, and then says that the node leaves. While Redis is away everything that was known stays. Any thread; the state
/// is in a short `Mutex`. The decisions are in ADR 20.
public final class ClusterMembership: PeerDirectory, ClusterRoll {
    private struct State {
        var machine: MembershipMachine
        var peers: [UInt32: PeerAddress] = [:]
        var connection: RedisConnection
    }

    private let url: RedisURL
    private let eventLoop: any EventLoop
    private let logger: Logger
    private let state: Mutex<State>
    private let others: Metric
    private let contact: Metric
    /// Wakes the loop before its time.
    private let wakes: AsyncStream<Void>
    private let wake: AsyncStream<Void>.Continuation

    /// A member that is not known to others yet: ``start()`` makes it known.
    ///
    /// - Parameter eventLoop: carries its connection.
    public init(url: RedisURL, on eventLoop: any EventLoop, metrics: MetricRegistry, logger: Logger) {
        self.url = url
        self.eventLoop = eventLoop
        self.logger = logger
        var generator = SystemRandomNumberGenerator()
        let holder = String(UInt64.random(in: .min ... .max, using: &generator), radix: 36) + String(generator.next(), radix: 36)
        state = Mutex(
            State(
                machine: MembershipMachine(id: Self.randomID(), holder: holder),
                connection: RedisConnection(.init(url: url, logger: logger), on: eventLoop)))
        others = metrics.gauge("kdcube_cluster_nodes", "Other nodes of the cluster that are up")
        contact = metrics.gauge("kdcube_cluster_contact", "Whether the last beat of this node was answered by Redis")
        (wakes, wake) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1))
    }

    private static func randomID() -> UInt32 { UInt32.random(in: 0..<1 << 24) }

    // MARK: What is known

    /// This node's id. The one that it has after ``start()`` is for life.
    public var id: UInt32 { state.withLock { $0.machine.beat.id } }

    /// The other nodes that are up, by id.
    public var nodes: [ClusterNode] { state.withLock { $0.machine.nodes } }

    /// Where the node is, if it is there and can be reached.
    public func address(of node: UInt32) -> PeerAddress? { state.withLock { $0.peers[node] } }

    /// The ids by which nodes that are there speak in the cluster.
    public var uids: Set<String> {
        state.withLock { state in Set(state.machine.nodes.compactMap(\.uid) + [state.machine.beat.uid].compactMap { $0 }) }
    }

    /// How the table is, for whoever watches over the server.
    public var status: MembershipStatus {
        state.withLock { MembershipStatus(state: $0.machine.state, others: $0.machine.nodes.count) }
    }

    // MARK: Life

    /// Claims an id, with one answer of Redis or none: a server starts without its Redis, with an id at random that is claimed when Redis
    /// is there. Before `TransportConfiguration/nodeID` is set.
    public func start() async {
        let connection = state.withLock { $0.connection }
        do { try await connection.start() } catch {
            logger.error("the cluster's Redis cannot be reached; this node is alone until it can", metadata: ["fault": "\(error)"])
        }
        await beat()
        state.withLock { $0.machine.fix() }
    }

    /// Says where this node is, from now on. Nil leaves what was said before.
    public func announce(uid: String? = nil, address: PeerAddress? = nil) {
        state.withLock { $0.machine.announce(uid: uid, address: address) }
        wake.yield()
    }

    /// Beats until it is cancelled, then leaves. Once.
    public func run() async {
        await withDiscardingTaskGroup { group in
            group.addTask { [wake] in
                while !Task.isCancelled {
                    try? await Task.sleep(for: .milliseconds(MembershipLimits.beatMilliseconds))
                    wake.yield()
                }
                wake.finish()
            }
            for await _ in wakes {
                if Task.isCancelled { break }
                await beat()
            }
            group.cancelAll()
        }
        state.withLock { $0.machine.leave() }
        await beat()
        await state.withLock { $0.connection }.close()
    }

    private func beat() async {
        for _ in 0..<MembershipLimits.turnsMax {
            guard
                let (command, connection) = state.withLock({ state in
                    state.machine.mayBeat ? (MembershipTable.command(state.machine.beat), state.connection) : nil
                })
            else { return }
            var answer: MembershipTable.Answer?
            do {
                answer = MembershipTable.answer(try await connection.call(command))
            } catch .server(let error) where error.code == "MOVED" {
                // A Redis Cluster: the table is on another of its masters.
                if await move(from: connection, error) { continue }
            } catch {
                answer = nil
            }
            let now = Int64(clamping: NIODeadline.now().uptimeNanoseconds / 1_000_000)
            let actions = perform { machine in
                guard let answer else { return machine.failed() }
                return machine.answered(answer, at: now, spare: Self.randomID())
            }
            if !actions.contains(.tryAnotherID) { return }
        }
    }

    @discardableResult
    private func perform(_ change: (inout MembershipMachine) -> [MembershipMachine.Action]) -> [MembershipMachine.Action] {
        let (actions, status) = state.withLock { state in
            let actions = change(&state.machine)
            if actions.contains(.publish) {
                state.peers = Dictionary(
                    state.machine.nodes.compactMap { node in node.address.map { (node.id, $0) } }, uniquingKeysWith: { first, _ in first })
            }
            return (actions, MembershipStatus(state: state.machine.state, others: state.machine.nodes.count))
        }
        for action in actions {
            switch action {
            case .publish:
                others.set(Int64(status.others))
                contact.set(status.state == .member ? 1 : 0)
            case .tryAnotherID: break
            case .tellContactLost: logger.error("the cluster's Redis does not answer; what is known of the other nodes is kept")
            case .tellContactFound: logger.notice("the cluster's Redis answers again")
            case .tellIDLost: logger.error("another process has this node's id; restart this one")
            }
        }
        return actions
    }

    /// Follows a redirection of a Redis Cluster (`MOVED slot host:port`).
    private func move(from old: RedisConnection, _ error: RedisServerError) async -> Bool {
        guard let text = error.message.split(separator: " ").last, let target = PeerAddress(String(text)) else { return false }
        var there = url
        there.address = .tcp(host: target.host, port: target.port)
        // If it goes away, one of the others knows who has the table then.
        there.others = url.addresses.filter { $0 != there.address }
        let connection = RedisConnection(.init(url: there, logger: logger), on: eventLoop)
        let isCurrent = state.withLock { state in
            guard state.connection === old else { return false }
            state.connection = connection
            return true
        }
        guard isCurrent else { return true }
        await old.close()
        return (try? await connection.start()) != nil
    }
}
