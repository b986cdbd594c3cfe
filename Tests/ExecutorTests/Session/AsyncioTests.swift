import JSON
import Testing

@testable import Executor

extension SandboxTests {
    /// asyncio behind a filter without sockets: Python/agent_asyncio.py.
    @Suite("asyncio in sandboxes", .serialized) struct AsyncioTests {
        private func expect(
            _ value: JSONValue, _ code: String, tools: [String] = [], _ handler: TestHandler = TestHandler(),
            sourceLocation: SourceLocation = #_sourceLocation
        ) async throws {
            let rig = try await SessionRig()
            let result = try await rig.run(code, tools: tools, handler)
            #expect(result.exit == .ok, "\(result.stderr.text)", sourceLocation: sourceLocation)
            #expect(result.value == value, sourceLocation: sourceLocation)
            #expect(result.stderr.text == "", sourceLocation: sourceLocation)
            await rig.close()
        }

        @Test("calls of tools run beside each other through to_thread and gather")
        func gather() async throws {
            let handler = TestHandler(answer: { call in
                try? await Task.sleep(for: .milliseconds(50))
                return .value(.object(call.arguments))
            })
            try await expect(
                [["i": 0], ["i": 1], ["i": 2], ["i": 3], "timer"],
                """
                import asyncio
                from agent_tools import tools
                async def timer():
                    await asyncio.sleep(0.01)
                    return "timer"
                async def main():
                    calls = [asyncio.to_thread(tools.shop.echo, i=i) for i in range(4)]
                    return await asyncio.gather(*calls, timer())
                asyncio.run(main())
                """, tools: ["shop.echo"], handler)
            #expect(handler.seen.calls.count == 4)
        }

        @Test("loops come and go, are woken by threads and signals, and leave no descriptor")
        func loops() async throws {
            try await expect(
                [true, [0, 1, 2], 0],
                """
                import asyncio, os, signal, threading
                def count():
                    found = 0
                    for number in range(64):
                        try: os.fstat(number)
                        except OSError: continue
                        found += 1
                    return found
                async def signalled():
                    loop, event = asyncio.get_running_loop(), asyncio.Event()
                    loop.add_signal_handler(signal.SIGUSR1, event.set)
                    os.kill(os.getpid(), signal.SIGUSR1)
                    await asyncio.wait_for(event.wait(), 5)
                    return True
                async def woken(value):
                    loop = asyncio.get_running_loop()
                    future = loop.create_future()
                    threading.Timer(0.01, lambda: loop.call_soon_threadsafe(future.set_result, value)).start()
                    return await asyncio.wait_for(future, 5)
                before = count()
                values = [asyncio.run(signalled()), [asyncio.run(woken(value)) for value in range(3)]]
                values + [count() - before]
                """)
        }

        @Test("a subprocess of the interpreter is fed and read")
        func subprocess() async throws {
            try await expect(
                [0, 300_000, "cba"],
                """
                import asyncio, sys
                async def main():
                    child = await asyncio.create_subprocess_exec(
                        sys.executable, "-I", "-S", "-c", "import sys; print(sys.stdin.read()[::-1], end='')",
                        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE)
                    out, _ = await child.communicate(b"abc" * 100_000)
                    return [child.returncode, len(out), out[:3].decode()]
                asyncio.run(main())
                """)
        }

        @Test("a connection is refused as any other, and pairs of sockets stay what they are")
        func sockets() async throws {
            try await expect(
                ["PermissionError", "PermissionError"],
                """
                import asyncio, socket
                names = []
                async def main():
                    try: await asyncio.open_connection("127.0.0.1", 9)
                    except OSError as error: names.append(type(error).__name__)
                asyncio.run(main())
                try: socket.socketpair()
                except OSError as error: names.append(type(error).__name__)
                names
                """)
        }
    }
}
