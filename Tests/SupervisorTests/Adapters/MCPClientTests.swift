import JSON
import Supervisor
import Synchronization
import Testing

@testable import SupervisorAdapters

/// A transport whose other end is the test.
private final class FakeTransport: MCPTransport {
    private struct State {
        var sent: [JSONValue] = []
        var forgotten: [Int64] = []
        var isClosed = false
        var accepts = true
    }

    private let state = Mutex(State())
    let client: MCPClient
    /// Answers a message from another task, as a transport has to.
    private let answer: @Sendable (JSONValue) -> [String]

    var sent: [JSONValue] { state.withLock { $0.sent } }
    var forgotten: [Int64] { state.withLock { $0.forgotten } }
    var isClosed: Bool { state.withLock { $0.isClosed } }
    func stopAccepting() { state.withLock { $0.accepts = false } }

    init(_ client: MCPClient, answer: @escaping @Sendable (JSONValue) -> [String]) {
        self.client = client
        self.answer = answer
    }

    func send(_ message: [UInt8], _ purpose: MCPConnection.Purpose) -> Bool {
        guard let value = try? JSONValue(parsing: message) else { return false }
        let accepts = state.withLock { state in
            if state.accepts { state.sent.append(value) }
            return state.accepts
        }
        guard accepts else { return false }
        Task {
            if purpose == .announcement { client.announced() }
            for text in answer(value) { client.received(Array(text.utf8)) }
        }
        return true
    }

    func forget(id: Int64) { state.withLock { $0.forgotten.append(id) } }
    func negotiated(version: String) {}
    func close() async { state.withLock { $0.isClosed = true } }
}

@Suite("The MCP client over a scripted transport")
struct MCPClientTests {
    private static func result(_ request: JSONValue, _ result: String) -> String {
        #"{"jsonrpc":"2.0","id":\#(request["id"]?.integerValue ?? 0),"result":\#(result)}"#
    }

    /// Answers the handshake, and other requests by `answer`.
    private func connected(_ answer: @escaping @Sendable (JSONValue) -> [String]) async throws -> (MCPClient, FakeTransport) {
        let client = MCPClient()
        let transport = FakeTransport(client) { request in
            guard request["method"] == "initialize" else { return answer(request) }
            return [Self.result(request, #"{"protocolVersion":"2025-06-18","capabilities":{"tools":{}}}"#)]
        }
        try await client.start(over: transport)
        return (client, transport)
    }

    @Test("calls at the same time each get their own answer")
    func several() async throws {
        let (client, transport) = try await connected { request in
            guard let name = request["params"]?["name"]?.stringValue else { return [] }
            return [Self.result(request, #"{"name":"\#(name)"}"#)]
        }
        try await withThrowingTaskGroup(of: Void.self) { group in
            for number in 0..<32 {
                group.addTask {
                    let result = try await client.call(tool: "t\(number)", arguments: JSONObject())
                    #expect(result["name"] == .string("t\(number)"))
                }
            }
            try await group.waitForAll()
        }
        #expect(client.hasAnswered)
        #expect(transport.sent.count == 34)
    }

    @Test("cancelling the task ends the call at once, tells the server, and lets the transport forget it")
    func cancellation() async throws {
        let asked = Once<Bool>()
        let (client, transport) = try await connected { request in
            if request["method"] == "tools/call" { asked.resume(true) }
            return []
        }
        let call = Task { () -> ToolFailure? in
            do throws(ToolFailure) {
                _ = try await client.call(tool: "slow", arguments: JSONObject())
                return nil
            } catch {
                return error
            }
        }
        _ = await asked.value()
        call.cancel()
        let failure = await call.value
        #expect(failure?.code == "cancelled")
        #expect(failure?.hadNoEffect == false)
        #expect(transport.sent.last?["method"] == "notifications/cancelled")
        #expect(transport.forgotten == [2])
    }

    @Test("progress is told before the answer")
    func progress() async throws {
        let (client, _) = try await connected { request in
            guard let token = request["params"]?["_meta"]?["progressToken"]?.integerValue else { return [] }
            let news = #"{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":\#(token),"progress":1}}"#
            return [news, Self.result(request, "{}")]
        }
        let told = Mutex<[JSONObject]>([])
        _ = try await client.call(tool: "t", arguments: JSONObject()) { news in told.withLock { $0.append(news) } }
        #expect(told.withLock { $0 } == [JSONObject([("progress", 1)])])
    }

    @Test("a server that breaks the protocol, and one that does not read, end all calls")
    func breaks() async throws {
        let (client, transport) = try await connected { request in
            request["method"] == "tools/call" ? [#"{"jsonrpc":"3.0"}"#] : []
        }
        let failure = await #expect(throws: ToolFailure.self) { try await client.call(tool: "t", arguments: JSONObject()) }
        #expect(failure?.code == "mcp_protocol")
        #expect(client.isClosed)
        let after = await #expect(throws: ToolFailure.self) { try await client.call(tool: "t", arguments: JSONObject()) }
        #expect(after?.hadNoEffect == true)
        _ = transport

        let (stuck, full) = try await connected { _ in [] }
        full.stopAccepting()
        let refused = await #expect(throws: ToolFailure.self) { try await stuck.call(tool: "t", arguments: JSONObject()) }
        #expect(refused?.code == "upstream_broken")
        #expect(stuck.isClosed)
    }

    @Test("a transport that closes during the handshake is told, not waited for")
    func closes() async throws {
        let client = MCPClient()
        let transport = FakeTransport(client) { _ in
            client.closed(ToolFailure(code: "upstream_broken", message: "gone"))
            return []
        }
        let failure = await #expect(throws: ToolFailure.self) { try await client.start(over: transport) }
        #expect(failure?.code == "upstream_broken")
    }
}
