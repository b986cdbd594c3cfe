import JSON
import Testing

@testable import Executor

/// Needs /usr/bin/python3; runs it as a plain child, without a sandbox.
@Suite("Executor: the interpreter at the other end of the channel", .enabled(if: PlainInterpreter.isThere), .serialized)
struct ChannelPythonTests {
    @Test("the value is that of the last expression, or of the global result")
    func values() async throws {
        let cases: [(String, JSONValue)] = [
            ("1 + 1", 2), ("x = 3\nresult = [x]", [3]), ("result = 1\nprint('x')", 1), ("pass", .null), ("", .null),
            ("{'a': (1, 2)}", ["a": [1, 2]]), ("{1, 2}", "{1, 2}"), ("import sys\nresult = 5\nsys.exit()", 5),
        ]
        for (code, value) in cases {
            let outcome = try await PlainInterpreter.run(code)
            #expect(outcome.value == value, "\(code)")
            #expect(outcome.status == 0, "\(code): \(outcome.stderr)")
        }
    }

    @Test("a value that no frame may hold is told all the same")
    func awkwardValues() async throws {
        let code = "[0.1 + 0.2, float('nan'), 10**30, -0.0, 6e23, 1e-320, 'a\\0b\\ud800', {1: 2}, '\u{1F600}', True, 1e18]"
        let outcome = try await PlainInterpreter.run(code)
        let expected = #"[0.3,"nan","1000000000000000000000000000000",0.0,"6e+23","1e-320","a�b?",{"1":2},"😀",true,1e+18]"#
        #expect(outcome.value?.jsonText == expected)
        for code in ["'x' * 3_000_000", "'\\x01' * 3_000_000", "[0] * 20_000", "{'k' * 200: 1}", "x = []\nx.append(x)\nx", "10 ** 5000"] {
            let outcome = try await PlainInterpreter.run(code)
            #expect(outcome.value?.stringValue != nil, "\(code): \(outcome.actions)")
            #expect(outcome.status == 0, "\(code)")
        }
    }

    @Test("a call names its arguments and gets the value of its answer; inputs and names of tools are there")
    func calls() async throws {
        let code = """
            from agent_tools import tools, inputs
            a = tools.payments.refund(order_id=inputs["order"], amount="20.00")
            b = tools.call("mail.send", {"draft": None}, idempotency_key="k1")
            result = [a, b, list(tools)]
            """
        let outcome = try await PlainInterpreter.run(code, inputs: JSONObject([("order", "A1")]), tools: ["mail.send"])
        #expect(outcome.stderr == "")
        #expect(
            outcome.actions.calls == [
                SandboxCall(id: 1, tool: "payments.refund", arguments: JSONObject([("order_id", "A1"), ("amount", "20.00")])),
                SandboxCall(id: 2, tool: "mail.send", arguments: JSONObject([("draft", .null)]), idempotencyKey: "k1"),
            ])
        #expect(outcome.value == [["order_id": "A1", "amount": "20.00"], ["draft": .null], ["mail.send"]])
    }

    @Test("a denial raises ToolDenied, a failure and a cancellation raise ToolError")
    func refusals() async throws {
        let code = """
            from agent_tools import tools, ToolDenied, ToolError
            result = []
            for tool in ("deny", "fail", "cancel", "Bad"):
                try:
                    tools.call(tool, {})
                except ToolDenied as error:
                    result.append(["denied", error.code, error.rule, error.message])
                except ToolError as error:
                    result.append(["error", error.code, error.message, error.retry_after])
            try:
                tools.a(x=float("inf"))
            except ToolError as error:
                result.append(error.code)
            try:
                tools.a(x=0.1 + 0.2)
            except ToolError as error:
                result.append(error.code)
            """
        let outcome = try await PlainInterpreter.run(code) { machine, call in
            switch call.tool {
            case "deny": machine.answer(call.id, .error(code: "policy_denied", message: "no", rule: "r1", isDenied: true, retryAfter: nil))
            case "fail": machine.answer(call.id, .error(code: "tool_failed", message: "broke", rule: nil, isDenied: false, retryAfter: 3))
            default: machine.cancel(call.id)
            }
        }
        let expected: JSONValue = [
            ["denied", "policy_denied", "r1", "no"], ["error", "tool_failed", "broke", 3],
            ["error", "cancelled", "the call was cancelled", .null],
            ["error", "unknown_tool", "the name of a tool is [a-z][a-z0-9_.]{0,63}", .null], "bad_args", "bad_args",
        ]
        #expect(outcome.value == expected, "\(outcome.stderr)")
        #expect(outcome.actions.refusals.map(\.code) == ["unknown_tool", "bad_args"])
    }

    @Test("a call that waits for approval blocks, or raises ApprovalPending when it should not wait")
    func approvals() async throws {
        let code = """
            from agent_tools import tools, ApprovalPending
            first = tools.mail.send(a=1)
            try:
                tools.call("mail.send", {"a": 2}, wait=False)
            except ApprovalPending as pending:
                result = [first, pending.approval_id, pending.expires]
            """
        let outcome = try await PlainInterpreter.run(code) { machine, call in
            machine.pending(call.id, approvalID: "ap_1", expires: 9)
                + (call.id == 1 ? machine.answer(1, .value("approved")) : [])
        }
        #expect(outcome.value == ["approved", "ap_1", 9], "\(outcome.stderr)")
    }

    @Test("threads call in parallel, and each gets its own answer")
    func threads() async throws {
        let code = """
            from agent_tools import tools
            from concurrent.futures import ThreadPoolExecutor
            with ThreadPoolExecutor(8) as pool:
                result = [answer["n"] for answer in pool.map(lambda n: tools.a(n=n), range(40))]
            """
        // Nobody is answered before eight wait: the calls must be in flight together. Several may have come in one piece.
        let outcome = try await PlainInterpreter.run(code) { machine, _ in
            guard machine.callsInFlight == 8 else { return [] }
            return (Int64(1)...40).reversed().flatMap { machine.answer($0, .value(["n": .integer($0)])) }
        }
        #expect(outcome.stderr == "")
        let numbers = try #require(outcome.value?.arrayValue).compactMap(\.integerValue)
        #expect(numbers.sorted() == Array(1...40))
    }

    @Test("54. of forty calls at once sixteen run, the others learn that they are too many")
    func tooManyThreads() async throws {
        let code = """
            import queue, threading
            from agent_tools import emit, tools, ToolError
            ended = queue.Queue()
            def call(n):
                try:
                    ended.put(tools.a(n=n))
                except ToolError as error:
                    ended.put(error.code)
            for n in range(40):
                threading.Thread(target=call, args=(n,)).start()
            refused = [ended.get() for _ in range(24)]
            emit("release", None)
            result = [set(refused) == {"too_many_inflight"}, [ended.get() for _ in range(16)]]
            """
        let release: PlainInterpreter.Watch = { machine, _ in (Int64(1)...40).flatMap { machine.answer($0, .value("done")) } }
        let outcome = try await PlainInterpreter.run(code, serve: { _, _ in [] }, emitted: release)
        #expect(outcome.value == [true, .array([JSONValue](repeating: "done", count: 16))], "\(outcome.stderr)")
        #expect(outcome.actions.calls.count == 16)
        #expect(outcome.actions.refusals.count == 24)
    }

    @Test("56. what other threads do after the end is not sent after the result")
    func afterResult() async throws {
        let code = """
            import threading
            from agent_tools import emit
            def flood():
                while True: emit("a", 1)
            threading.Thread(target=flood, daemon=True).start()
            7
            """
        let outcome = try await PlainInterpreter.run(code)
        #expect(outcome.value == 7)
        #expect(outcome.status == 0)
        #expect(outcome.actions.last == .result(7))
    }

    @Test("57. frames on stdout are text")
    func framesOnStdout() async throws {
        let code = """
            import os, sys
            body = b'{"type":"call","id":1,"tool":"payments.refund","args":{}}'
            os.write(1, len(body).to_bytes(4, "big") + body)
            print('{"type":"result","value":9}')
            8
            """
        let outcome = try await PlainInterpreter.run(code)
        #expect(outcome.actions.calls.isEmpty)
        #expect(outcome.value == 8)
        #expect(outcome.stdout.contains("payments.refund"))
    }

    @Test("58. a frame that is written byte by byte by the code itself is a frame")
    func byteByByte() async throws {
        let code = """
            import os
            body = b'{"type":"call","id":1,"tool":"a","args":{"x":"y"}}'
            for byte in len(body).to_bytes(4, "big") + body:
                os.write(3, bytes([byte]))
            """
        let outcome = try await PlainInterpreter.run(code)
        #expect(outcome.actions.calls == [SandboxCall(id: 1, tool: "a", arguments: JSONObject([("x", "y")]))])
        #expect(outcome.value == .null)
    }

    @Test("51. code that writes a frame with a tenant is killed")
    func forgedIdentity() async throws {
        let code = """
            import os, time
            body = b'{"type":"call","id":1,"tool":"a","args":{},"tenant":"other"}'
            os.write(3, len(body).to_bytes(4, "big") + body)
            while True: time.sleep(1)
            """
        let outcome = try await PlainInterpreter.run(code)
        #expect(outcome.actions.violation == .unknownField)
        #expect(outcome.status == 128 + 9)
    }

    @Test("output in between is told as it comes")
    func emits() async throws {
        let code = """
            from agent_tools import emit, progress
            progress("reading", done=1, total=3)
            emit("table", [[1, 0.1 + 0.2]])
            try:
                emit("No name", 1)
            except ValueError:
                print("refused")
            """
        let outcome = try await PlainInterpreter.run(code)
        #expect(outcome.actions.contains(.emit(stream: "progress", data: ["text": "reading", "done": 1, "total": 3])))
        #expect(outcome.actions.contains(.emit(stream: "table", data: [[1, .number("0.3")]])))
        #expect(outcome.stdout == "refused\n")
        #expect(outcome.status == 0)
    }

    @Test("a traceback shows the lines of the code and nothing of what is around it")
    func traceback() async throws {
        let code = """
            import json
            from agent_tools import tools
            def parse(text):
                return json.loads(text)
            parse("{")
            """
        let outcome = try await PlainInterpreter.run(code)
        #expect(outcome.status == 1)
        #expect(outcome.value == nil)
        // Interpreters differ in what they underline.
        let lines = outcome.stderr.split(separator: "\n", omittingEmptySubsequences: false).filter { line in
            line.isEmpty || !line.allSatisfy { $0 == " " || $0 == "^" || $0 == "~" }
        }
        #expect(
            lines.joined(separator: "\n") == """
                Traceback (most recent call last):
                  File "<code>", line 5, in <module>
                    parse("{")
                  File "<code>", line 4, in parse
                    return json.loads(text)
                json.decoder.JSONDecodeError: Expecting property name enclosed in double quotes: line 1 column 2 (char 1)

                """)
        let syntax = try await PlainInterpreter.run("x = (1\n")
        #expect(syntax.status == 1)
        #expect(syntax.stderr.hasPrefix("  File \"<code>\", line 1\n    x = (1\n"))
        let denied = try await PlainInterpreter.run("from agent_tools import tools\ntools.a(b=1)") { machine, call in
            machine.answer(call.id, .error(code: "policy_denied", message: "no", rule: "r1", isDenied: true, retryAfter: nil))
        }
        #expect(denied.stderr.hasSuffix("\nagent_tools.ToolDenied: policy_denied: no (rule r1)\n"))
        #expect(denied.stderr.contains("    tools.a(b=1)\n"))
        #expect(!denied.stderr.contains("/"))
    }

    @Test(
        "the status is that of the code",
        arguments: [("import sys; sys.exit(7)", 7), ("exit('bye')", 1), ("raise SystemExit", 0), ("1/0", 1)])
    func statuses(code: String, status: Int32) async throws {
        let outcome = try await PlainInterpreter.run(code)
        #expect(outcome.status == status)
        #expect((outcome.value != nil) == (status == 0))
    }

    @Test("threads that are no daemons and exit functions come before the result, daemons are not waited for")
    func ending() async throws {
        let code = """
            import atexit, threading
            from agent_tools import tools
            atexit.register(lambda: tools.a(last=True))
            go = threading.Event()
            threading.Thread(target=lambda: (go.wait(), tools.a(last=False))).start()
            threading.Thread(target=threading.Event().wait, daemon=True).start()
            print("no newline", end="")
            go.set()
            5
            """
        let outcome = try await PlainInterpreter.run(code)
        #expect(outcome.actions.calls.map { $0.arguments["last"] } == [false, true])
        #expect(outcome.actions.last == .result(5))
        #expect(outcome.stdout == "no newline")
        #expect(outcome.status == 0)
    }

    @Test("a channel that ends fails the calls that wait, and those that come")
    func brokenChannel() async throws {
        let code = """
            import agent_tools
            from agent_tools import tools, ToolError
            def broken(count):
                raise OSError("gone")
            # The reader is in its own method: it reads one more frame, and then this.
            agent_tools._channel._read = broken
            for attempt in range(3):
                try:
                    tools.a(n=attempt)
                except ToolError as error:
                    print(error.code)
            """
        let outcome = try await PlainInterpreter.run(code)
        #expect(outcome.status == 0, "\(outcome.stderr)")
        #expect(outcome.stdout == "channel_closed\nchannel_closed\n")
    }
}
