import JSON
import NIOCore
import Synchronization
import Testing
import TransportWire

@testable import Transport

/// How long a session lives, and how long a socket may stay without another credential.
@Suite("Connection lifetime and expiry", .timeLimit(.minutes(1))) struct LifetimeTests {
    private func serve(
        lifetime: ConnectionLifetime? = nil, recovery: RecoveryPolicy? = nil, setUp: @escaping @Sendable (SocketIOServer) -> Void,
        _ body: @escaping @Sendable (TestServer) async throws -> Void
    ) async throws {
        let configuration = try TransportConfiguration(
            pingInterval: .seconds(30), pingTimeout: .milliseconds(120), origins: .any, recovery: recovery, connectionLifetime: lifetime)
        try await TestServer.socketIO(configuration, setUp: setUp, body)
    }

    /// The reasons for which sockets left, as they leave.
    private final class Reasons: Sendable {
        private let all = Mutex<[DisconnectReason]>([])
        func add(_ reason: DisconnectReason) { all.withLock { $0.append(reason) } }
        var value: [DisconnectReason] { all.withLock { $0 } }
    }

    @Test("a lifetime ends a little earlier by chance, never later, and is refused when it cannot be kept") func jitter() throws {
        let lifetime = try ConnectionLifetime(.seconds(100), jitter: 0.2)
        #expect(lifetime.time(0) == .seconds(100) && lifetime.time(1) == .seconds(80) && lifetime.time(0.5) == .seconds(90))
        #expect(try ConnectionLifetime(.seconds(10), jitter: 0).time(1) == .seconds(10))
        for (duration, jitter) in [
            (Duration.zero, 0.1), (.seconds(31 * 86_400), 0.1), (.seconds(1), -0.1), (.seconds(1), 1), (.seconds(1), .nan),
        ] {
            #expect(throws: TransportConfigurationError.self) { try ConnectionLifetime(duration, jitter: jitter) }
        }
    }

    @Test("R4: a session ends at its lifetime with what waits sent first; its client comes back recovered, and the middlewares are asked")
    func lifetime() async throws {
        let reasons = Reasons()
        let asked = Mutex(0)
        try await serve(lifetime: try ConnectionLifetime(.milliseconds(1_000)), recovery: try RecoveryPolicy()) { server in
            let main = server.namespace("/")
            main.use { _ throws(ConnectRefusal) in asked.withLock { $0 += 1 } }
            main.onConnect { socket in
                socket.join("room")
                socket.onDisconnect { reason in
                    reasons.add(reason)
                    socket.namespace.to("room").emit("missed")
                }
            }
        } _: { server in
            let client = RecoveringClient(server)
            try await client.connect()
            let id = await client.id
            #expect(try await server.shows("kdcube_sessions_closed_total{reason=\"lifetime_reached\"} 1"))
            let old = try #require(await client.abandon())
            var last: WebSocketEvent?
            while let event = try await old.event() { last = event }
            guard case .close(let code, _)? = last else {
                Issue.record("\(String(describing: last))")
                return
            }
            #expect(code == 1001)
            let missed = try await client.connect()
            #expect(missed == [["missed"]])
            let (recovered, found) = await (client.recovered, client.id)
            #expect(recovered && found == id)
            #expect(reasons.value.first == .lifetimeReached)
            // Skipping them would be what a lifetime is there to prevent.
            #expect(asked.withLock { $0 } == 2)
        }
    }

    @Test("without a lifetime a session lives on") func off() async throws {
        try await serve {
            _ = $0.namespace("/")
        } _: { server in
            let (socket, _) = try await server.openSocket()
            try await Task.sleep(for: .milliseconds(200))
            socket.say("40/x,")
            #expect(try await socket.text().hasPrefix("44/x,"))
        }
    }

    @Test("a socket that has expired may bring another credential within its grace, and stays; one that does not is disconnected")
    func expiry() async throws {
        let reasons = Reasons()
        try await serve { server in
            let main = server.namespace("/")
            main.onConnect { socket in
                socket.expires(after: .milliseconds(500), grace: .seconds(2))
                socket.onDisconnect { reasons.add($0) }
            }
            main.on("work") { socket, _, acknowledge in acknowledge?(.bool(!socket.isExpired)) }
            main.on("refresh") { socket, arguments, acknowledge in
                socket.expires(after: arguments.first.flatMap(\.integerValue).map { .milliseconds($0) }, grace: .milliseconds(300))
                acknowledge?()
            }
        } _: { server in
            let (lazy, _) = try await server.openSocket()
            let (eager, _) = try await server.openSocket()
            eager.say(#"421["work"]"#)
            #expect(try await eager.text() == "431[true]")
            try await Task.sleep(for: .milliseconds(550))
            eager.say(#"422["work"]"#)
            #expect(try await eager.text() == "432[false]")
            eager.say(#"423["refresh",3600000]"#)
            #expect(try await eager.text() == "433[]")
            eager.say(#"424["work"]"#)
            #expect(try await eager.text() == "434[true]")
            guard case .close(let code, _)? = try await lazy.event() else {
                Issue.record("no close frame")
                return
            }
            #expect(code == 1008)
            #expect(await eventually { reasons.value == [.expired] })
            #expect(try await server.shows("kdcube_sessions_closed_total{reason=\"connection_expired\"} 1"))
            // A nil lifts it for good.
            eager.say(#"425["refresh"]"#)
            #expect(try await eager.text() == "435[]")
            eager.say(#"426["work"]"#)
            #expect(try await eager.text() == "436[true]")
        }
    }

    @Test("a time of day that is past, with no grace, is the end at once; over polling too") func past() async throws {
        try await serve { server in
            server.namespace("/").on("expire") { socket, _, _ in socket.expires(at: 0) }
        } _: { server in
            let (socket, _) = try await server.openSocket()
            socket.say(#"42["expire"]"#)
            #expect(try await socket.closes())
            let sid = try await server.openPolling()
            #expect(try await server.post(sid, "40").status == 200)
            #expect(try await server.poll(sid).body.hasPrefix("40{"))
            async let poll = server.poll(sid)
            #expect(try await server.post(sid, #"42["expire"]"#).status == 200)
            #expect(try await poll.body == "1")
            #expect(try await server.shows("kdcube_sessions_closed_total{reason=\"connection_expired\"} 2"))
        }
    }

    @Test("a socket may expire for itself: the other namespaces of its session go on, and it may come again") func namespace() async throws
    {
        let reasons = Reasons()
        try await serve { server in
            _ = server.namespace("/")
            server.namespace("/watch").onConnect { socket in
                socket.expires(after: .milliseconds(50), ending: .namespace)
                socket.onDisconnect { reasons.add($0) }
            }
        } _: { server in
            let (socket, _) = try await server.openSocket()
            for _ in 0..<2 {
                socket.say("40/watch,")
                #expect(try await socket.text().hasPrefix("40/watch,"))
                #expect(try await socket.text() == "41/watch,")
            }
            #expect(reasons.value == [.serverNamespaceDisconnect, .serverNamespaceDisconnect])
            #expect(try await server.shows("kdcube_sockets 1"))
        }
    }

    @Test("R4: who has expired comes back recovered where the middlewares are asked again, and as a stranger where they are not")
    func recovery() async throws {
        for skips in [false, true] {
            try await serve(recovery: try RecoveryPolicy(skipMiddlewares: skips)) { server in
                let main = server.namespace("/")
                main.use { _ throws(ConnectRefusal) in () }
                main.on("expire") { socket, _, _ in socket.expires(after: .zero) }
            } _: { server in
                let client = RecoveringClient(server)
                try await client.connect()
                await client.emit(#"["expire"]"#)
                #expect(try await server.shows("kdcube_sockets 0"))
                try await client.connect()
                #expect(await client.recovered == !skips)
            }
        }
    }
}
