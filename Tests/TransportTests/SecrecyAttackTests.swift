import JSON
import Logging
import NIOCore
import Synchronization
import Testing
import TransportWire

@testable import Transport

/// What must not leave the server, and what must not be believed.
@Suite("Attacks: secrecy and compression", .timeLimit(.minutes(1)))
struct SecrecyAttackTests {
    @Test("Attack 23: at the finest level the log holds no session id, token, key, query, header or payload") func logScrub() async throws {
        let capture = LogCapture()
        let secret = "s3cr3t"
        let configuration = try TestServer.configuration(pingInterval: .seconds(20), pingTimeout: .seconds(20), origins: .sameHost())
        var secrets = [secret]
        let sids = SecretList()
        try await TestServer.socketIO(configuration, logger: capture.logger) { server in
            let main = server.namespace("/")
            main.use { handshake throws(ConnectRefusal) in
                if handshake.auth["token"]?.stringValue == "kd-\(secret)-bad" { throw ConnectRefusal(message: "unauthorized") }
                return ()
            }
            main.on("x") { socket, arguments, acknowledge in acknowledge?.send(arguments) }
        } _: { server in
            let authorized = ["Authorization: Bearer kd-\(secret)", "Cookie: session=\(secret)", "x-api-key: kd-\(secret)"]
            // A good session over polling, and its bad end.
            let sid = try await server.openPolling()
            sids.add(sid)
            _ = try await server.ask("POST", server.polling(sid) + "&token=\(secret)", authorized, body: #"40{"token":"kd-\#(secret)"}"#)
            _ = try await server.poll(sid)
            _ = try await server.post(sid, #"420["x","\#(secret)"]"#)
            _ = try await server.post(sid, "z\(secret)")
            // Refusals with a code each.
            for query in ["&transport=\(secret)", "&transport=polling&sid=\(secret)", "&transport=polling&EIO=\(secret)"] {
                #expect(try await server.ask("GET", server.base + query, authorized).status == 400)
            }
            #expect(try await server.ask("GET", server.base + "&transport=polling", ["Origin: https://\(secret).example"]).status == 403)
            // Namespaces, refused credentials, malformed packets and frames over a WebSocket.
            let refused = try await server.openWebSocket()
            sids.add(try await refused.text())
            refused.say(#"40{"token":"kd-\#(secret)-bad"}"#)
            #expect(try await refused.text().hasPrefix("44"))
            refused.say("40/\(secret),")
            #expect(try await refused.text().hasPrefix("44"))
            refused.say("42[\(secret)")
            #expect(try await refused.closes())
            let broken = try await server.openWebSocket()
            _ = try await broken.text()
            broken.send(ByteBuffer(string: "\u{7F}\(secret)"))
            #expect(try await broken.closes())
            // HTTP that is none, and a route whose error holds what the client sent.
            let rubbish = try await server.connect()
            rubbish.send("GET /\(secret) NONSENSE\r\n\r\n")
            #expect(try await rubbish.answer().status == 400)
            #expect(try await server.ask("GET", "/fail?key=\(secret)", authorized).status == 500)
            #expect(try await server.shows("kdcube_connections 0"))
        }
        #expect(sids.all.count == 2 && sids.all.allSatisfy { $0.utf8.count == 20 })
        secrets += sids.all
        let lines = capture.text
        // The test can fail: these places do log.
        for event in ["request refused", "session closed", "request failed"] { #expect(lines.contains { $0.contains(event) }, "\(event)") }
        for line in lines { for secret in secrets { #expect(!line.contains(secret), "\(line)") } }
    }

    @Test("Attack 19: no compression of frames is agreed to, and a frame that claims it closes with 1002") func frameCompression()
        async throws
    {
        try await TestServer.echo(try TestServer.configuration(pingInterval: .seconds(20), pingTimeout: .seconds(20))) { server in
            let socket = try await server.connect()
            socket.request(
                "GET", server.base + "&transport=websocket",
                [
                    "Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
                    "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits",
                ])
            let answer = try await socket.answer()
            #expect(answer.status == 101)
            #expect(answer.header("sec-websocket-extensions") == nil)
            _ = try await socket.text()
            socket.send(ByteBuffer(bytes: [0xC1, 0x81, 0, 0, 0, 0, 0]))
            guard case .close(let code, _)? = try await socket.event() else { throw TestConnection.Ended() }
            #expect(code == 1002)
        }
    }

    @Test("Attack 19: a compressed POST is not expanded: its bytes are judged as they are") func compressedPost() async throws {
        try await TestServer.echo(try TestServer.configuration(pingInterval: .seconds(20), pingTimeout: .seconds(20))) { server in
            let sid = try await server.openPolling()
            let bomb = try #require(ContentCoding.gzip.compress(ByteBuffer(string: "4" + String(repeating: "x", count: 4 << 20))))
            let connection = try await server.connect()
            connection.send(
                "POST \(server.polling(sid)) HTTP/1.1\r\nHost: localhost\r\nContent-Encoding: gzip\r\nContent-Length: \(bomb.readableBytes)\r\n\r\n"
            )
            connection.send(bomb)
            #expect(try await connection.answer().status == 400)
            #expect(try await server.shows("kdcube_engineio_parse_errors_total 1"))
        }
    }
}

/// The secrets that the server made. A short `Mutex` guards it.
private final class SecretList: Sendable {
    private let list = Mutex<[String]>([])

    /// A session's id, or the open packet that holds it.
    func add(_ text: String) {
        let sid = text.hasPrefix("0{") ? (try? JSONValue(parsing: String(text.dropFirst())))?["sid"]?.stringValue : text
        list.withLock { $0.append(sid ?? text) }
    }

    var all: [String] { list.withLock { $0 } }
}
