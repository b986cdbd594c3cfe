import JSON
import NIOHTTP1
import Supervisor
import Testing

@testable import SupervisorAdapters

@Suite("Tools behind HTTP, against a local server")
struct HTTPToolTests {
    private func definition(
        _ port: Int, _ method: HTTPDefinition.Method = .get, _ path: String = "/", host: String = "127.0.0.1",
        headers: [NamedText] = [], allow: Set<String> = [], inside: Set<String>? = nil, body: HTTPDefinition.Body? = nil
    ) throws -> AdapterDefinition {
        .http(
            HTTPDefinition(
                method: method, url: try URLTemplate("http://\(host):\(port)\(path)"), headers: headers,
                allowHosts: allow.union([host]), privateHosts: inside ?? allow.union([host]), body: body))
    }

    @Test("arguments become percent-encoded pieces of the path, and the others the JSON body")
    func body() async throws {
        let server = try await TestHTTPServer.start { _ in .init(body: #"{"ok":true}"#) }
        try await withAdapters { adapters in
            let tool = try definition(server.port, .post, "/orders/{id}/refund", headers: [NamedText("X-Key", "secret-1")], body: .json)
            let answer = await adapters.run(try admitted(tool, ["id": "A/1 ?", "amount": "20.00"], key: "k-1"))
            #expect(answer == .success(["ok": true]))
        }
        let request = try #require(server.requests.first)
        #expect(request.uri == "/orders/A%2F1%20%3F/refund")
        #expect(request.body == #"{"amount":"20.00"}"#)
        #expect(request.headers["idempotency-key"] == ["k-1"])
        #expect(request.headers["x-key"] == ["secret-1"])
        #expect(request.headers["content-type"] == ["application/json"])
        await server.stop()
    }

    @Test("what the address does not hold is a query of a GET")
    func query() async throws {
        let server = try await TestHTTPServer.start { _ in .init(headers: [("content-type", "text/plain; charset=utf-8")], body: "hej") }
        try await withAdapters { adapters in
            let tool = try definition(server.port, .get, "/s?q={q}")
            let answer = await adapters.run(try admitted(tool, ["q": "a&b", "n": 3, "tags": ["x", "y"], "none": .null]))
            #expect(answer == .success("hej"))
        }
        #expect(server.requests.first?.uri == "/s?q=a%26b&n=3&tags=x&tags=y")
        await server.stop()
    }

    @Test("a status of 400 and above is a failure with the status and a bounded body, and secrets are not in it")
    func status() async throws {
        let server = try await TestHTTPServer.start { request in
            .init(
                status: request.uri == "/json" ? 422 : 500,
                headers: [("content-type", request.uri == "/json" ? "application/json" : "text/html")],
                body: request.uri == "/json" ? #"{"error":"bad key s3cr3t-token"}"# : String(repeating: "x", count: 100_000))
        }
        try await withAdapters { adapters in
            let headers = [NamedText("authorization", "Bearer s3cr3t-token")]
            let json = await adapters.run(try admitted(definition(server.port, .get, "/json", headers: headers))).failure
            #expect(json?.code == "upstream_status")
            #expect(json?.value == ["status": 422, "body": ["error": "bad key ***"]])
            #expect(json?.hadNoEffect == false)
            let text = await adapters.run(try admitted(definition(server.port, .get, "/text"))).failure
            #expect(text?.value?["status"] == 500)
            #expect((text?.value?["body"]?.stringValue?.utf8.count ?? .max) <= AdapterLimits.errorBodyBytesMax + 3)
        }
        await server.stop()
    }

    @Test("an answer that repeats a header's value is told without it")
    func redaction() async throws {
        let server = try await TestHTTPServer.start { _ in .init(body: #"{"you sent":["Bearer s3cr3t-token"],"s3cr3t-token":1}"#) }
        try await withAdapters { adapters in
            let tool = try definition(server.port, headers: [NamedText("authorization", "Bearer s3cr3t-token")])
            #expect(await adapters.run(try admitted(tool)) == .success(["you sent": ["***"], "***": 1]))
        }
        await server.stop()
    }

    @Test("an answer beyond the tool's size ends, whether its length was told or not", arguments: [true, false])
    func size(floods: Bool) async throws {
        let server = try await TestHTTPServer.start { _ in
            .init(headers: [("content-type", "text/plain")], body: String(repeating: "x", count: 4_096), floods: floods)
        }
        try await withAdapters { adapters in
            let failure = await adapters.run(try admitted(definition(server.port), outputBytes: 1_000)).failure
            #expect(failure?.code == "output_too_large")
        }
        await server.stop()
    }

    @Test("a server that says nothing more is a timeout, and may have had its effect", arguments: ["", "{"])
    func deadline(begun: String) async throws {
        let server = try await TestHTTPServer.start { _ in .init(body: begun, stalls: true) }
        try await withAdapters { adapters in
            let failure = await adapters.run(try admitted(definition(server.port), deadline: .seconds(1))).failure
            #expect(failure?.isTimeout == true)
            #expect(failure?.hadNoEffect == false)
        }
        await server.stop()
    }

    @Test("a refused connection had no effect; one that broke after the request may have had one")
    func unreached() async throws {
        let server = try await TestHTTPServer.start { _ in .init(drops: true) }
        try await withAdapters { adapters in
            let broken = await adapters.run(try admitted(definition(server.port, .post))).failure
            #expect(broken?.code == "upstream_broken")
            #expect(broken?.hadNoEffect == false)
            await server.stop()
            let refused = await adapters.run(try admitted(definition(server.port, .post))).failure
            #expect(refused?.code == "upstream_unreachable")
            #expect(refused?.hadNoEffect == true)
        }
    }

    @Test("a private address is refused unless its host is listed as private, whatever its name says")
    func inside() async throws {
        let server = try await TestHTTPServer.start { _ in .init(body: "1") }
        let resolver = TableResolver([
            "in.test": ["127.0.0.1"], "mixed.test": ["93.184.216.34", "127.0.0.1"], "mapped.test": ["::ffff:127.0.0.1"],
        ])
        try await withAdapters(resolver) { adapters in
            for host in ["127.0.0.1", "in.test", "mixed.test", "mapped.test"] {
                let failure = await adapters.run(try admitted(definition(server.port, host: host, inside: []))).failure
                #expect(failure?.code == "address_not_allowed", "\(host)")
                #expect(failure?.hadNoEffect == true)
            }
            #expect(server.requests.isEmpty)
            #expect(await adapters.run(try admitted(definition(server.port, host: "in.test"))) == .success(1))
            #expect(await adapters.run(try admitted(definition(server.port, host: "unknown.test"))).failure?.code == "unknown_host")
        }
        #expect(server.requests.first?.headers["host"] == ["in.test:\(server.port)"])
        await server.stop()
    }

    @Test("the address that was checked is the one that is connected to: the name is looked up once a request")
    func rebinding() async throws {
        let server = try await TestHTTPServer.start { _ in .init(body: "1") }
        // The system's resolver knows no such name: a second look-up would fail.
        let resolver = TableResolver(["rebind.invalid": ["127.0.0.1"]])
        try await withAdapters(resolver) { adapters in
            #expect(await adapters.run(try admitted(definition(server.port, host: "rebind.invalid"))) == .success(1))
        }
        #expect(resolver.lookups == 1)
        await server.stop()
    }

    @Test("a second address is tried when nothing listens at the first")
    func second() async throws {
        let server = try await TestHTTPServer.start { _ in .init(body: "1") }
        try await withAdapters(TableResolver(["two.test": ["127.0.0.2", "127.0.0.1"]])) { adapters in
            #expect(await adapters.run(try admitted(definition(server.port, .post, host: "two.test"))) == .success(1))
        }
        #expect(server.requests.count == 1)
        await server.stop()
    }

    @Test("a redirect off the list, or one too many, is refused")
    func redirects() async throws {
        let server = try await TestHTTPServer.start { request in
            switch request.uri {
            case "/off": .init(status: 302, headers: [("location", "http://other.test/x")])
            case "/ok": .init(status: 302, headers: [("location", "/end")])
            case "/end": .init(body: "7")
            default: .init(status: 307, headers: [("location", "/again")])
            }
        }
        try await withAdapters { adapters in
            #expect(await adapters.run(try admitted(definition(server.port, .get, "/off"))).failure?.code == "redirect_refused")
            #expect(await adapters.run(try admitted(definition(server.port, .get, "/ok"))) == .success(7))
            let before = server.requests.count
            #expect(await adapters.run(try admitted(definition(server.port, .get, "/loop"))).failure?.code == "redirect_refused")
            #expect(server.requests.count - before == AdapterLimits.redirectsMax + 1)
        }
        await server.stop()
    }

    @Test("a redirect to another host on the list goes without the tool's headers, and a redirected POST becomes a GET")
    func redirectedSecrets() async throws {
        let target = try await TestHTTPServer.start { _ in .init(body: "2") }
        let port = target.port
        let server = try await TestHTTPServer.start { _ in .init(status: 303, headers: [("location", "http://b.test:\(port)/x")]) }
        let resolver = TableResolver(["a.test": ["127.0.0.1"], "b.test": ["127.0.0.1"]])
        try await withAdapters(resolver) { adapters in
            let tool = try definition(
                server.port, .post, host: "a.test", headers: [NamedText("authorization", "Bearer abcdef")], allow: ["a.test", "b.test"])
            #expect(await adapters.run(try admitted(tool, ["x": 1], key: "k")) == .success(2))
        }
        let first = try #require(server.requests.first)
        #expect(first.headers["authorization"] == ["Bearer abcdef"])
        let second = try #require(target.requests.first)
        #expect(second.method == .GET)
        #expect(second.body.isEmpty)
        #expect(second.headers["authorization"].isEmpty)
        #expect(second.headers["idempotency-key"].isEmpty)
        await server.stop()
        await target.stop()
    }

    @Test("a listed host whose redirect leads to a private address is refused there too")
    func redirectInside() async throws {
        let server = try await TestHTTPServer.start { _ in .init(status: 302, headers: [("location", "http://inner.test/")]) }
        let resolver = TableResolver(["a.test": ["127.0.0.1"], "inner.test": ["10.0.0.1"]])
        try await withAdapters(resolver) { adapters in
            let tool = try definition(server.port, host: "a.test", allow: ["inner.test"], inside: ["a.test"])
            let failure = await adapters.run(try admitted(tool)).failure
            #expect(failure?.code == "address_not_allowed")
            // The first server saw the request.
            #expect(failure?.hadNoEffect == false)
        }
        await server.stop()
    }

    @Test("JSON that is none is a failure, nothing is null, and other types are only named")
    func types() async throws {
        let server = try await TestHTTPServer.start { request in
            switch request.uri {
            case "/bad": .init(body: "{")
            case "/none": .init(status: 204)
            default: .init(headers: [("content-type", "image/png")], body: "abc")
            }
        }
        try await withAdapters { adapters in
            #expect(await adapters.run(try admitted(definition(server.port, .get, "/bad"))).failure?.code == "upstream_malformed")
            #expect(await adapters.run(try admitted(definition(server.port, .get, "/none"))) == .success(.null))
            let image = await adapters.run(try admitted(definition(server.port, .get, "/image")))
            #expect(image == .success(["content_type": "image/png", "bytes": 3]))
        }
        await server.stop()
    }
}
