import NIOCore
import Testing

@testable import TransportWire

@Suite("WebSocket handshake")
struct WebSocketHandshakeTests {
    typealias Header = (name: String, value: String)

    private static let key = "dGhlIHNhbXBsZSBub25jZQ=="
    private static let headers: [Header] = [
        ("Host", "server.example.com"), ("Upgrade", "websocket"), ("Connection", "Upgrade"), ("Sec-WebSocket-Key", key),
        ("Sec-WebSocket-Version", "13"),
    ]

    private func request(_ headers: [Header] = headers, method: String = "GET", minor: Int = 1) -> WebSocketUpgradeRequest {
        WebSocketUpgradeRequest(method: method, majorVersion: 1, minorVersion: minor, headers: headers)
    }

    /// The valid fields with one replaced, or left out.
    private func replacing(_ name: String, _ values: [String]) -> WebSocketUpgradeRequest {
        request(Self.headers.filter { $0.name != name } + values.map { (name, $0) })
    }

    private func refusal(_ request: WebSocketUpgradeRequest, subprotocols: [String] = []) -> WebSocketRefusal.Reason? {
        do throws(WebSocketRefusal) {
            _ = try WebSocketHandshake.accept(request, subprotocols: subprotocols)
            return nil
        } catch {
            return error.reason
        }
    }

    @Test("RFC 6455 §4.2.2: the text to hash is the key and the GUID")
    func accepted() throws {
        let acceptance = try WebSocketHandshake.accept(request())
        #expect(acceptance.textToHash == "dGhlIHNhbXBsZSBub25jZQ==258EAFA5-E914-47DA-95CA-C5AB0DC85B11")
        #expect(acceptance.subprotocol == nil)
        #expect(WebSocketHandshake.textToHash(key: Self.key) == acceptance.textToHash)
    }

    @Test(
        "§4.2.1: Upgrade and Connection are token lists in any case",
        arguments: [
            ("WebSocket", "keep-alive, Upgrade"), ("websocket", "UPGRADE"), ("h2c, websocket", "upgrade,keep-alive"),
            ("websocket ", "\tupgrade "), ("WEBSOCKET", "a,,upgrade"),
        ])
    func tokenLists(upgrade: String, connection: String) {
        let names = [
            ("host", "h"), ("UPGRADE", upgrade), ("connection", connection), ("sec-websocket-key", Self.key),
            ("SEC-WEBSOCKET-VERSION", "13"),
        ]
        #expect(refusal(request(names.map { ($0.0, $0.1) })) == nil)
    }

    @Test(
        "a token that merely contains the word does not count", arguments: ["websockets", "xwebsocket", "web socket", "websocket/13", ""])
    func wholeTokens(value: String) {
        #expect(refusal(replacing("Upgrade", [value])) == .upgrade)
        #expect(refusal(replacing("Connection", [value.replacing("websocket", with: "upgradex")])) == .connection)
    }

    @Test("a token may stand in any of several Connection fields")
    func severalFields() {
        #expect(refusal(replacing("Connection", ["keep-alive", "Upgrade"])) == nil)
    }

    @Test("§4.2.1: GET over HTTP/1.1 with one Host")
    func requestLine() {
        #expect(refusal(request(method: "POST")) == .method)
        #expect(refusal(request(method: "get")) == .method)
        #expect(refusal(request(minor: 0)) == .httpVersion)
        #expect(refusal(WebSocketUpgradeRequest(method: "GET", majorVersion: 2, minorVersion: 0, headers: Self.headers)) == .httpVersion)
        #expect(refusal(replacing("Host", [])) == .host)
        #expect(refusal(replacing("Host", [""])) == .host)
        #expect(refusal(replacing("Host", ["a", "b"])) == .host)
        #expect(refusal(replacing("Upgrade", [])) == .upgrade)
        #expect(refusal(replacing("Connection", [])) == .connection)
    }

    @Test(
        "§4.2.1: the key is one field of 16 bytes in base64",
        arguments: [
            [], [""], ["dGhlIHNhbXBsZSBub25jZQ"], ["dGhlIHNhbXBsZSBub25jZQ="], ["dGhlIHNhbXBsZSBub25jZR=="], ["AAAA"],
            ["dGhlIHNhbXBsZSBub25jZSEh"], ["dGhlIHNhbXBsZSBub25!ZQ=="],
            ["dGhlIHNhbXBsZSBub25jZQ==", "dGhlIHNhbXBsZSBub25jZQ=="], [String(repeating: "A", count: 30_000)],
        ])
    func keys(values: [String]) {
        #expect(refusal(replacing("Sec-WebSocket-Key", values)) == .key)
    }

    @Test(
        "§4.4: another version is answered with 426 and the one spoken here",
        arguments: [[], ["8"], ["0"], ["013"], ["13, 8"], ["13", "8"], ["99999999999999999999"]])
    func versions(values: [String]) throws {
        #expect(refusal(replacing("Sec-WebSocket-Version", values)) == .version)
        let error = WebSocketRefusal(reason: .version)
        #expect(error.status == 426)
        #expect(error.headers.contains { $0 == ("Sec-WebSocket-Version", "13") })
        #expect(WebSocketRefusal(reason: .method).status == 405)
        #expect(WebSocketRefusal(reason: .key).status == 400)
    }

    @Test(
        "§4.2.2: a subprotocol is echoed only if it was offered, the client's preference first",
        arguments: [
            (["b, a"], ["a", "b"], "b"), (["x", "a"], ["a"], "a"), (["x"], ["a"], nil), ([], ["a"], nil), (["a"], [], nil),
            (["A"], ["a"], nil),
        ] as [([String], [String], String?)])
    func subprotocols(offered: [String], spoken: [String], agreed: String?) throws {
        #expect(try WebSocketHandshake.accept(replacing("Sec-WebSocket-Protocol", offered), subprotocols: spoken).subprotocol == agreed)
    }

    @Test(
        "§4.1: subprotocols are distinct tokens",
        arguments: [["a, a"], ["a", "a"], ["a b"], [""], ["a,"], [",a"], ["a,,b"], ["a;q=1"], ["ä"], ["\"a\""]])
    func malformedSubprotocols(values: [String]) {
        #expect(refusal(replacing("Sec-WebSocket-Protocol", values)) == .subprotocol)
    }

    @Test("attack 13: prototype names in fields are only names")
    func prototypeNames() throws {
        let hostile: [Header] = [
            ("Sec-WebSocket-Extensions", "constructor, __proto__, hasOwnProperty"), ("__proto__", "x"),
            ("Sec-WebSocket-Protocol", "__proto__"),
        ]
        #expect(try WebSocketHandshake.accept(request(Self.headers + hostile), subprotocols: ["a"]).subprotocol == nil)
    }

    @Test(
        "attacks 13 and 14: 32 KB of separators, and 2,000 fields, take linear time",
        arguments: [
            String(repeating: ",", count: 32_768), String(repeating: " ", count: 32_768), String(repeating: "a ", count: 16_384),
            String(repeating: "a,", count: 16_384),
            String(repeating: "\t", count: 16_384) + "x" + String(repeating: "\t", count: 16_384),
            (0..<5_000).map { "p\($0)" }.joined(separator: ","),
        ])
    func adversarial(value: String) {
        let names = ["Upgrade", "Connection", "Sec-WebSocket-Key", "Sec-WebSocket-Version", "Sec-WebSocket-Protocol"]
        var headers = Self.headers
        for index in 0..<2_000 { headers.append(("X-\(index)", "v")) }
        let elapsed = ContinuousClock().measure {
            for name in names { _ = refusal(request(headers + [(name, value)]), subprotocols: ["a"]) }
        }
        // Unoptimised code passes over some 160 KB here; comparing each byte with each other would take minutes.
        #expect(elapsed < .seconds(10))
    }
}
