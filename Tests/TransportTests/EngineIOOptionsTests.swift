import Deflate
import JSON
import NIOCore
import Synchronization
import Testing
import TransportWire

@testable import Transport

/// What an application may add to the protocol: an initial packet (E10), header fields (E34), compressed answers (E24).
@Suite("Engine.IO options", .timeLimit(.minutes(1)))
struct EngineIOOptionsTests {
    private func configuration(
        initialPacket: InitialPacket? = nil, initialHeaders: HeaderHook? = nil, headers: HeaderHook? = nil, httpCompression: Bool = true,
        cookie: String? = nil
    ) throws -> TransportConfiguration {
        try TransportConfiguration(
            pingInterval: .seconds(20), pingTimeout: .seconds(20), cookie: cookie, initialPacket: initialPacket,
            initialHeaders: initialHeaders, headers: headers, httpCompression: httpCompression)
    }

    // MARK: E10

    @Test(
        "E10: the initial packet is in the body of the open packet, and the next frame of a WebSocket",
        arguments: [InitialPacket.text("hello"), .binary([1, 2, 3, 4])])
    func initialPacket(_ packet: InitialPacket) async throws {
        try await TestServer.echo(try configuration(initialPacket: packet)) { server in
            let parts = try await server.ask("GET", server.base + "&transport=polling").body.split(separator: "\u{1E}")
            #expect(parts.count == 2)
            #expect(parts.first?.hasPrefix("0{") == true)
            let socket = try await server.openWebSocket()
            #expect(try await socket.text().hasPrefix("0{"))
            switch packet {
            case .text:
                #expect(parts.last == "4hello")
                #expect(try await socket.text() == "4hello")
            case .binary:
                #expect(parts.last == "bAQIDBA==")
                #expect(try await socket.event() == .binary(ByteBuffer(bytes: [1, 2, 3, 4])))
            }
            socket.say("4after")
            #expect(try await socket.text() == "4after")
        }
    }

    @Test("E10: an initial packet that fits no polling body, or would be split in one, is refused") func impossibleInitialPacket() throws {
        #expect(throws: TransportConfigurationError.self) { try configuration(initialPacket: .text("a\u{1E}b")) }
        #expect(throws: TransportConfigurationError.self) { try configuration(initialPacket: .text(String(repeating: "x", count: 65_536))) }
        #expect(throws: TransportConfigurationError.self) {
            try TransportConfiguration(maxPayload: 1_024, initialPacket: .text(String(repeating: "x", count: 768)))
        }
        _ = try TransportConfiguration(maxPayload: 1_024, initialPacket: .text(String(repeating: "x", count: 767)))
        _ = try configuration(initialPacket: .text(String(repeating: "x", count: 65_535)))
    }

    // MARK: E34

    private static let initial: HeaderHook = { request in
        [try? ResponseField("x-first", request.isUpgrade ? "upgrade" : request.method), try? ResponseField("Set-Cookie", "mine=1")]
            .compactMap(\.self)
    }
    private static let every: HeaderHook = { request in
        [try? ResponseField("X-Every", request.query.first { $0.name == "app" }?.value ?? request["x-app"].first ?? "none")]
            .compactMap(\.self)
    }

    @Test("E34: the first hook adds to the first answer of a session alone, the other to every answer of polling")
    func pollingHooks() async throws {
        try await TestServer.echo(try configuration(initialHeaders: Self.initial, headers: Self.every, cookie: "io")) { server in
            let opened = try await server.ask("GET", server.base + "&transport=polling&app=chat")
            #expect(opened.header("x-first") == "GET")
            #expect(opened.header("x-every") == "chat")
            let cookies = opened.headers.filter { $0.name.lowercased() == "set-cookie" }.map(\.value)
            #expect(cookies.count == 2 && cookies.contains("mine=1"))
            let sid = try #require(try JSONValue(parsing: String(opened.body.dropFirst()))["sid"]?.stringValue)
            let posted = try await server.ask("POST", server.polling(sid), ["X-App: header"], body: "4x")
            #expect(posted.status == 200)
            for answer in [posted, try await server.poll(sid)] {
                #expect(answer.header("x-first") == nil)
                #expect(answer.header("set-cookie") == nil)
            }
            #expect(posted.header("x-every") == "header")
            let refused = try await server.ask("GET", server.base + "&transport=none")
            #expect(refused.status == 400)
            #expect(refused.header("x-every") == "none")
            #expect(refused.header("x-first") == nil)
        }
    }

    @Test("E34: both hooks add to the 101 of a new session, and the second alone to the 101 of an upgrade") func upgradeHooks() async throws
    {
        try await TestServer.echo(try configuration(initialHeaders: Self.initial, headers: Self.every)) { server in
            let sid = try await server.openPolling()
            for (target, first) in [("", "upgrade" as String?), ("&sid=\(sid)", nil)] {
                let connection = try await server.connect()
                connection.request(
                    "GET", server.base + "&transport=websocket&app=ws" + target,
                    [
                        "Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13",
                        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
                    ])
                let answer = try await connection.answer()
                #expect(answer.status == 101)
                #expect(answer.header("x-every") == "ws")
                #expect(answer.header("x-first") == first)
            }
        }
    }

    @Test("E34: more fields than the limit are left out together, and counted") func tooManyFields() async throws {
        let flood: HeaderHook = { _ in (0...TransportLimits.hookFieldsMax).compactMap { try? ResponseField("x-\($0)", "1") } }
        try await TestServer.echo(try configuration(headers: flood)) { server in
            let answer = try await server.ask("GET", server.base + "&transport=polling")
            #expect(answer.status == 200)
            #expect(answer.header("x-0") == nil)
            #expect(try await server.shows("kdcube_header_hooks_refused_total 1"))
        }
    }

    @Test(
        "E34: a field cannot smuggle another one, nor steer the connection",
        arguments: [
            ("x-a", "1\r\nx-b: 2", ResponseField.Failure.invalidValue), ("x-a", "1\nx", .invalidValue), ("x-a", "\u{0}", .invalidValue),
            ("x-a", " 1", .invalidValue), ("x-a", "1 ", .invalidValue), ("x-a", "é", .invalidValue), ("", "1", .invalidName),
            ("x a", "1", .invalidName), ("x:a", "1", .invalidName), ("x\r\na", "1", .invalidName), ("é", "1", .invalidName),
            ("Content-Length", "1", .reservedName), ("transfer-encoding", "chunked", .reservedName), ("Connection", "close", .reservedName),
            ("Sec-WebSocket-Accept", "x", .reservedName), ("upgrade", "h2c", .reservedName),
            ("x-a", String(repeating: "x", count: 4_094), .tooLong),
        ])
    func hostileFields(_ name: String, _ value: String, _ failure: ResponseField.Failure) {
        #expect(throws: failure) { try ResponseField(name, value) }
    }

    @Test(
        "E34: ordinary fields are taken as they are",
        arguments: [("X-A", ""), ("x-trace!", "a\tb c"), ("x", String(repeating: "x", count: 4_095))])
    func ordinaryFields(_ name: String, _ value: String) throws {
        let field = try ResponseField(name, value)
        #expect(field.name == name && field.value == value)
    }

    // MARK: E24

    /// A poll whose answer has `count` bytes, for a client that sends `headers`.
    private func poll(_ server: TestServer, _ count: Int, _ headers: [String]) async throws -> TestConnection.Answer {
        let sid = try await server.openPolling()
        #expect(try await server.post(sid, "4" + String(repeating: "x", count: count - 1)).status == 200)
        return try await server.ask("GET", server.polling(sid), headers)
    }

    @Test(
        "E24: answers of 1,024 bytes and more are compressed as the client asks, on the loop and beside it",
        arguments: [("gzip", Deflate.Container.gzip), ("deflate", .zlib)], [1_024, 65_536, 65_537, 1_000_000])
    func compresses(_ accepted: (coding: String, container: Deflate.Container), _ count: Int) async throws {
        try await TestServer.echo(try configuration()) { server in
            let answer = try await poll(server, count, ["Accept-Encoding: \(accepted.coding)"])
            #expect(answer.status == 200)
            #expect(answer.header("content-encoding") == accepted.coding)
            #expect(answer.header("content-type") == "text/plain; charset=UTF-8")
            #expect(answer.bytes.count < count / 10 + 100)
            let expanded = try #require(Deflate.expand(answer.bytes, accepted.container, max: count))
            #expect(String(decoding: expanded, as: UTF8.self) == "4" + String(repeating: "x", count: count - 1))
        }
    }

    @Test("E24: shorter answers, other clients and a server that was told not to (attack 27) get the text itself") func leavesAlone()
        async throws
    {
        try await TestServer.echo(try configuration()) { server in
            #expect(try await poll(server, 1_023, ["Accept-Encoding: gzip"]).body.utf8.count == 1_023)
            for headers in [[], ["Accept-Encoding: br, identity"], ["Accept-Encoding: gzip;q=0"]] {
                let answer = try await poll(server, 2_000, headers)
                #expect(answer.header("content-encoding") == nil)
                #expect(answer.body.utf8.count == 2_000)
            }
        }
        try await TestServer.echo(try configuration(httpCompression: false)) { server in
            let answer = try await poll(server, 2_000, ["Accept-Encoding: gzip"])
            #expect(answer.header("content-encoding") == nil)
            #expect(answer.body.utf8.count == 2_000)
        }
    }

    @Test(
        "E24: Accept-Encoding is read with its weights",
        arguments: [
            ("gzip, deflate, br", ContentCoding.gzip as ContentCoding?), ("deflate, gzip", .gzip), ("deflate", .deflate), ("GZIP", .gzip),
            ("x-gzip", .gzip), ("*", .gzip), ("gzip;q=0.5, deflate;q=0.8", .deflate), ("gzip;q=0, *", .deflate), ("gzip; q=0.001", .gzip),
            ("gzip;q=0.000", nil), ("gzip;q=2", nil), ("gzip;q=", nil), ("gzip;q=0.1234", nil), ("gzip;level=9", nil), ("", nil),
            (",,;;", nil),
            ("identity", nil), ("*;q=0", nil), ("br;q=1.0, gzip;q=1.000", .gzip),
        ])
    func weights(_ field: String, _ coding: ContentCoding?) {
        #expect(ContentCoding(acceptEncoding: [field]) == coding)
    }

    @Test("E24: what compressing would not shorten is left as it is; damaged and too long data does not expand") func incompressible()
        throws
    {
        var random = SplitMix64(state: 24)
        let noise = (0..<4_096).map { _ in UInt8.random(in: 0...255, using: &random) }
        let text = ByteBuffer(string: String(repeating: "token ", count: 1_000))
        for coding in ContentCoding.allCases {
            let container: Deflate.Container = coding == .gzip ? .gzip : .zlib
            #expect(coding.compress(ByteBuffer(bytes: noise)) == nil)
            #expect(coding.compress(ByteBuffer()) == nil)
            let compressed = Array(try #require(coding.compress(text)).readableBytesView)
            #expect(Deflate.expand(compressed, container, max: 6_000) == Array(text.readableBytesView))
            #expect(Deflate.expand(compressed, container, max: 5_999) == nil)
            #expect(Deflate.expand(Array(compressed.dropLast()), container, max: 6_000) == nil)
        }
    }

    @Test(
        "E24: old Internet Explorers are told to leave their filter off, and nobody else is",
        arguments: [
            ("Mozilla/5.0 (compatible;MSIE 9.0; Windows NT 6.1)", "0" as String?),
            ("Mozilla/5.0 (Windows NT 6.1; Trident/7.0; rv:11.0)", "0"),
            ("Mozilla/5.0 (X11; Linux) Chrome/150", nil),
        ])
    func legacyExplorer(_ agent: String, _ value: String?) async throws {
        try await TestServer.echo(try configuration()) { server in
            let answer = try await server.ask("GET", server.base + "&transport=polling", ["User-Agent: \(agent)"])
            #expect(answer.status == 200)
            #expect(answer.header("x-xss-protection") == value)
        }
    }
}
