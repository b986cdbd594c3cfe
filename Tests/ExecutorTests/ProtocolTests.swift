import JSON
import Testing

@testable import Executor

/// Numbers 44 to 58 of the sandbox's tests (docs/threat-model.md), as far as the channel alone decides them. Pure: no process.
@Suite("Executor: the channel's protocol under attack")
struct ProtocolTests {
    private func received(_ bytes: [UInt8]) -> [ChannelAction] {
        var machine = ChannelMachine.running()
        return machine.receive(bytes)
    }

    @Test(
        "44. a length of zero or beyond the maximum kills before a byte is reserved",
        arguments: [0xFFFF_FFFF, 0, (1 << 20) + 1] as [UInt32])
    func length(length: UInt32) {
        let bytes = [24, 16, 8, 0].map { UInt8(truncatingIfNeeded: length >> $0) }
        #expect(received(bytes).violation == .frameLength)
        var decoder = FrameDecoder(bodyMax: 1 << 20)
        var rest = bytes[...]
        #expect(throws: ChannelViolation.self) { try decoder.next(from: &rest) }
        #expect(decoder.reserved == 0)
    }

    @Test("44. the longest allowed length reserves nothing before its bytes come")
    func longest() throws {
        var decoder = FrameDecoder(bodyMax: 1 << 20)
        var rest: ArraySlice<UInt8> = [0x00, 0x10, 0x00, 0x00, 0x7B]
        #expect(try decoder.next(from: &rest) == nil)
        #expect(decoder.reserved < 64)
        #expect(decoder.isMidFrame)
    }

    @Test("45. half a frame and then silence is a timeout, and only then")
    func silence() {
        var machine = ChannelMachine.running()
        var watch = ChannelWatch()
        let bytes = Wire.call(1) + Wire.call(2)
        func feed(_ bytes: [UInt8], at now: Duration) {
            _ = machine.receive(bytes)
            watch.received(partialFrame: machine.partialFrame, at: now)
        }
        #expect(watch.due == nil)
        feed(Array(bytes.prefix(10)), at: .seconds(1))
        #expect(watch.due == .seconds(11))
        // The next frame begins in the same bytes that end this one: the deadline is a new one.
        feed(Array(bytes.dropFirst(10).dropLast()), at: .seconds(10))
        #expect(watch.due == .seconds(20))
        #expect(watch.check(at: .seconds(19)) == nil)
        let violation = watch.check(at: .seconds(20))
        #expect(violation?.code == "timeout")
        #expect(violation?.exit == .timeout)
        feed(Array(bytes.suffix(1)), at: .seconds(21))
        #expect(watch.due == nil)
        #expect(watch.check(at: .seconds(1_000)) == nil)
        #expect(machine.callsInFlight == 2)
    }

    @Test("46. a hundred thousand nested arrays kill without a deep stack")
    func nesting() {
        let nested = String(repeating: "[", count: 100_000)
        let closed = nested + String(repeating: "]", count: 100_000)
        #expect(received(Wire.frame(nested)).violation == .badFrame)
        #expect(received(Wire.call(1, args: nested)).violation == .badFrame)
        #expect(received(Wire.call(1, args: #"{"a":\#(closed)}"#)).violation == .badFrame)
        #expect(received(Wire.frame(#"{"type":"result","value":\#(closed)}"#)).violation == .badFrame)
    }

    private func expectBadArguments(_ bytes: [UInt8], id: Int64 = 7, _ comment: Comment? = nil) {
        var machine = ChannelMachine.running()
        let actions = machine.receive(bytes)
        #expect(actions.violation == nil, comment)
        #expect(actions.calls.isEmpty, comment)
        #expect(actions.refusals.map(\.code) == ["bad_args"], comment)
        #expect(actions.refusals.first?.id == id, comment)
        #expect(actions.frames.map { $0["type"] } == ["error"], comment)
        #expect(actions.frames.first?["id"] == .integer(id), comment)
        #expect(actions.frames.first?["code"] == "bad_args", comment)
        #expect(actions.frames.first?["denied"] == false, comment)
        #expect(machine.callsInFlight == 0, comment)
        // The channel goes on, and the id is used.
        #expect(machine.receive(Wire.call(8)).calls.map(\.id) == [8], comment)
    }

    @Test("47. a duplicate key in arguments is bad_args, wherever it stands")
    func duplicateKey() {
        expectBadArguments(Wire.frame(#"{"type":"call","id":7,"tool":"payments.refund","args":{"amount":1,"amount":9999}}"#))
        expectBadArguments(Wire.frame(#"{"args":{"a":[{"b":1,"\u0062":2}]},"tool":"payments.refund","id":7,"type":"call"}"#))
        // A duplicate outside of the arguments is a broken frame: it may be two ids.
        #expect(received(Wire.frame(#"{"type":"call","id":1,"id":2,"tool":"a","args":{}}"#)).violation == .badFrame)
        #expect(received(Wire.frame(#"{"type":"call","id":1,"tool":"a","args":{},"args":{"b":1}}"#)).violation == .badFrame)
    }

    @Test(
        "48. numbers that two readers may understand differently are bad_args",
        arguments: [
            "NaN", "Infinity", "-Infinity", "1e999", "-0", "-0.0", "1.0000000000000001", "1000000000000000000000000000000", "01", "+1",
            ".5",
        ])
    func numbers(text: String) {
        expectBadArguments(Wire.call(7, args: #"{"amount":\#(text)}"#))
        expectBadArguments(Wire.call(7, args: #"{"amount":[1,{"x":\#(text)}]}"#))
        expectBadArguments(Wire.call(7, args: text))
    }

    @Test("49. lone surrogates, overlong UTF-8, NUL and a byte order mark in arguments are bad_args")
    func encodings() {
        let texts: [[UInt8]] = [
            [UInt8](#"\ud800"#.utf8), [UInt8](#"\udfff\ud800"#.utf8), [UInt8](#"\u0000"#.utf8), [0xC0, 0xAF], [0xE0, 0x80, 0xAF],
            [0xED, 0xA0, 0x80], [0xFF], [0x00], [0x0A],
        ]
        for text in texts {
            let call = { (prefix: String, suffix: String) in
                Wire.frame([UInt8](#"{"type":"call","id":7,"tool":"a","args":\#(prefix)"#.utf8) + text + [UInt8]("\(suffix)}".utf8))
            }
            expectBadArguments(call(#"{"x":""#, #""}"#), "\(text)")
            expectBadArguments(call(#"{""#, #"":1}"#), "\(text)")
        }
        let mark: [UInt8] = [0xEF, 0xBB, 0xBF]
        let start = [UInt8](#"{"type":"call","id":7,"tool":"a","args":"#.utf8)
        expectBadArguments(Wire.frame(start + mark + [UInt8]("{}}".utf8)))
        // Outside of arguments there is nobody to answer.
        #expect(received(Wire.frame(mark + [UInt8](#"{"type":"log","text":""}"#.utf8))).violation == .badFrame)
        #expect(received(Wire.frame(#"{"type":"call","id":1,"tool":"\ud800","args":{}}"#)).violation == .badFrame)
        #expect(received(Wire.frame(#"{"type":"emit","stream":"progress","data":"\ud800"}"#)).violation == .badFrame)
    }

    @Test("arguments that are no object, or too many, or of too long keys, are bad_args")
    func shapes() {
        for args in ["[]", "null", "7", #""x""#, "{]", "[}", #"{"a" 1}"#, #"{"a":1,}"#, "{\"\(String(repeating: "k", count: 129))\":1}"] {
            expectBadArguments(Wire.call(7, args: args), "\(args)")
        }
        expectBadArguments(Wire.call(7, args: #"{"a":[\#([String](repeating: "0", count: 10_001).joined(separator: ","))]}"#))
        expectBadArguments(Wire.frame(#"{"type":"call","id":7,"tool":"a"}"#))
        expectBadArguments(Wire.frame(#"{"type":"call","id":7,"tool":"a","args":{},"idem":""}"#))
        expectBadArguments(Wire.frame(#"{"type":"call","id":7,"tool":"a","args":{},"idem":"\#(String(repeating: "k", count: 129))"}"#))
    }

    @Test("50. an id that is reused, lower, or not positive kills", arguments: [(1, 1), (2, 1), (5, 4), (0, 1), (-1, 1)])
    func ids(first: Int, second: Int) {
        let actions = received(Wire.call(first) + Wire.call(second))
        #expect(actions.violation == .reusedID)
        #expect(actions.calls.count <= 1)
        guard case .kill = actions.last else { return #expect(Bool(false), "a kill is last") }
    }

    @Test("50. the id of a refused call is used too")
    func refusedID() {
        #expect(received(Wire.call(3, args: "NaN") + Wire.call(3)).violation == .reusedID)
        #expect(received(Wire.frame(#"{"type":"call","id":"1","tool":"a","args":{}}"#)).violation == .badFrame)
        #expect(received(Wire.frame(#"{"type":"call","id":1.5,"tool":"a","args":{}}"#)).violation == .badFrame)
    }

    @Test(
        "51. a frame that says who it is kills",
        arguments: ["tenant", "role", "policy", "org", "project", "user", "session", "run_id", "approved", "Type", "id\\u0000"])
    func identity(field: String) {
        let violations: [ChannelViolation.Kind?] = field.hasSuffix("0") ? [.badFrame] : [.unknownField]
        #expect(violations.contains(received(Wire.frame(#"{"type":"call","id":1,"tool":"a","args":{},"\#(field)":"x"}"#)).violation))
        #expect(violations.contains(received(Wire.frame(#"{"\#(field)":"x","type":"emit","stream":"a","data":1}"#)).violation))
        var machine = ChannelMachine()
        #expect(violations.contains(machine.receive(Wire.frame(#"{"type":"hello","v":1,"\#(field)":"x"}"#)).violation))
    }

    @Test(
        "52. a name that is not of the form of names is unknown_tool",
        arguments: [
            "Payments.Refund", "p\u{430}yments.refund", "__class__", "_private", ".a", "9a", "", "a b", "a/b", "a-b", "tools.\u{212A}",
            "e\u{301}",
            String(repeating: "a", count: 65), "os;system", "ａ",
        ])
    func names(name: String) {
        let actions = received(Wire.call(1, name))
        #expect(actions.violation == nil)
        #expect(actions.calls.isEmpty)
        #expect(actions.refusals.map(\.code) == ["unknown_tool"])
        #expect(actions.refusals.first?.tool == String(name.prefix(64)))
        #expect(actions.frames.first?["code"] == "unknown_tool")
    }

    @Test(
        "52. a name of the right form is passed on, and means nothing by itself",
        arguments: ["os.system", "a", "a..b", String(repeating: "a", count: 64)])
    func wellFormedNames(name: String) { #expect(received(Wire.call(1, name)).calls.map(\.tool) == [name]) }

    @Test("54. of a thousand concurrent calls sixteen run, the rest is refused, and one more kills")
    func concurrentCalls() {
        var machine = ChannelMachine.running()
        let actions = machine.receive((1...1_000).flatMap { Wire.call($0) })
        #expect(actions.calls.map(\.id) == Array(1...16))
        #expect(actions.refusals.count == 984)
        #expect(actions.refusals.allSatisfy { $0.code == "too_many_inflight" })
        #expect(actions.frames.count == 984)
        #expect(actions.violation == nil)
        #expect(machine.callsInFlight == 16)
        #expect(machine.receive(Wire.call(1_001)).violation == .tooManyCalls)
    }

    @Test("54. an answer makes room for one call")
    func room() {
        var machine = ChannelMachine.running()
        _ = machine.receive((1...17).flatMap { Wire.call($0) })
        #expect(machine.answer(3, .value(.null)).frames == [["type": "return", "id": 3, "value": .null]])
        #expect(machine.receive(Wire.call(18)).calls.map(\.id) == [18])
        #expect(machine.receive(Wire.call(19)).refusals.map(\.code) == ["too_many_inflight"])
    }

    @Test("55. replies that nobody reads end the run by their bytes or by their age")
    func unread() {
        var watch = ChannelWatch()
        #expect(watch.queued(4 << 20, at: .zero) == nil)
        #expect(watch.queued(1, at: .zero)?.code == "unread_replies")
        #expect(watch.due == .seconds(10))
        watch.wrote(1, at: .seconds(9))
        #expect(watch.queued(1, at: .seconds(9)) == nil)
        #expect(watch.check(at: .seconds(18)) == nil)
        #expect(watch.check(at: .seconds(19))?.code == "unread_replies")
        #expect(watch.check(at: .seconds(19))?.exit == .protocolLimit)
        watch.wrote(4 << 20, at: .seconds(20))
        #expect(watch.due == nil)
        // One frame fits whatever its size.
        #expect(watch.queued((4 << 20) + 4, at: .seconds(21)) == nil)
    }

    @Test("56. what comes after a result is ignored, whatever it is")
    func afterResult() {
        var machine = ChannelMachine.running()
        let actions = machine.receive(
            Wire.call(1) + Wire.frame(#"{"type":"result","value":[1.50]}"#) + Wire.call(2) + [0xFF, 0xFF, 0xFF, 0xFF])
        #expect(actions.count == 2)
        #expect(actions.last == .result(.array([.number("1.50")])))
        #expect(machine.receive(Wire.call(3)) == [])
        #expect(machine.answer(1, .value(.null)) == [])
        #expect(machine.cancel(1) == [])
        #expect(machine.callsInFlight == 0)
    }

    @Test("58. frames are the same under every split in two, and byte by byte")
    func splits() {
        let bytes =
            Wire.call(1) + Wire.call(2, args: #"{"a":NaN}"#) + Wire.frame(#"{"type":"emit","stream":"progress","data":"é😀"}"#)
            + Wire.call(3, "Nope") + Wire.frame(#"{"type":"log","text":"x"}"#) + Wire.frame(#"{"type":"result","value":null}"#) + [1, 2]
        let whole = received(bytes)
        #expect(whole.count == 8)
        for split in 0...bytes.count {
            var machine = ChannelMachine.running()
            #expect(machine.receive(Array(bytes.prefix(split))) + machine.receive(Array(bytes.dropFirst(split))) == whole)
        }
        var machine = ChannelMachine.running()
        #expect(bytes.flatMap { machine.receive([$0]) } == whole)
    }
}
