import JSON
import NIOCore
import Synchronization
import Testing
import Transport
import TransportWire

/// Attack 26 over real connections: floods of events, of sessions and of upgrades.
@Suite("Attack 26: rate limits", .serialized, .timeLimit(.minutes(1))) struct RateLimitTests {
    /// So slow that no test waits for a token, and none comes in between.
    private static let period = Duration.seconds(3_600)
    private static let origin = "X-Forwarded-For: "

    private func serve(
        _ limits: @Sendable (inout RateLimits) throws -> Void, trusted: [String] = [], loops: Int = 1,
        recovery: RecoveryPolicy? = nil,
        setUp: @escaping @Sendable (SocketIOServer) -> Void = { _ = $0.namespace("/") },
        _ body: @escaping @Sendable (TestServer) async throws -> Void
    ) async throws {
        var rates = RateLimits()
        rates.exemptsLoopback = false
        try limits(&rates)
        let configuration = try TransportConfiguration(
            pingInterval: .seconds(30), pingTimeout: .seconds(20), origins: .any, recovery: recovery, rateLimits: rates,
            trustedProxies: trusted.map { try AddressBlock($0) })
        try await TestServer.socketIO(configuration, loops: loops, setUp: setUp, body)
    }

    private func open(_ server: TestServer, _ headers: [String] = []) async throws -> TestConnection.Answer {
        try await server.ask("GET", server.base + "&transport=polling", headers)
    }

    // MARK: Of a session

    @Test("attack 26: a flood of events is handled up to the burst, the rest is answered rate_limited, and the socket lives on")
    func drop() async throws {
        let handled = Mutex(0)
        try await serve {
            $0.events = try .init(1, per: Self.period, burst: 51)
        } setUp: { server in
            let main = server.namespace("/")
            main.on("work") { _, _, acknowledge in
                handled.withLock { $0 += 1 }
                acknowledge?("done")
            }
        } _: { server in
            let (socket, _) = try await server.openSocket()
            for index in 0..<80 { socket.say("42\(index)[\"work\"]") }
            for index in 0..<50 { #expect(try await socket.text() == "43\(index)[\"done\"]") }
            for index in 50..<80 {
                let text = try await socket.text()
                #expect(text.hasPrefix("43\(index)["))
                let answer = try JSONValue(parsing: String(text.drop { $0 != "[" })).arrayValue?.first
                #expect(answer?["ok"] == false && answer?["error"]?["code"] == "rate_limited", "\(text)")
                guard case .number(let wait)? = answer?["error"]?["retry_after"] else {
                    Issue.record("\(text)")
                    return
                }
                #expect(try #require(Double(wait)) > 3_000 && #require(Double(wait)) <= 3_600)
            }
            #expect(handled.withLock { $0 } == 50)
            #expect(try await server.shows("kdcube_packets_limited_total{limit=\"events\",outcome=\"dropped\"} 30"))
            #expect(try await server.shows("kdcube_sockets 1"))
        }
    }

    @Test("attack 26: who does not stop is disconnected with a reason of its own, and is nobody's lost connection") func disconnect()
        async throws
    {
        let (reasons, report) = AsyncStream.makeStream(of: DisconnectReason.self)
        try await serve {
            $0.events = try .init(1, per: Self.period, burst: 10)
        } setUp: { server in
            server.namespace("/").onConnect { socket in socket.onDisconnect { report.yield($0) } }
        } _: { server in
            let (socket, _) = try await server.openSocket()
            for _ in 0..<(10 + TransportLimits.droppedPacketsMax) { socket.say(#"42["x"]"#) }
            var last: WebSocketEvent?
            while let event = try await socket.event() { last = event }
            guard case .close(let code, _)? = last else {
                Issue.record("\(String(describing: last))")
                return
            }
            #expect(code == 1008)
            var iterator = reasons.makeAsyncIterator()
            #expect(await iterator.next() == .rateLimited)
            #expect(try await server.shows("kdcube_sessions_closed_total{reason=\"rate_limited\"} 1"))
            #expect(try await server.shows("kdcube_packets_limited_total{limit=\"events\",outcome=\"disconnected\"} 1"))
        }
        #expect(DisconnectReason.rateLimited.rawValue == "rate limited")
    }

    @Test("attack 26, R4: after the strict policy's disconnection a client begins anew, over polling as well") func strict() async throws {
        try await serve(
            {
                $0.events = try .init(1, per: Self.period, burst: 2)
                $0.onExceeded = .disconnect
            }, recovery: try RecoveryPolicy()
        ) { server in
            let client = RecoveringClient(server)
            try await client.connect()
            for _ in 0..<3 { await client.emit(#"["x"]"#) }
            #expect(try await server.shows("kdcube_sockets 0"))
            try await client.connect()
            #expect(await client.recovered == false)
            let sid = try await server.openPolling()
            #expect(try await server.post(sid, ["40", #"42["x"]"#, #"42["x"]"#].joined(separator: "\u{1E}")).status == 200)
            #expect(try await server.poll(sid).status == 400)
            #expect(try await server.shows("kdcube_sessions_closed_total{reason=\"rate_limited\"} 2"))
        }
    }

    @Test("attack 26: attempts to join and acknowledgements that nobody waits for count; those that somebody waits for do not")
    func kinds() async throws {
        let answers = Tally()
        try await serve {
            $0.events = try .init(1, per: Self.period, burst: 3)
        } setUp: { server in
            server.namespace("/").onConnect { socket in
                for _ in 0..<20 {
                    Task {
                        guard (try? await socket.emitWithAck("ask")) != nil else { return }
                        if answers.next() == 20 { socket.emit("all") }
                    }
                }
            }
        } _: { server in
            let (socket, _) = try await server.openSocket()
            for _ in 0..<20 {
                let question = try await socket.text()
                let id = question.dropFirst(2).prefix { $0.isNumber }
                socket.say("43\(id)[]")
            }
            #expect(try await socket.text() == #"42["all"]"#)
            // Two are left: unasked answers take them.
            for _ in 0..<5 { socket.say("43999999[]") }
            socket.say("40/other,")
            let refusal = try await socket.text()
            #expect(refusal.hasPrefix(#"44/other,{"message":"Too many packets."#) && refusal.contains(#""code":"rate_limited""#))
            // Leaving is free.
            socket.say("41")
            #expect(try await server.shows("kdcube_sockets 0"))
        }
    }

    @Test("attack 26: bytes are limited, attachments with their packet, and an application sets what an event costs") func bytes()
        async throws
    {
        let refused = Mutex<[String]>([])
        try await serve {
            $0.bytes = try .init(1, per: Self.period, burst: 4_096)
            $0.events = try .init(1, per: Self.period, burst: 10)
            $0.eventCost = { namespace, event in namespace == "/" && event == "dear" ? 5 : 0 }
        } setUp: { server in
            let main = server.namespace("/")
            main.on("blob") { _, arguments, acknowledge in
                acknowledge?(.bool(arguments.first == .bytes([UInt8](repeating: 7, count: 4_000))))
            }
            main.on("cheap") { _, _, acknowledge in acknowledge?(true) }
            main.on("dear") { _, _, acknowledge in acknowledge?(true) }
            main.onRefusedEvent { _, event, refusal in
                refused.withLock { $0.append("\(event.name) \(refusal.data?["code"]?.stringValue ?? "")") }
            }
        } _: { server in
            let (dear, _) = try await server.openSocket()
            for index in 0..<4 { dear.say("42\(index)[\"dear\"]") }
            #expect(try await dear.text() == "430[true]")
            #expect(try await dear.text() == "431[true]")
            for index in 2..<4 { #expect(try await dear.text().hasPrefix("43\(index)[{\"ok\":false")) }
            dear.say(#"429["cheap"]"#)
            #expect(try await dear.text() == "439[true]")
            let (socket, _) = try await server.openSocket()
            let blob = #"451-7["blob",{"_placeholder":true,"num":0}]"#
            for _ in 0..<2 {
                socket.say(blob)
                socket.send(frame: .binary, ByteBuffer(repeating: 7, count: 4_000))
            }
            #expect(try await socket.text() == "437[true]")
            // What is left of the burst lets one more begin, which is owed then.
            #expect(try await socket.text() == "437[true]")
            socket.say(blob)
            socket.send(frame: .binary, ByteBuffer(repeating: 7, count: 4_000))
            #expect(try await socket.text().hasPrefix("437[{\"ok\":false"))
            #expect(refused.withLock { $0 } == ["dear rate_limited", "dear rate_limited", "blob rate_limited"])
            #expect(try await server.shows("kdcube_packets_limited_total{limit=\"bytes\",outcome=\"dropped\"} 1"))
        }
    }

    // MARK: Of an address

    @Test("attack 26: sessions of an address beyond its burst are 429 with Retry-After and a body that clients know") func handshakes()
        async throws
    {
        try await serve {
            $0.sessions = try .init(1, per: Self.period, burst: 5)
        } _: { server in
            for _ in 0..<5 { #expect(try await open(server).status == 200) }
            let refused = try await open(server, ["Origin: https://app.example"])
            #expect(refused.status == 429 && Int(refused.header("retry-after") ?? "") ?? 0 > 3_000)
            #expect(refused.body == #"{"code":4,"message":"Too many requests"}"#)
            // A page can read why.
            #expect(refused.header("access-control-allow-origin") == "*")
            let socket = try await server.connect()
            #expect(try await socket.upgrade(server.base + "&transport=websocket") == 429)
            #expect(await socket.ends())
            #expect(try await server.shows("kdcube_sessions_refused_total{reason=\"address_sessions\"} 2"))
            #expect(try await server.shows("kdcube_connections 5"))
        }
    }

    @Test("attack 26: upgrades of sessions that are there count for whoever opened them, and the session stays on polling") func upgrades()
        async throws
    {
        try await serve({ $0.upgrades = try .init(1, per: Self.period, burst: 2) }, loops: 2) { server in
            let sid = try await server.openPolling()
            for _ in 0..<2 { _ = try await server.openWebSocket(sid: sid) }
            let third = try await server.connect()
            #expect(try await third.upgrade(server.base + "&transport=websocket&sid=\(sid)") == 429)
            #expect(try await server.post(sid, "40").status == 200)
            #expect(try await server.poll(sid).status == 200)
            #expect(try await server.shows("kdcube_sessions_refused_total{reason=\"address_upgrades\"} 1"))
        }
    }

    @Test("attack 26: open sessions of an address are bounded, and a place is free when one has ended") func openSessions() async throws {
        try await serve {
            $0.openSessionsMax = 3
        } _: { server in
            let sockets = [try await server.openSocket().0, try await server.openSocket().0]
            let sid = try await server.openPolling()
            let refused = try await open(server)
            #expect(refused.status == 429 && refused.header("retry-after") == "10")
            #expect(try await server.post(sid, "1").status == 200)
            #expect(try await server.shows("kdcube_connections 2"))
            #expect(try await open(server).status == 200)
            #expect(try await open(server).status == 429)
            for socket in sockets { socket.close() }
            #expect(try await server.shows("kdcube_connections 1"))
            for _ in 0..<2 { #expect(try await open(server).status == 200) }
        }
    }

    @Test("attack 26: behind a trusted proxy each client is one, whatever it claims; a stranger's claim is not believed") func proxies()
        async throws
    {
        let limits: @Sendable (inout RateLimits) throws -> Void = { $0.sessions = try .init(1, per: Self.period, burst: 1) }
        let addresses = Mutex<[String]>([])
        try await serve(
            limits, trusted: ["127.0.0.1"],
            setUp: { server in
                server.namespace("/").onConnect { socket in addresses.withLock { $0.append(socket.handshake.address) } }
            }
        ) { server in
            #expect(try await open(server, [Self.origin + "192.0.2.1"]).status == 200)
            #expect(try await open(server, [Self.origin + "192.0.2.2"]).status == 200)
            #expect(try await open(server, [Self.origin + "198.51.100.9, 192.0.2.1"]).status == 429)
            // One /64 is one client.
            #expect(try await open(server, [Self.origin + "2001:db8::1"]).status == 200)
            #expect(try await open(server, [Self.origin + "2001:db8::2"]).status == 429)
            let socket = try await server.connect()
            let target = server.base + "&transport=websocket"
            #expect(try await socket.upgrade(target, [Self.origin + "192.0.2.3"]) == 101)
            _ = try await socket.text()
            socket.say("40")
            _ = try await socket.text()
            #expect(addresses.withLock { $0 } == ["192.0.2.3"])
        }
        try await serve(limits) { server in
            let first = try await open(server, [Self.origin + "192.0.2.1"])
            #expect(first.status == 200)
            #expect(try await open(server, [Self.origin + "192.0.2.2"]).status == 429)
        }
    }

    @Test("attack 26: the machine itself has no limits of addresses unless they are asked for, and the library has none at all")
    func exempt() async throws {
        try await serve {
            $0.exemptsLoopback = true
            $0.sessions = try .init(1, per: Self.period, burst: 1)
            $0.openSessionsMax = 1
        } _: { server in
            for _ in 0..<20 {
                let answer = try await open(server)
                #expect(answer.status == 200)
            }
            #expect(try await server.shows("kdcube_rate_limit_addresses 0"))
        }
        let none = RateLimits()
        #expect(none.events == nil && none.bytes == nil && none.sessions == nil && none.upgrades == nil && none.openSessionsMax == nil)
    }
}

/// Counts from one, in any task.
private final class Tally: Sendable {
    private let count = Atomic<Int>(0)

    func next() -> Int { count.add(1, ordering: .relaxed).newValue }
}
