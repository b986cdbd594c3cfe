import JSON
import Testing
import Transport

/// What the public Engine.IO suites do in both revisions.
extension TransportConfiguration {
    /// A server as the suites expect it. Only the cases about the heartbeat want to meet it: `beats` gives it the suites' own times, but for
    /// `patience`, which is how long a client on a busy machine may take to answer.
    static func suite(
        path: String = "/engine.io/", beats: Bool, patience: Duration = .milliseconds(200), maxPayload: Int = 1_000_000,
        allowEIO3: Bool = false
    ) throws -> TransportConfiguration {
        try TransportConfiguration(
            path: path, pingInterval: beats ? .milliseconds(300) : .seconds(20), pingTimeout: beats ? patience : .seconds(20),
            maxPayload: maxPayload, connectTimeout: .seconds(20), origins: .any, allowEIO3: allowEIO3)
    }
}

extension TestServer {
    /// Parks a poll. One loop answers one connection after the other: that the noop is taken proves that the poll is there.
    func park(_ sid: String, noop: String = "6") async throws -> TestConnection {
        let parked = try await connect()
        parked.request("GET", polling(sid))
        try await parked.sent()
        #expect(try await post(sid, noop).status == 200)
        return parked
    }

    /// A WebSocket that has been probed for a session over polling (E30).
    func probe(_ sid: String) async throws -> TestConnection {
        let socket = try await openWebSocket(sid: sid)
        socket.say("2probe")
        #expect(try await socket.text() == "3probe")
        return socket
    }

    /// A WebSocket whose open packet has been read.
    func openedWebSocket() async throws -> TestConnection {
        let socket = try await openWebSocket()
        _ = try await socket.text()
        return socket
    }

    /// A WebSocket ends with the client's close packet (E15).
    func expectCloses() async throws {
        let socket = try await openedWebSocket()
        socket.say("1")
        #expect(try await socket.closes())
    }

    /// A session has moved to a WebSocket for good: polling is refused, another WebSocket is accepted and closed, and this one goes on (E32).
    func expectMoved(_ sid: String, to socket: TestConnection) async throws {
        let refusal = try await poll(sid)
        #expect(refusal.status == 400 && refusal.body == #"{"code":3,"message":"Bad request"}"#)
        #expect(try await openWebSocket(sid: sid).closes())
        socket.say("4hello")
        #expect(try await socket.text() == "4hello")
    }
}

/// The open packet has exactly the five keys, with the suites' values (E9).
func expectOpen(_ packet: String, upgrades: JSONValue) throws {
    #expect(packet.hasPrefix("0"))
    let open = try JSONValue(parsing: String(packet.dropFirst()))
    #expect(open.objectValue?.members.map(\.key) == ["sid", "upgrades", "pingInterval", "pingTimeout", "maxPayload"])
    #expect(open["sid"]?.stringValue?.utf8.count == 20)
    #expect(open["upgrades"] == upgrades)
    #expect(open["pingInterval"] == 300 && open["pingTimeout"] == 200 && open["maxPayload"] == 1_000_000)
}
