import JSON
import Testing

@testable import Executor

@Suite("Executor: the channel's machine")
struct ChannelMachineTests {
    @Test("hello comes first, once, and in a version that is known")
    func hello() {
        var machine = ChannelMachine()
        #expect(machine.run(code: "1", inputs: JSONObject(), tools: []) == [])
        #expect(machine.receive(Wire.hello) == [.ready])
        let sent = machine.run(code: "print(\"é\")\n", inputs: JSONObject([("a", 1)]), tools: ["crm.lookup"]).frames
        #expect(sent == [["type": "run", "code": "print(\"é\")\n", "inputs": ["a": 1], "tools": ["crm.lookup"]]])
        #expect(machine.run(code: "1", inputs: JSONObject(), tools: []) == [])
        #expect(machine.receive(Wire.hello).violation == .unexpectedFrame)
        for text in [#"{"type":"hello","v":2}"#, #"{"type":"hello","v":0}"#] {
            var other = ChannelMachine()
            #expect(other.receive(Wire.frame(text)).violation == .version)
        }
    }

    @Test("nothing but hello may come before the code was sent")
    func early() {
        for frame in [Wire.call(1), Wire.frame(#"{"type":"log","text":"x"}"#), Wire.frame(#"{"type":"result","value":1}"#)] {
            var machine = ChannelMachine()
            #expect(machine.receive(frame).violation == .unexpectedFrame)
            var ready = ChannelMachine()
            #expect(ready.receive(Wire.hello + frame).violation == .unexpectedFrame)
        }
    }

    @Test("a call carries its arguments as they were sent, and its key")
    func call() {
        var machine = ChannelMachine.running()
        let frame = Wire.frame(#"{"type":"call","id":4,"tool":"payments.refund","args":{"b":"20.00","a":[1.50]},"idem":"k"}"#)
        let expected = SandboxCall(
            id: 4, tool: "payments.refund", arguments: JSONObject([("b", "20.00"), ("a", .array([.number("1.50")]))]), idempotencyKey: "k")
        #expect(machine.receive(frame) == [.call(expected)])
    }

    @Test("a call is answered once: by a value, an error, a denial or a cancellation")
    func answers() {
        var machine = ChannelMachine.running()
        _ = machine.receive((1...4).flatMap { Wire.call($0) })
        #expect(machine.answer(1, .value(["a": 1])).frames == [["type": "return", "id": 1, "value": ["a": 1]]])
        #expect(machine.answer(1, .value(1)) == [])
        let denial = SandboxReply.error(code: "policy_denied", message: "no", rule: "p1", isDenied: true, retryAfter: 5)
        #expect(
            machine.answer(2, denial).frames
                == [["type": "error", "id": 2, "code": "policy_denied", "message": "no", "denied": true, "rule": "p1", "retry_after": 5]])
        let failure = SandboxReply.error(code: "tool_failed", message: "no", rule: nil, isDenied: false, retryAfter: nil)
        #expect(machine.answer(3, failure).frames == [["type": "error", "id": 3, "code": "tool_failed", "message": "no", "denied": false]])
        #expect(machine.cancel(4).frames == [["type": "cancel", "id": 4]])
        #expect(machine.answer(4, .value(1)) == [])
        #expect(machine.answer(99, .value(1)) == [])
        #expect(machine.callsInFlight == 0)
    }

    @Test("a call that waits for approval stays in flight")
    func pending() {
        var machine = ChannelMachine.running()
        _ = machine.receive(Wire.call(1))
        let frames = machine.pending(1, approvalID: "ap_1", expires: 1_700_000_000_000).frames
        #expect(frames == [["type": "pending", "id": 1, "approval_id": "ap_1", "expires": 1_700_000_000_000]])
        #expect(machine.callsInFlight == 1)
        #expect(machine.answer(1, .value(1)).frames.count == 1)
        #expect(machine.pending(1, approvalID: "ap_1", expires: 0) == [])
    }

    @Test("a reply that fits no frame becomes an error that says so")
    func longReply() {
        var machine = ChannelMachine.running()
        _ = machine.receive(Wire.call(1))
        let frames = machine.answer(1, .value(.string(String(repeating: "x", count: 4 << 20)))).frames
        #expect(frames.map { $0["code"] } == ["reply_too_large"])
    }

    @Test("code that fits no frame is not run")
    func longCode() {
        var machine = ChannelMachine()
        _ = machine.receive(Wire.hello)
        #expect(machine.run(code: String(repeating: "#", count: 4 << 20), inputs: JSONObject(), tools: []).violation == .frameLength)
    }

    @Test("output and log carry what they say; a stream has a name, a log a maximum")
    func output() {
        var machine = ChannelMachine.running()
        #expect(
            machine.receive(Wire.frame(#"{"type":"emit","stream":"progress","data":{"done":1}}"#))
                == [.emit(stream: "progress", data: ["done": 1])])
        #expect(machine.receive(Wire.frame(#"{"type":"log","text":"x"}"#)) == [.log("x")])
        let long = machine.receive(Wire.frame(#"{"type":"log","text":"\#(String(repeating: "x", count: 5_000))"}"#))
        #expect(long == [.log(String(repeating: "x", count: 4_096))])
        #expect(machine.receive(Wire.frame(#"{"type":"emit","stream":"No","data":1}"#)).violation == .badFrame)
    }

    @Test(
        "what is no frame of the protocol kills, and nothing follows",
        arguments: [
            ("[]", ChannelViolation.Kind.badFrame), ("1", .badFrame), ("{}", .badFrame), ("{", .badFrame),
            (#"{"type":"run"}"#, .unknownType),
            (#"{"type":7}"#, .badFrame), (#"{"type":"emit","stream":"a"}"#, .badFrame), (#"{"type":"result"}"#, .badFrame),
            (#"{"type":"call","tool":"a","args":{}}"#, .badFrame), (#"{"type":"call","id":1,"args":{}}"#, .badFrame),
            (#"{"type":"call","id":1,"tool":7,"args":{}}"#, .badFrame),
            (#"{"type":"call","id":1,"tool":"a","args":{},"idem":7}"#, .badFrame),
            (#"{"type":"call","id":NaN,"tool":"a","args":{}}"#, .badFrame), (#"{"type":"call","id":1,"tool":"a","args":{"x"#, .badFrame),
            (#"{"type":"call","id":1,"tool":"a","args":{"x":NaN}}}"#, .badFrame), (#"{"type":"result","value":NaN}"#, .badFrame),
            (#"{"args":NaN,"type":"emit","stream":"a","data":1}"#, .unknownField),
        ])
    func broken(text: String, kind: ChannelViolation.Kind) {
        var machine = ChannelMachine.running()
        let actions = machine.receive(Wire.frame(text) + Wire.call(1))
        #expect(actions.violation == kind)
        #expect(actions.count == 1)
        #expect(machine.receive(Wire.call(2)) == [])
        #expect(machine.partialFrame == nil)
    }

    @Test("bytes and frames of a run have a last allowed one, however they are split")
    func totals() {
        var limits = ChannelLimits()
        let log = Wire.frame(#"{"type":"log","text":"x"}"#)
        limits.bytes = Wire.hello.count + log.count * 3
        for chunk in [1, 7, log.count, 1_000] {
            var machine = ChannelMachine.running(limits: limits)
            let bytes = log + log + log
            var actions = stride(from: 0, to: bytes.count, by: chunk).flatMap {
                machine.receive(Array(bytes[$0..<min($0 + chunk, bytes.count)]))
            }
            #expect(actions == [.log("x"), .log("x"), .log("x")])
            actions = machine.receive([0])
            #expect(actions.violation == .tooManyBytes)
        }
        var once = ChannelMachine.running(limits: limits)
        #expect(once.receive(log + log + log + log).count == 4)
        limits = ChannelLimits()
        limits.frames = 3
        var machine = ChannelMachine.running(limits: limits)
        #expect(machine.receive(log + log).violation == nil)
        #expect(machine.receive(log).violation == .tooManyFrames)
    }

    @Test("a frame of exactly the maximum is accepted")
    func longestFrame() {
        let text = #"{"type":"log","text":""}"#
        let body = #"{"type":"log","text":"\#(String(repeating: "x", count: (1 << 20) - text.utf8.count))"}"#
        var machine = ChannelMachine.running()
        #expect(machine.receive(Wire.frame(body)).count == 1)
        #expect(body.utf8.count == 1 << 20)
    }

    @Test("a sandbox that dies in half a frame violates nothing")
    func death() {
        var machine = ChannelMachine.running()
        _ = machine.receive(Wire.call(1) + [0, 0])
        machine.closed()
        #expect(machine.receive([0, 0]) == [])
        #expect(machine.answer(1, .value(1)) == [])
        #expect(machine.partialFrame == nil)
    }

    @Test("random and damaged bytes never trap, and a kill is the last word", arguments: [1, 2, 3, 4] as [UInt64])
    func random(seed: UInt64) {
        var generator = SeededBytes(seed: seed)
        let good =
            Wire.call(1) + Wire.call(2, args: #"{"a":[1,{"b":"\u00e9"}],"c":NaN}"#) + Wire.frame(#"{"type":"emit","stream":"a","data":[]}"#)
            + Wire.frame(#"{"type":"result","value":{}}"#)
        for _ in 0..<2_000 {
            var bytes = good
            for _ in 0...Int.random(in: 0...3, using: &generator) {
                let index = Int.random(in: 0..<bytes.count, using: &generator)
                switch Int.random(in: 0...2, using: &generator) {
                case 0: bytes[index] = UInt8.random(in: 0...255, using: &generator)
                case 1: bytes.remove(at: index)
                default: bytes.insert([0x22, 0x5C, 0x7B, 0x7D, 0x00].randomElement(using: &generator) ?? 0, at: index)
                }
            }
            var machine = ChannelMachine.running()
            let split = Int.random(in: 0...bytes.count, using: &generator)
            let actions = machine.receive(Array(bytes.prefix(split))) + machine.receive(Array(bytes.dropFirst(split)))
            if let kill = actions.firstIndex(where: { if case .kill = $0 { true } else { false } }) { #expect(kill == actions.count - 1) }
            var unsplit = ChannelMachine.running()
            #expect(unsplit.receive(bytes) == actions, "seed \(seed)")
        }
    }
}
