import Synchronization
import Testing
import Transport

/// Asynchronous handlers of types: their order, their limit, and what becomes of them when the client leaves (S19).
@Suite("Socket.IO handlers that wait", .timeLimit(.minutes(1)))
struct HandlerQueueTests {
    static let number = Event<Int>("n")

    @Test("S19: those of one socket run one after the other in the order of the wire; what does not wait goes first") func order()
        async throws
    {
        let running = Mutex(0)
        try await TestServer.quiet { server in
            let main = server.namespace("/")
            main.on(Self.number) { socket, number in
                #expect(
                    running.withLock { count in
                        count += 1
                        return count == 1
                    })
                for _ in 0..<(number % 7) { await Task.yield() }
                running.withLock { $0 -= 1 }
                return number
            }
            main.on(Signal("now")) { _ in "now" }
        } _: { server in
            let (socket, _) = try await server.openSocket()
            for number in 0..<50 { socket.say(#"42\#(number)["n",\#(number)]"#) }
            for number in 0..<50 { #expect(try await socket.text() == "43\(number)[\(number)]") }
        }
    }

    @Test("An event that waits behind too many others is refused, and the client may go on") func full() async throws {
        let gate = Gate()
        try await TestServer.quiet { server in
            let main = server.namespace("/")
            main.on(Self.number) { _, number async in
                await gate.wait()
                return number
            }
            main.on(Signal("now")) { _ in "now" }
        } _: { server in
            let (socket, _) = try await server.openSocket()
            socket.say(#"421000["n",0]"#)
            #expect(await eventually { gate.isWaitedFor })
            let max = TransportLimits.waitingHandlersMax
            for number in 1...(max + 2) { socket.say(#"42\#(number)["n",\#(number)]"#) }
            for number in (max + 1)...(max + 2) {
                #expect(try await socket.text() == #"43\#(number)[{"ok":false,"error":{"code":"busy"}}]"#)
            }
            socket.say(#"42999["now"]"#)
            #expect(try await socket.text() == #"43999["now"]"#)
            gate.open()
            for number in [1000] + Array(1...max) { #expect(try await socket.text().hasPrefix("43\(number)[")) }
            socket.say(#"427["n",7]"#)
            #expect(try await socket.text() == "437[7]")
            #expect(try await server.shows(#"kdcube_socketio_event_faults_total{fault="busy"} 2"#))
        }
    }

    @Test("Large arguments fill the queue sooner; one alone may be as large as a packet") func bytes() async throws {
        let gate = Gate()
        try await TestServer.quiet { server in
            server.namespace("/").on(Event<String>("text")) { _, text async in
                await gate.wait()
                return text.utf8.count
            }
        } _: { server in
            let (socket, _) = try await server.openSocket()
            let large = String(repeating: "x", count: 900_000)
            socket.say(#"421["text","\#(large)"]"#)
            #expect(await eventually { gate.isWaitedFor })
            socket.say(#"422["text","\#(large)"]"#)
            socket.say(#"423["text","\#(large)"]"#)
            #expect(try await socket.text() == #"433[{"ok":false,"error":{"code":"busy"}}]"#)
            gate.open()
            for id in 1...2 { #expect(try await socket.text() == "43\(id)[900000]") }
        }
    }

    @Test("What was accepted before the client left is brought to its end") func left() async throws {
        let gate = Gate()
        let done = Mutex<[Int]>([])
        try await TestServer.quiet { server in
            server.namespace("/").on(Self.number) { _, number async in
                await gate.wait()
                done.withLock { $0.append(number) }
            }
        } _: { server in
            let (socket, _) = try await server.openSocket()
            for number in 0..<3 { socket.say(#"42["n",\#(number)]"#) }
            socket.say("41")
            #expect(try await server.shows("kdcube_sockets 0"))
            gate.open()
            #expect(await eventually { done.withLock { $0 } == [0, 1, 2] })
        }
    }
}

/// Lets nobody through until it is opened. A `Mutex` guards who waits.
private final class Gate: Sendable {
    private let state = Mutex<(isOpen: Bool, waiting: [CheckedContinuation<Void, Never>])>((false, []))

    var isWaitedFor: Bool { state.withLock { !$0.waiting.isEmpty } }

    func wait() async {
        await withCheckedContinuation { continuation in
            let isOpen = state.withLock { state in
                if !state.isOpen { state.waiting.append(continuation) }
                return state.isOpen
            }
            if isOpen { continuation.resume() }
        }
    }

    func open() {
        let waiting = state.withLock { state in
            defer { state = (true, []) }
            return state.waiting
        }
        for continuation in waiting { continuation.resume() }
    }
}
