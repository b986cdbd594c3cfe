import JSON
import Synchronization
import Testing
import Transport

/// One server alone, and two behind a ``ClusterPort`` that hands everything over in the process (S20, S23–S25). Needs
/// nothing but loopback.
@Suite("Socket.IO cluster port", .timeLimit(.minutes(1)))
struct SocketIOClusterTests {
    /// One server's way to the other. Commands go one by one, in order.
    private final class Link: ClusterPort {
        let other = Shared<SocketIOServer>()
        private let commands: AsyncStream<(ClusterCommand, String)>
        private let queue: AsyncStream<(ClusterCommand, String)>.Continuation

        init() { (commands, queue) = AsyncStream.makeStream() }

        func run() async { for await (command, namespace) in commands { await other.value?.perform(command, namespace: namespace) } }
        func end() { queue.finish() }
        func send(_ command: ClusterCommand, namespace: String) { queue.yield((command, namespace)) }
        func ask(_ question: ClusterQuestion, namespace: String, timeout: Duration) async -> ClusterAnswers {
            await other.value?.answer(question, namespace: namespace, timeout: timeout) ?? ClusterAnswers()
        }
    }

    private func two(
        _ setUp: @escaping @Sendable (Namespace, String) -> Void, _ body: @escaping @Sendable (TestServer, TestServer) async throws -> Void
    ) async throws {
        let (first, second) = (Link(), Link())
        async let firstEnds: Void = first.run()
        async let secondEnds: Void = second.run()
        let outcome: Result<Void, any Error>
        do {
            try await TestServer.quiet(cluster: first) { server in
                second.other.set(server)
                setUp(server.namespace("/"), "one")
            } _: { one in
                try await TestServer.quiet(cluster: second) { server in
                    first.other.set(server)
                    setUp(server.namespace("/"), "two")
                } _: { two in
                    try await body(one, two)
                }
            }
            outcome = .success(())
        } catch {
            outcome = .failure(error)
        }
        first.end()
        second.end()
        _ = await (firstEnds, secondEnds)
        try outcome.get()
    }

    @Test("S25: a server that is alone tells nobody, itself least, and has its answers, none, at once") func alone() async throws {
        let main = Shared<Namespace>()
        let heard = Atomic<Int>(0)
        try await TestServer.quiet { server in
            main.set(server.namespace("/"))
            server.namespace("/").onServerSide("x") { _ in
                heard.add(1, ordering: .relaxed)
                return .null
            }
        } _: { _ in
            let namespace = try #require(main.value)
            try namespace.serverSideEmit("x", [1])
            #expect(try await namespace.serverSideEmitWithAck("x", timeout: .seconds(3_600)) == [])
            #expect(heard.load(ordering: .relaxed) == 0)
        }
    }

    @Test("S25: names that mean something to servers are refused", arguments: ["connect", "connection", "new_namespace"])
    func reserved(_ name: String) async throws {
        let main = Shared<Namespace>()
        try await TestServer.quiet {
            main.set($0.namespace("/"))
        } _: { _ in
            let namespace = try #require(main.value)
            #expect(throws: ReservedServerSideName.self) { try namespace.serverSideEmit(name) }
            await #expect(throws: IncompleteAnswers(.reservedName)) { try await namespace.serverSideEmitWithAck(name) }
        }
    }

    @Test("S25: the other server hears it and answers; one that knows no such event is missing") func serverSide() async throws {
        let main = Shared<Namespace>()
        let (heard, report) = AsyncStream.makeStream(of: String.self)
        try await two { namespace, name in
            if name == "one" { main.set(namespace) }
            namespace.onServerSide("hello") { arguments in
                report.yield("\(name) \(arguments.count)")
                return .string(name)
            }
        } _: { _, _ in
            let namespace = try #require(main.value)
            try namespace.serverSideEmit("hello", [1])
            var iterator = heard.makeAsyncIterator()
            #expect(await iterator.next() == "two 1")
            #expect(try await namespace.serverSideEmitWithAck("hello", [1, 2]) == ["two"])
            #expect(await iterator.next() == "two 2")
            await #expect(throws: IncompleteAnswers(.timedOut, missing: 1)) { try await namespace.serverSideEmitWithAck("what?") }
        }
    }

    @Test("S20, S23, S24: broadcasts, answers, look-ups and commands reach both servers; `local` only this one") func both() async throws {
        let main = Shared<Namespace>()
        let (results, report) = AsyncStream.makeStream(of: String.self)
        try await two { namespace, name in
            if name == "one" { main.set(namespace) }
            namespace.onConnect { socket in try? socket.setData("server", .string(name)) }
        } _: { one, two in
            let namespace = try #require(main.value)
            let (here, _) = try await one.openSocket()
            let (there, _) = try await two.openSocket()
            namespace.local.emit("local")
            namespace.emit("both", [1])
            #expect(try await here.text() == #"42["local"]"#)
            for socket in [here, there] { #expect(try await socket.text() == #"42["both",1]"#) }
            #expect(await namespace.fetchSockets().compactMap { $0.data["server"]?.stringValue }.sorted() == ["one", "two"])
            #expect(await namespace.local.fetchSockets().count == 1)
            let asking = Task {
                let answers = try? await namespace.emitWithAck("question")
                report.yield("\(answers?.compactMap(\.stringValue).sorted() ?? ["failed"])")
            }
            for (socket, answer) in [(here, "h"), (there, "t")] {
                #expect(try await socket.text() == #"420["question"]"#)
                socket.say("430[\"\(answer)\"]")
            }
            await asking.value
            var iterator = results.makeAsyncIterator()
            #expect(await iterator.next() == #"["h", "t"]"#)
            namespace.socketsJoin("r")
            namespace.to("r").emit("room")
            for socket in [here, there] { #expect(try await socket.text() == #"42["room"]"#) }
            namespace.socketsLeave("r")
            namespace.to("r").emit("room")
            namespace.disconnectSockets()
            for socket in [here, there] { #expect(try await socket.text() == "41") }
        }
    }
}
