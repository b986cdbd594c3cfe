import Glibc
import JSON
import NIOCore
import NIOPosix
import Supervisor
import Synchronization
import Testing

@testable import SupervisorAdapters

/// The virtual environment of the end-to-end tests, with the public Python SDK in it.
private enum Rig {
    private static let root = #filePath.split(separator: "/").dropLast(4).reduce("") { "\($0)/\($1)" }
    static let python = root + "/.tools/venv/bin/python"
    static let script = root + "/Tests/EndToEnd/rig/mcp_server.py"

    static var isThere: Bool {
        let package = glob(root + "/.tools/venv/lib/python3*/site-packages/mcp/server/mcpserver/__init__.py")
        return access(python, X_OK) == 0 && package
    }

    private static func glob(_ pattern: String) -> Bool {
        var found = glob_t()
        defer { globfree(&found) }
        return Glibc.glob(pattern, 0, nil, &found) == 0
    }

    static func stdio(_ tool: String, environment: [NamedText] = []) -> AdapterDefinition {
        .mcp(MCPDefinition(server: .command([python, script], environment: environment), tool: tool))
    }
}

@Suite("MCP servers of the public Python SDK", .enabled(if: Rig.isThere, "needs scripts/setup.sh --test: the mcp package in .tools/venv"))
struct MCPServerTests {
    @Test("a child is asked: results, failures, arguments that do not fit, several at once over one process")
    func stdio() async throws {
        let lines = Lines()
        try await withAdapters(log: lines) { adapters in
            try await adapters.check(Rig.stdio("add"))
            #expect(await adapters.run(try admitted(Rig.stdio("add"), ["a": 2, "b": 3])) == .success(["result": 5]))
            let failed = await adapters.run(try admitted(Rig.stdio("fail"), ["message": "no luck"])).failure
            #expect(failed?.code == "tool_error")
            #expect(failed?.message.contains("no luck") == true)
            #expect(await adapters.run(try admitted(Rig.stdio("add"), ["a": "x"])).failure != nil)
            try await withThrowingTaskGroup(of: Void.self) { group in
                for number in 0..<16 {
                    group.addTask {
                        let answer = await adapters.run(try admitted(Rig.stdio("add"), ["a": .integer(Int64(number)), "b": 1]))
                        #expect(answer == .success(["result": .integer(Int64(number + 1))]))
                    }
                }
                try await group.waitForAll()
            }
        }
        #expect(lines.all.filter { $0.hasPrefix("ended") }.count == 1)
    }

    @Test("a child that no tool names any longer ends when its last call is over, and is started anew when one does")
    func unnamed() async throws {
        let lines = Lines()
        let ended = { lines.all.filter { $0.hasPrefix("ended") }.count }
        try await withAdapters(log: lines) { adapters in
            adapters.keep([Rig.stdio("slow"), Rig.stdio("add")])
            let hasBegun = Mutex(false)
            async let slow = adapters.run(
                try admitted(Rig.stdio("slow"), ["steps": 3, "pause": .number("0.1")]) { _ in hasBegun.withLock { $0 = true } })
            while !hasBegun.withLock({ $0 }) { try await Task.sleep(for: .milliseconds(10)) }
            adapters.keep([])
            #expect(await slow == .success(["result": "3 steps"]))
            while ended() == 0 { try await Task.sleep(for: .milliseconds(10)) }
            adapters.keep([Rig.stdio("add")])
            #expect(await adapters.run(try admitted(Rig.stdio("add"), ["a": 2, "b": 3])) == .success(["result": 5]))
            #expect(ended() == 1)
            adapters.keep([])
            while ended() == 1 { try await Task.sleep(for: .milliseconds(10)) }
        }
    }

    @Test("a tool that the server does not have is told at start, with those it has")
    func unknown() async throws {
        try await withAdapters { adapters in
            let failure = await #expect(throws: ToolFailure.self) { try await adapters.check(Rig.stdio("subtract")) }
            #expect(failure?.code == "unknown_tool")
            #expect(failure?.message.contains("add") == true)
        }
    }

    @Test("a child sees the listed environment alone, and secret values are not told")
    func environment() async throws {
        try await withAdapters { adapters in
            let listed = [NamedText("API_TOKEN", "s3cr3t-token"), NamedText("LANG", "C.UTF-8")]
            let names = await adapters.run(try admitted(Rig.stdio("environment", environment: listed)))
            #expect(names == .success("API_TOKEN LANG"))
            let value = await adapters.run(try admitted(Rig.stdio("value_of", environment: listed), ["name": "API_TOKEN"]))
            #expect(value == .success("***"))
        }
    }

    @Test("progress is told, and a cancelled call stops in the server")
    func progress() async throws {
        try await withAdapters { adapters in
            let told = Mutex<[ToolNews]>([])
            let call = try admitted(Rig.stdio("slow"), ["steps": 3, "pause": 0]) { news in told.withLock { $0.append(news) } }
            #expect(await adapters.run(call) == .success(["result": "3 steps"]))
            #expect(told.withLock { $0.count } == 3)

            let begun = Once<Bool>()
            let slow = Task {
                await adapters.run(
                    try admitted(Rig.stdio("slow"), ["steps": 1_000, "pause": .number("0.01")]) { _ in begun.resume(true) })
            }
            _ = await begun.value()
            slow.cancel()
            let stopped = try await slow.value
            #expect(stopped.failure?.code == "cancelled")
            // The notice came before this call does.
            #expect(await adapters.run(try admitted(Rig.stdio("cancellations"))) == .success(["result": 1]))
            let late = await adapters.run(
                try admitted(Rig.stdio("slow"), ["steps": 1_000, "pause": .number("0.01")], deadline: .milliseconds(100)))
            #expect(late.failure?.isTimeout == true)
        }
    }

    @Test("a child that ends fails its calls, is logged, and is started again for the next")
    func restart() async throws {
        let lines = Lines()
        try await withAdapters(log: lines) { adapters in
            #expect(await adapters.run(try admitted(Rig.stdio("add"), ["a": 1, "b": 1])) == .success(["result": 2]))
            let gone = await adapters.run(try admitted(Rig.stdio("leave"), ["status": 7])).failure
            #expect(gone?.code == "upstream_broken")
            #expect(gone?.hadNoEffect == false)
            #expect(await adapters.run(try admitted(Rig.stdio("add"), ["a": 1, "b": 1])) == .success(["result": 2]))
        }
        #expect(lines.all.contains("ended with status 7"))
        #expect(lines.all.contains("leaving with 7"))
    }

    @Test("streamable HTTP: events and JSON, progress, cancellation, and a session that the server forgot", arguments: [false, true])
    func http(json: Bool) async throws {
        let port = try await freePort()
        let first = try await RunningServer(port: port, json: json)
        let server = MCPDefinition.Server.url(
            "http://127.0.0.1:\(port)/mcp", headers: [], allowHosts: ["127.0.0.1"], privateHosts: ["127.0.0.1"])
        try await withAdapters { adapters in
            try await adapters.check(.mcp(MCPDefinition(server: server, tool: "add")))
            let add = AdapterDefinition.mcp(MCPDefinition(server: server, tool: "add"))
            #expect(await adapters.run(try admitted(add, ["a": 2, "b": 3])) == .success(["result": 5]))
            let slow = AdapterDefinition.mcp(MCPDefinition(server: server, tool: "slow"))
            let told = Mutex(0)
            let call = try admitted(slow, ["steps": 3, "pause": 0]) { _ in told.withLock { $0 += 1 } }
            #expect(await adapters.run(call) == .success(["result": "3 steps"]))
            // One JSON answer has no place for progress.
            #expect(told.withLock { $0 } == (json ? 0 : 3))
            let late = await adapters.run(try admitted(slow, ["steps": 1_000, "pause": 1], deadline: .milliseconds(200)))
            #expect(late.failure?.isTimeout == true)
            await first.stop()
            let second = try await RunningServer(port: port, json: json)
            #expect(await adapters.run(try admitted(add, ["a": 2, "b": 2])) == .success(["result": 4]))
            await second.stop()
        }
    }

    private func freePort() async throws -> Int {
        let channel = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton).bind(host: "127.0.0.1", port: 0).get()
        let port = channel.localAddress?.port
        try await channel.close()
        return try #require(port)
    }

    /// The rig's server as a process that listens.
    private struct RunningServer {
        private let child: ChildProcess
        private let pipes: ChildProcess.Pipes

        init(port: Int, json: Bool) async throws {
            let arguments = [Rig.python, Rig.script, "--http", String(port)] + (json ? ["--json"] : [])
            (child, pipes) = try await ChildProcess.start(arguments: arguments, environment: [])
            for _ in 0..<400 {
                let channel = try? await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
                    .connect(host: "127.0.0.1", port: port).get()
                if let channel {
                    try await channel.close()
                    return
                }
                try await Task.sleep(for: .milliseconds(50))
            }
            throw ToolFailure(code: "test", message: "the server does not listen")
        }

        func stop() async {
            child.signal(SIGKILL)
            _ = await child.status()
            for end in [pipes.input, pipes.output, pipes.error] { close(end) }
        }
    }
}
