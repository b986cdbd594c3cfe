import Glibc
import JSON
import Synchronization
import Testing

@testable import Executor

extension SandboxTests {
    @Suite("Jobs in sandboxes", .serialized) struct HostTests {
        @Test("inputs arrive, tools answer, progress is told, in order")
        func conversation() async throws {
            let rig = try await SessionRig()
            let handler = TestHandler()
            let result = try await rig.run(
                """
                from agent_tools import tools, inputs, progress, emit
                print('before')
                emit('steps', {'n': 1})
                answer = tools.call('shop.echo', {'a': inputs['a']}, idempotency_key='k1')
                print('after', answer)
                answer
                """, inputs: JSONObject([("a", [1, "zwei"])]), tools: ["shop.echo"], handler)
            #expect(result.exit == .ok, "\(result.stderr.text)")
            #expect(result.value == ["a": [1, "zwei"]])
            #expect(
                handler.seen.calls == [
                    SandboxCall(id: 1, tool: "shop.echo", arguments: JSONObject([("a", [1, "zwei"])]), idempotencyKey: "k1")
                ])
            #expect(handler.seen.emitted.map(\.data) == [["n": 1]])
            #expect(handler.text(.stdout) == "before\nafter {'a': [1, 'zwei']}\n")
            await rig.close()
        }

        @Test("16 calls at a time, the others are refused and logged")
        func parallel() async throws {
            let rig = try await SessionRig()
            let most = Mutex((now: 0, most: 0))
            let handler = TestHandler(answer: { call in
                most.withLock { $0 = ($0.now + 1, max($0.most, $0.now + 1)) }
                try? await Task.sleep(for: .milliseconds(300))
                most.withLock { $0.now -= 1 }
                return .value(.object(call.arguments))
            })
            let result = try await rig.run(
                """
                import threading
                from agent_tools import tools, ToolError
                codes = []
                def one(i):
                    try: codes.append('ok' if tools.echo(i=i) == {'i': i} else 'wrong')
                    except ToolError as error: codes.append(error.code)
                threads = [threading.Thread(target=one, args=(i,)) for i in range(30)]
                [t.start() for t in threads]; [t.join() for t in threads]
                [codes.count('ok'), codes.count('too_many_inflight'), len(codes)]
                """, tools: ["echo"], handler)
            #expect(result.exit == .ok, "\(result.stderr.text)")
            let counts = try #require(result.value?.arrayValue?.compactMap { $0.integerValue })
            #expect(counts[2] == 30 && counts[0] + counts[1] == 30 && counts[0] >= 16)
            #expect(most.withLock(\.most) <= 16)
            #expect(handler.seen.refused.count == Int(counts[1]))
            await rig.close()
        }

        @Test("the time of a call is not the code's")
        func toolTime() async throws {
            let rig = try await SessionRig { $0.limits.wall = .seconds(2) }
            let handler = TestHandler(answer: { _ in
                try? await Task.sleep(for: .milliseconds(2_500))
                return .value(1)
            })
            let result = try await rig.run("from agent_tools import tools\ntools.slow()", tools: ["slow"], handler)
            #expect(result.exit == .ok, "\(String(describing: result.detail)) \(result.stderr.text)")
            #expect(result.wall > .milliseconds(2_500))
            await rig.close()
        }

        @Test("code that raises is an error with its traceback; a status is an error too")
        func errors() async throws {
            let rig = try await SessionRig()
            let raised = try await rig.run("def f(): raise ValueError('no')\nf()")
            #expect(raised.exit == .error)
            #expect(raised.detail == "status 1")
            #expect(raised.stderr.text.contains("ValueError: no"))
            #expect(raised.value == nil)
            let left = try await rig.run("import sys\nsys.exit(3)")
            #expect(left.exit == .error)
            #expect(left.status == .exited(3))
            await rig.close()
        }

        @Test("a cancelled job is killed and returns long before its limit")
        func cancel() async throws {
            let rig = try await SessionRig()
            let (started, begin) = AsyncStream.makeStream(of: Void.self)
            let handler = TestHandler(heard: { _ in begin.yield() })
            let task = Task { try await rig.run("import time\nprint('go')\ntime.sleep(60)", handler) }
            for await _ in started { break }
            let start = ContinuousClock.now
            task.cancel()
            let result = try await task.value
            #expect(ContinuousClock.now - start < .seconds(5))
            #expect(result.exit == .killed)
            #expect(result.stdout.text == "go\n")
            await rig.close()
        }

        @Test("a job that is cancelled while a tool works ends both")
        func cancelCall() async throws {
            let rig = try await SessionRig()
            let (started, begin) = AsyncStream.makeStream(of: Void.self)
            let wasCancelled = Mutex(false)
            let handler = TestHandler(answer: { _ in
                begin.yield()
                try? await Task.sleep(for: .seconds(60))
                wasCancelled.withLock { $0 = Task.isCancelled }
                return .value(1)
            })
            let task = Task { try await rig.run("from agent_tools import tools\ntools.slow()", tools: ["slow"], handler) }
            for await _ in started { break }
            task.cancel()
            #expect(try await task.value.exit == .killed)
            #expect(wasCancelled.withLock { $0 })
            await rig.close()
        }

        @Test("a shutdown kills what runs, refuses what comes, and leaves nothing")
        func shutdown() async throws {
            let rig = try await SessionRig { $0.warm = 1 }
            let (started, begin) = AsyncStream.makeStream(of: Void.self)
            let handler = TestHandler(heard: { _ in begin.yield() })
            let task = Task { try await rig.run("import time\nprint('go')\ntime.sleep(60)", handler) }
            for await _ in started { break }
            await rig.close()
            #expect(try await task.value.exit == .killed)
            let refusal = await #expect(throws: SandboxRefusal.self) { try await rig.run("1") }
            #expect(refusal?.kind == "stopping")
        }

        @Test("a shutdown while the pool is filled waits for no start")
        func shutdownWhileStarting() async throws {
            let rig = try await SessionRig { $0.warm = 4 }
            let start = ContinuousClock.now
            await rig.close()
            #expect(ContinuousClock.now - start < .seconds(5))
        }

        @Test("as many jobs as there may be sandboxes; the next is refused at once")
        func most() async throws {
            let rig = try await SessionRig { $0.most = 2 }
            let (started, begin) = AsyncStream.makeStream(of: Void.self)
            let handler = TestHandler(heard: { _ in begin.yield() })
            let tasks = (0..<2).map { _ in Task { try await rig.run("import time\nprint('go')\ntime.sleep(60)", handler) } }
            var count = 0
            for await _ in started {
                count += 1
                if count == 2 { break }
            }
            let refusal = await #expect(throws: SandboxRefusal.self) { try await rig.run("1") }
            #expect(refusal?.kind == "tooMany")
            for task in tasks { task.cancel() }
            for task in tasks { #expect(try await task.value.exit == .killed) }
            await rig.close()
        }

        @Test("bytes that are no frames end the job as protocol_limit, named")
        func violation() async throws {
            let rig = try await SessionRig()
            let result = try await rig.run("import os, time\nos.write(3, b'\\xff\\xff\\xff\\xff')\ntime.sleep(60)")
            #expect(result.exit == .protocolLimit)
            #expect(result.detail == "frame_length")
            await rig.close()
        }

        @Test("code that is longer than a frame runs nowhere")
        func tooLong() async throws {
            let rig = try await SessionRig()
            let result = try await rig.run(String(repeating: "#", count: 5 << 20))
            #expect(result.exit == .protocolLimit)
            #expect(result.detail == "frame_length")
            let long = try await rig.run(String(repeating: "#", count: 3 << 20) + "\n7")
            #expect(long.value == 7)
            await rig.close()
        }

        @Test("half a frame and then silence is timeout (test 45)")
        func halfFrame() async throws {
            let rig = try await SessionRig { $0.limits.wall = .seconds(1) }
            let result = try await rig.run("import os, time\nos.write(3, bytes((0, 0, 1, 0, 123)))\ntime.sleep(60)")
            #expect(result.exit == .timeout)
            await rig.close()
        }

        @Test("replies that nobody reads end the job (test 55)")
        func unread() async throws {
            let rig = try await SessionRig()
            let text = String(repeating: "x", count: 1 << 20)
            let handler = TestHandler(answer: { _ in .value(.string(text)) })
            // Stops the reading thread by never letting it run: one process writes frames, and sleeps in C.
            let result = try await rig.run(
                """
                import os, json, signal, time
                def frame(i):
                    body = json.dumps({'type': 'call', 'id': i, 'tool': 'echo', 'args': {}}).encode()
                    return len(body).to_bytes(4, 'big') + body
                if os.fork() == 0:
                    for i in range(1, 300):
                        os.write(3, frame(i)); time.sleep(0.002)
                    time.sleep(60)
                os.kill(os.getpid(), signal.SIGSTOP)
                """, tools: ["echo"], handler)
            #expect(result.exit == .protocolLimit)
            #expect(result.detail == "unread_replies")
            await rig.close()
        }

        @Test("a machine that is not safe enough runs no code, and says why")
        func belowMinimum() async throws {
            var template = Array("/tmp/kdcube-session-XXXXXX".utf8CString)
            let directory = String(cString: try #require(mkdtemp(&template)))
            chmod(directory, 0o711)
            defer { rmdir(directory) }
            var settings = SandboxSettings(directory: "\(directory)/sandboxes")
            settings.slots = "\(directory)/uids"
            settings.bubblewrap = "/nonexistent/bwrap"
            let host = SandboxHost(settings, observer: CountingObserver())
            let refusal = await #expect(throws: SandboxRefusal.self) { try await host.start() }
            #expect(refusal?.kind == "belowMinimum")
            #expect(try #require(host.report).level < .full)
            #expect(try #require(host.report).complaint.isEmpty == false)
            let second = await #expect(throws: SandboxRefusal.self) {
                try await host.run(SandboxJob(code: "1"), handler: TestHandler())
            }
            #expect(second?.kind == "belowMinimum")
            await host.shutdown()
            rmdir(settings.directory)
            rmdir(settings.slots)
        }
    }
}

extension SandboxRefusal {
    fileprivate var kind: String {
        switch self {
        case .belowMinimum: "belowMinimum"
        case .tooMany: "tooMany"
        case .launch: "launch"
        case .stopping: "stopping"
        }
    }
}
