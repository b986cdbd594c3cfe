import JSON
import NIOHTTP1
import Supervisor
import Synchronization
import Testing

@testable import SupervisorAdapters

/// Children that are no good servers: shell scripts.
@Suite("MCP servers that misbehave, as children")
struct MCPChildMisbehaviourTests {
    private func tool(_ script: String, environment: [NamedText] = []) -> AdapterDefinition {
        .mcp(MCPDefinition(server: .command(["/bin/sh", "-c", script], environment: environment), tool: "t"))
    }

    /// Answers the handshake, then runs `rest`.
    private static func after(_ rest: String) -> String {
        let hello = #"{"jsonrpc":"2.0","id":1,"result":{"protocolVersion":"2025-06-18","capabilities":{"tools":{}}}}"#
        return "read -r a; echo '\(hello)'; read -r b; \(rest)"
    }

    @Test("a program that is not there, or that ends at once, had no effect")
    func absent() async throws {
        try await withAdapters { adapters in
            let missing = AdapterDefinition.mcp(MCPDefinition(server: .command(["/nonexistent/server"], environment: []), tool: "t"))
            let failure = await adapters.run(try admitted(missing)).failure
            #expect(failure?.code == "tool_unavailable")
            #expect(failure?.hadNoEffect == true)
            let ended = await adapters.run(try admitted(tool("exit 1"))).failure
            #expect(ended?.hadNoEffect == true)
        }
    }

    @Test("one that ends again and again is not started for each call")
    func crashLoop() async throws {
        let lines = Lines()
        try await withAdapters(log: lines) { adapters in
            for _ in 0..<5 { _ = await adapters.run(try admitted(tool("exit 1"))) }
            let failure = await adapters.run(try admitted(tool("exit 1"))).failure
            #expect(failure?.code == "tool_unavailable")
        }
        #expect(lines.all.filter { $0.hasPrefix("ended") }.count <= 3)
    }

    @Test("a child that ends in the middle of a call may have done it; its secrets are not in the log")
    func ends() async throws {
        let lines = Lines()
        try await withAdapters(log: lines) { adapters in
            let script = Self.after(#"read -r c; echo "key $API_KEY" >&2; exit 4"#)
            let failure = await adapters.run(
                try admitted(tool(script, environment: [NamedText("API_KEY", "s3cr3t-value")]))
            ).failure
            #expect(failure?.code == "upstream_broken")
            #expect(failure?.hadNoEffect == false)
        }
        #expect(lines.all.sorted() == ["ended with status 4", "key ***"])
    }

    @Test("a line beyond the limit ends the child, before it fills the memory")
    func flood() async throws {
        try await withAdapters { adapters in
            let failure = await adapters.run(try admitted(tool(Self.after("read -r c; exec tr '\\0' x </dev/zero")))).failure
            #expect(failure?.code == "mcp_protocol")
        }
    }

    @Test("a child that ignores the end of its input and SIGTERM is killed at the shutdown")
    func stubborn() async throws {
        let lines = Lines()
        try await withAdapters(log: lines) { adapters in
            let script = "trap '' TERM; " + Self.after("while true; do sleep 1000; done")
            let late = await adapters.run(try admitted(tool(script), deadline: .milliseconds(300))).failure
            #expect(late?.isTimeout == true)
        }
        #expect(lines.all == ["ended by signal 9"])
    }
}

/// A server over HTTP whose answers a test writes.
@Suite("MCP servers that misbehave, over HTTP")
struct MCPHTTPMisbehaviourTests {
    private typealias Request = TestHTTPServer.Request
    private typealias Answer = TestHTTPServer.Answer

    private static let session = [("content-type", "application/json"), ("Mcp-Session-Id", "s-1")]

    /// Answers the handshake; calls by `answer`, which is given the request's id.
    private func start(_ answer: @escaping @Sendable (Request, Int64) -> Answer) async throws -> TestHTTPServer {
        try await TestHTTPServer.start { request in
            let message = (try? JSONValue(parsing: request.body)) ?? .null
            switch message["method"]?.stringValue {
            case "initialize":
                let id = message["id"]?.integerValue ?? 0
                let result = #"{"protocolVersion":"2025-06-18","capabilities":{"tools":{}}}"#
                return Answer(headers: Self.session, body: #"{"jsonrpc":"2.0","id":\#(id),"result":\#(result)}"#)
            case "tools/call": return answer(request, message["id"]?.integerValue ?? 0)
            default: return Answer(status: 202, headers: [])
            }
        }
    }

    private func tool(_ server: TestHTTPServer, host: String = "127.0.0.1", inside: Set<String>? = nil) -> AdapterDefinition {
        .mcp(
            MCPDefinition(
                server: .url(
                    "http://\(host):\(server.port)/mcp", headers: [NamedText("authorization", "Bearer s3cr3t-token")],
                    allowHosts: [host], privateHosts: inside ?? [host]), tool: "t"))
    }

    private static func result(_ id: Int64) -> String { #"{"jsonrpc":"2.0","id":\#(id),"result":{"content":[]}}"# }

    @Test("the session and the version are in each request after the handshake, and the session is ended")
    func headers() async throws {
        let server = try await start { _, id in Answer(body: Self.result(id)) }
        try await withAdapters { adapters in #expect(await adapters.run(try admitted(tool(server))) == .success(.null)) }
        let requests = server.requests
        #expect(requests.map(\.method) == [.POST, .POST, .POST, .DELETE])
        #expect(requests.first?.headers["mcp-session-id"].isEmpty == true)
        #expect(requests.first?.headers["accept"] == ["application/json, text/event-stream"])
        for request in requests.dropFirst() {
            #expect(request.headers["mcp-session-id"] == ["s-1"])
            #expect(request.headers["mcp-protocol-version"] == ["2025-06-18"])
        }
        #expect(requests.allSatisfy { $0.headers["authorization"] == ["Bearer s3cr3t-token"] })
        await server.stop()
    }

    @Test("an answer in the middle of a stream of events is found, and the stream is left")
    func events() async throws {
        let server = try await start { _, id in
            let news = #"{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":\#(id),"progress":1}}"#
            return Answer(
                headers: [("content-type", "text/event-stream")],
                body: ": hi\n\ndata: \(news)\n\nevent: message\ndata: \(Self.result(id))\n\n",
                stalls: true)
        }
        let told = Mutex(0)
        try await withAdapters { adapters in
            #expect(await adapters.run(try admitted(tool(server)) { _ in told.withLock { $0 += 1 } }) == .success(.null))
        }
        #expect(told.withLock { $0 } == 1)
        await server.stop()
    }

    @Test("a session that is gone is opened anew, once")
    func lostSession() async throws {
        let losses = Mutex(1)
        let server = try await start { _, id in
            let isLost = losses.withLock { left in
                left -= 1
                return left >= 0
            }
            return isLost ? Answer(status: 404) : Answer(body: Self.result(id))
        }
        try await withAdapters { adapters in
            #expect(await adapters.run(try admitted(tool(server))) == .success(.null))
            losses.withLock { $0 = 2 }
            let failure = await adapters.run(try admitted(tool(server))).failure
            #expect(failure?.code == "session_lost")
            #expect(failure?.hadNoEffect == true)
        }
        await server.stop()
    }

    @Test("of a call that is under way while another one meets a lost session nobody knows: it is not made again")
    func lostBesideAnother() async throws {
        let losses = Mutex(1)
        let server = try await start { request, id in
            if request.body.contains("slow") { return Answer(stalls: true) }
            let isLost = losses.withLock { left in
                left -= 1
                return left >= 0
            }
            return isLost ? Answer(status: 404) : Answer(body: Self.result(id))
        }
        try await withAdapters { adapters in
            async let slow = adapters.run(try admitted(tool(server), ["what": "slow"])).failure
            while !server.requests.contains(where: { $0.body.contains("slow") }) { await Task.yield() }
            #expect(await adapters.run(try admitted(tool(server))) == .success(.null))
            let failure = await slow
            #expect(failure?.code == "upstream_broken" && failure?.hadNoEffect == false)
        }
        #expect(server.requests.filter { $0.body.contains("slow") }.count == 1)
        await server.stop()
    }

    @Test("a stream that ends too early, another status, a redirect, and no JSON-RPC fail the call")
    func malformed() async throws {
        let answers: [(Answer, String)] = [
            (Answer(headers: [("content-type", "text/event-stream")], body: "data: {\"jsonrpc\":\"2.0\""), "upstream_broken"),
            (Answer(status: 500, body: "s3cr3t-token"), "upstream_status"),
            (Answer(status: 307, headers: [("location", "http://other.test/")]), "upstream_status"),
            (Answer(body: "{}"), "mcp_protocol"), (Answer(body: "<html>"), "upstream_broken"), (Answer(drops: true), "upstream_broken"),
            (
                Answer(headers: [("content-type", "text/event-stream")], body: String(repeating: "x", count: 65_536), floods: true),
                "output_too_large"
            ),
        ]
        for (answer, code) in answers {
            let server = try await start { _, _ in answer }
            try await withAdapters { adapters in
                let failure = await adapters.run(try admitted(tool(server))).failure
                #expect(failure?.code == code)
                #expect(failure?.hadNoEffect == false)
            }
            await server.stop()
        }
    }

    @Test("the host's rules are those of every request")
    func hosts() async throws {
        let server = try await start { _, id in Answer(body: Self.result(id)) }
        try await withAdapters(TableResolver(["mcp.test": ["127.0.0.1"]])) { adapters in
            let failure = await adapters.run(try admitted(tool(server, host: "mcp.test", inside: []))).failure
            #expect(failure?.code == "address_not_allowed")
            #expect(await adapters.run(try admitted(tool(server, host: "mcp.test"))) == .success(.null))
        }
        await server.stop()
    }
}
