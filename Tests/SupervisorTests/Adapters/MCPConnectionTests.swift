import EventStream
import JSON
import Supervisor
import Testing

@testable import SupervisorAdapters

@Suite("The MCP client's machine")
struct MCPConnectionTests {
    private static let hello = #"{"protocolVersion":"2025-06-18","capabilities":{"tools":{}},"serverInfo":{"name":"s","version":"1"}}"#

    private func ready(version: String = "2025-06-18") -> MCPConnection {
        var connection = MCPConnection()
        _ = connection.initialize()
        _ = connection.receive(Array(Self.answer(1, Self.hello.replacing("2025-06-18", with: version)).utf8))
        return connection
    }

    private static func answer(_ id: Int, _ result: String) -> String { #"{"jsonrpc":"2.0","id":\#(id),"result":\#(result)}"# }

    private func sent(_ actions: [MCPConnection.Action]) -> [String] {
        actions.compactMap { action in
            guard case .send(let bytes, _) = action else { return nil }
            return String(decoding: bytes, as: UTF8.self)
        }
    }

    private func failures(_ actions: [MCPConnection.Action]) -> [ToolFailure] {
        actions.compactMap { action in
            guard case .answered(_, .failure(let failure)) = action else { return nil }
            return failure
        }
    }

    private func givesUp(_ actions: [MCPConnection.Action]) -> Bool {
        actions.contains { action in
            if case .giveUp = action { true } else { false }
        }
    }

    @Test("the handshake offers the newest version and announces itself once it is agreed upon")
    func handshake() throws {
        var connection = MCPConnection()
        let (token, actions) = connection.initialize()
        let offer = try JSONValue(parsing: try #require(sent(actions).first))
        #expect(offer["method"] == "initialize")
        #expect(offer["params"]?["protocolVersion"] == "2025-06-18")
        let then = connection.receive(Array(Self.answer(1, Self.hello).utf8))
        #expect(then.first == .negotiated(version: "2025-06-18"))
        #expect(sent(then) == [#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#])
        #expect(then.last == .answered(token: token, .success(.initialized)))
    }

    @Test(
        "the older version is taken; another one, or a server without tools, is not", arguments: ["2025-03-26", "2024-11-05", "2031-01-01"])
    func versions(version: String) {
        var connection = MCPConnection()
        _ = connection.initialize()
        let actions = connection.receive(Array(Self.answer(1, Self.hello.replacing("2025-06-18", with: version)).utf8))
        #expect(givesUp(actions) == (version != "2025-03-26"))
        var toolless = MCPConnection()
        _ = toolless.initialize()
        let refused = toolless.receive(Array(Self.answer(1, #"{"protocolVersion":"2025-06-18","capabilities":{}}"#).utf8))
        #expect(failures(refused).first?.message == "the MCP server has no tools")
    }

    @Test("nothing is asked before the handshake")
    func early() {
        var connection = MCPConnection()
        #expect(throws: ToolFailure.self) { try connection.call(tool: "t", arguments: JSONObject()) }
        _ = connection.initialize()
        #expect(throws: ToolFailure.self) { try connection.listTools() }
    }

    @Test("answers find their calls in any order; late and unknown ones do not")
    func order() throws {
        var connection = ready()
        let (first, _) = try connection.call(tool: "a", arguments: JSONObject())
        let (second, _) = try connection.call(tool: "b", arguments: JSONObject())
        let answers = connection.receive(Array(Self.answer(Int(second), #"{"n":2}"#).utf8))
        #expect(answers == [.answered(token: second, .success(.result(JSONObject([("n", 2)]))))])
        #expect(connection.cancel(token: first).count == 1)
        #expect(connection.receive(Array(Self.answer(Int(first), "{}").utf8)).isEmpty)
        #expect(connection.receive(Array(Self.answer(1, "{}").utf8)).isEmpty)
        #expect(givesUp(connection.receive(Array(Self.answer(99, "{}").utf8))))
    }

    @Test("a cancelled call is told with its id, once")
    func cancellation() throws {
        var connection = ready()
        let (token, _) = try connection.call(tool: "a", arguments: JSONObject())
        let notice = try JSONValue(parsing: try #require(sent(connection.cancel(token: token)).first))
        #expect(notice["method"] == "notifications/cancelled")
        #expect(notice["params"]?["requestId"] == .integer(token))
        #expect(connection.cancel(token: token).isEmpty)
        #expect(connection.pendingCount == 0)
    }

    @Test("progress goes to its call, bounded in number and text")
    func progress() throws {
        var connection = ready()
        let (token, _) = try connection.call(tool: "a", arguments: JSONObject())
        func news(_ token: Int64, _ message: String = "m") -> [UInt8] {
            Array(
                #"{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":\#(token),"progress":0.5,"total":1,"message":"\#(message)"}}"#
                    .utf8)
        }
        let first = connection.receive(news(token))
        #expect(first == [.progress(token: token, JSONObject([("progress", .number("0.5")), ("total", 1), ("message", "m")]))])
        #expect(connection.receive(news(token + 1)).isEmpty)
        guard case .progress(_, let long)? = connection.receive(news(token, String(repeating: "x", count: 9_999))).first else {
            Issue.record("no progress")
            return
        }
        #expect((long["message"]?.stringValue?.utf8.count ?? .max) <= AdapterLimits.shownTextBytesMax + 3)
        var told = 2
        while !connection.receive(news(token)).isEmpty { told += 1 }
        #expect(told == AdapterLimits.progressPerCallMax)
    }

    @Test("a ping is answered, and any other request refused")
    func requests() {
        var connection = ready()
        let pong = sent(connection.receive(Array(#"{"jsonrpc":"2.0","id":"p1","method":"ping"}"#.utf8)))
        #expect(pong == [#"{"jsonrpc":"2.0","id":"p1","result":{}}"#])
        let refused = sent(connection.receive(Array(#"{"jsonrpc":"2.0","id":7,"method":"sampling/createMessage","params":{}}"#.utf8)))
        #expect(refused.first?.contains("-32601") == true)
        #expect(connection.receive(Array(#"{"jsonrpc":"2.0","method":"notifications/message","params":{}}"#.utf8)).isEmpty)
    }

    @Test("the pages of a list become one; a list without end, or without names, is refused")
    func pages() throws {
        var connection = ready()
        let (token, _) = try connection.listTools()
        let next = connection.receive(Array(Self.answer(Int(token), #"{"tools":[{"name":"a"}],"nextCursor":"x"}"#).utf8))
        #expect(sent(next).first?.contains(#""cursor":"x""#) == true)
        let end = connection.receive(Array(Self.answer(Int(token) + 1, #"{"tools":[{"name":"b"}]}"#).utf8))
        #expect(end == [.answered(token: token, .success(.tools(["a", "b"])))])

        let (endless, _) = try connection.listTools()
        _ = connection.receive(Array(Self.answer(Int(endless), #"{"tools":[],"nextCursor":"x"}"#).utf8))
        let same = connection.receive(Array(Self.answer(Int(endless) + 1, #"{"tools":[],"nextCursor":"x"}"#).utf8))
        #expect(failures(same).first?.code == "mcp_list")
        let (nameless, _) = try connection.listTools()
        #expect(!failures(connection.receive(Array(Self.answer(Int(nameless), #"{"tools":[{}]}"#).utf8))).isEmpty)
        let (many, _) = try connection.listTools()
        let tools = Array(repeating: #"{"name":"t"}"#, count: AdapterLimits.listedToolsMax + 1).joined(separator: ",")
        #expect(!failures(connection.receive(Array(Self.answer(Int(many), #"{"tools":[\#(tools)]}"#).utf8))).isEmpty)
    }

    @Test(
        "what is no JSON-RPC ends the connection",
        arguments: [
            #"{"id":1,"result":{}}"#, #"{"jsonrpc":"1.0","id":2,"result":{}}"#, "17", #"{"jsonrpc":"2.0"}"#,
            #"{"jsonrpc":"2.0","method":5}"#,
            #"{"jsonrpc":"2.0","id":{},"method":"ping"}"#, "[]", #"[{"jsonrpc":"2.0","method":"x"}]"#,
        ])
    func malformed(message: String) throws {
        var connection = ready()
        _ = try connection.call(tool: "a", arguments: JSONObject())
        let actions = connection.receive(Array(message.utf8))
        #expect(givesUp(actions))
        #expect(failures(actions).map(\.code) == ["mcp_protocol"])
        #expect(connection.isClosed)
        #expect(connection.receive(Array(#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#.utf8)).isEmpty)
    }

    @Test("a banner is overlooked, but not without end")
    func junk() {
        var connection = ready()
        for _ in 0..<100 { #expect(connection.receive(Array("Server started!".utf8)).isEmpty) }
        #expect(givesUp(connection.receive(Array("Server started!".utf8))))
        var other = ready()
        #expect(givesUp(other.receive([UInt8](repeating: 0x20, count: AdapterLimits.messageBytesMax + 1))))
    }

    @Test("a batch is read in the version that has them")
    func batches() {
        var connection = ready(version: "2025-03-26")
        let actions = connection.receive(
            Array(#"[{"jsonrpc":"2.0","id":1,"method":"ping"},{"jsonrpc":"2.0","id":2,"method":"ping"}]"#.utf8))
        #expect(sent(actions).count == 2)
    }

    @Test("an error answers its call, and only some say that nothing was done")
    func errors() throws {
        for (code, hadNoEffect) in [(-32_601, true), (-32_602, false), (-32_000, false)] {
            var connection = ready()
            let (token, _) = try connection.call(tool: "a", arguments: JSONObject())
            let text = #"{"jsonrpc":"2.0","id":\#(token),"error":{"code":\#(code),"message":"no"}}"#
            let failure = failures(connection.receive(Array(text.utf8))).first
            #expect(failure?.code == "mcp_error")
            #expect(failure?.hadNoEffect == hadNoEffect)
        }
        var connection = ready()
        let (token, _) = try connection.call(tool: "a", arguments: JSONObject())
        #expect(failures(connection.receive(Array(Self.answer(Int(token), "5").utf8))).first?.code == "upstream_malformed")
    }

    @Test("calls beyond the limit are refused without effect, and the end answers all")
    func limits() throws {
        var connection = ready()
        for _ in 0..<AdapterLimits.callsPerServerMax { _ = try connection.call(tool: "a", arguments: JSONObject()) }
        let failure = #expect(throws: ToolFailure.self) { try connection.call(tool: "a", arguments: JSONObject()) }
        #expect(failure?.hadNoEffect == true)
        let end = connection.close(ToolFailure(code: "x", message: ""))
        #expect(failures(end).count == AdapterLimits.callsPerServerMax)
        #expect(connection.close(ToolFailure(code: "x", message: "")).isEmpty)
    }

    @Test("a result is its structured content, else its texts; other content is only listed")
    func results() throws {
        func value(_ text: String, bytesMax: Int = 1_000) throws -> JSONValue {
            try MCPMessage.value(of: try #require(JSONValue(parsing: text).objectValue), bytesMax: bytesMax)
        }
        #expect(try value(#"{"content":[{"type":"text","text":"3"}],"structuredContent":{"result":3}}"#) == ["result": 3])
        #expect(try value(#"{"content":[{"type":"text","text":"a"},{"type":"text","text":"b"}]}"#) == "a\nb")
        #expect(try value(#"{"content":[]}"#) == .null)
        #expect(
            try value(#"{"content":[{"type":"text","text":"a"},{"type":"image","data":"AAAA"}]}"#)
                == [["type": "text", "text": "a"], ["type": "image"]])
        let failed = #expect(throws: ToolFailure.self) { try value(#"{"isError":true,"content":[{"type":"text","text":"broken"}]}"#) }
        #expect(failed == ToolFailure(code: "tool_error", message: "broken", value: "broken"))
        let large = #expect(throws: ToolFailure.self) { try value(#"{"content":[{"type":"text","text":"aaaaaaaaaaaa"}]}"#, bytesMax: 10) }
        #expect(large?.code == "output_too_large")
    }

    @Test("a server that ends again and again waits longer each time, and starts over once it worked")
    func backoff() {
        var backoff = RestartBackoff()
        var now = ContinuousClock.now
        backoff.ended(at: now, didWork: false)
        #expect(backoff.allowsStart(at: now))
        for wait in [500, 1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000] {
            backoff.ended(at: now, didWork: false)
            #expect(!backoff.allowsStart(at: now + .milliseconds(wait - 1)))
            now += .milliseconds(wait)
            #expect(backoff.allowsStart(at: now))
        }
        backoff.ended(at: now, didWork: true)
        #expect(backoff.allowsStart(at: now))
    }

    @Test("lines and events come out alike, however their bytes are split")
    func splits() throws {
        let lines = Array("one\r\n\ntwo\nthree\n".utf8)
        let events = Array("\u{FEFF}:c\r\nevent: message\r\ndata: {\"a\":\rdata:1}\r\n\r\nid: 1\ndata: x\n\ndata\n\ndata: cut".utf8)
        for size in 1...lines.count {
            var framer = LineFramer(bytesMax: 10)
            var found: [[UInt8]] = []
            for start in stride(from: 0, to: lines.count, by: size) {
                try framer.push(lines[start..<min(start + size, lines.count)], into: &found)
            }
            #expect(found.map { String(decoding: $0, as: UTF8.self) } == ["one", "two", "three"])
        }
        for size in 1...events.count {
            var parser = EventStreamParser()
            var found: [ServerSentEvent] = []
            for start in stride(from: 0, to: events.count, by: size) {
                try events[start..<min(start + size, events.count)].withUnsafeBytes { try parser.push($0, into: &found) }
            }
            #expect(found.map(\.data).filter { !$0.isEmpty }.map { String(decoding: $0, as: UTF8.self) } == ["{\"a\":\n1}", "x"])
        }
        var strict = LineFramer(bytesMax: 3)
        var found: [[UInt8]] = []
        #expect(throws: LineFramer.TooLong.self) { try strict.push(Array("four".utf8), into: &found) }
        var cut = LineFramer(bytesMax: 3, isStrict: false)
        try cut.push(Array("fourteen\nok\n".utf8), into: &found)
        #expect(found.map { String(decoding: $0, as: UTF8.self) } == ["fou", "ok"])
    }
}
