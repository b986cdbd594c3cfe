import JSON

@testable import Executor

/// Bytes as a sandbox writes them, and what a machine makes of them.
enum Wire {
    static func frame(_ text: String) -> [UInt8] { frame([UInt8](text.utf8)) }

    static func frame(_ body: [UInt8]) -> [UInt8] {
        let count = UInt32(body.count)
        return [24, 16, 8, 0].map { UInt8(truncatingIfNeeded: count >> $0) } + body
    }

    static let hello = frame(#"{"type":"hello","v":1}"#)

    static func call(_ id: Int, _ tool: String = "crm.lookup", args: String = #"{"id":"A1"}"#) -> [UInt8] {
        frame(#"{"type":"call","id":\#(id),"tool":"\#(tool)","args":\#(args)}"#)
    }

    /// The bodies of the frames in `bytes`.
    static func bodies(_ bytes: [UInt8]) -> [JSONValue] {
        var decoder = FrameDecoder(bodyMax: 8 << 20)
        var rest = bytes[...]
        var bodies: [JSONValue] = []
        while let body = try? decoder.next(from: &rest) { bodies.append((try? JSONValue(parsing: body)) ?? .null) }
        return bodies
    }
}

extension ChannelMachine {
    /// A machine whose sandbox has its code.
    static func running(limits: ChannelLimits = ChannelLimits()) -> ChannelMachine {
        var machine = ChannelMachine(limits: limits)
        _ = machine.receive(Wire.hello)
        _ = machine.run(code: "", inputs: JSONObject(), tools: [])
        return machine
    }
}

extension [ChannelAction] {
    var violation: ChannelViolation.Kind? {
        for case .kill(let violation) in self { return violation.kind }
        return nil
    }

    var calls: [SandboxCall] {
        compactMap { if case .call(let call) = $0 { call } else { nil } }
    }

    var refusals: [RefusedCall] {
        compactMap { if case .refused(let call) = $0 { call } else { nil } }
    }

    /// The frames that go to the sandbox.
    var frames: [JSONValue] {
        flatMap { action -> [JSONValue] in if case .send(let bytes) = action { Wire.bodies(bytes) } else { [] } }
    }
}

/// SplitMix64, so that a failure names its seed.
struct SeededBytes: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }
}
