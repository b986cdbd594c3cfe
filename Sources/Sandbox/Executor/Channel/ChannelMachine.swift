internal import JSON

/// What the holder of a channel does next, in this order.
enum ChannelAction: Sendable, Hashable {
    /// The interpreter waits for its code.
    case ready
    /// Decide, dispatch, and answer with ``ChannelMachine/answer(_:_:)``.
    case call(SandboxCall)
    /// For the decision log; the code is answered by the `send` that follows.
    case refused(RefusedCall)
    /// For whoever watches the run.
    case emit(stream: String, data: JSONValue)
    /// The code's value; nothing that comes later counts.
    case result(JSONValue)
    case log(String)
    /// Whole frames for the sandbox.
    case send([UInt8])
    /// Close the channel and kill the sandbox. Nothing follows.
    case kill(ChannelViolation)
}

/// Decides about everything that comes through the channel of one sandbox: `bytes → [action]`.
///
/// Holds no descriptor and no clock (``ChannelWatch`` has the deadlines); confined to whoever drives the channel. The same
/// bytes give the same actions however they are split. Memory: one frame, and the ids of the calls in flight.
struct ChannelMachine: Sendable {
    /// The version that `hello` must name.
    static let version: Int64 = 1

    private enum Phase { case starting, ready, running, over }

    private let limits: ChannelLimits
    private var decoder: FrameDecoder
    private var phase = Phase.starting
    private var bytes = 0
    private var calls = 0
    private var lastID: Int64 = 0
    private var inFlight: Set<Int64> = []

    init(limits: ChannelLimits = ChannelLimits()) {
        self.limits = limits
        decoder = FrameDecoder(bodyMax: limits.frameBytesIn)
    }

    /// Calls that wait for ``answer(_:_:)``.
    var callsInFlight: Int { inFlight.count }

    /// The number of the frame that has begun and is not whole, for ``ChannelWatch``.
    var partialFrame: Int? { phase != .over && decoder.isMidFrame ? decoder.frames : nil }

    // MARK: From the sandbox

    /// Takes what was read from the descriptor. After a result, a kill or the end it does nothing.
    mutating func receive(_ chunk: [UInt8]) -> [ChannelAction] {
        guard phase != .over else { return [] }
        var rest = chunk.prefix(limits.bytes - bytes)
        let isTooMuch = rest.count < chunk.count
        bytes += rest.count
        var actions: [ChannelAction] = []
        do throws(ChannelViolation) {
            while phase != .over, let body = try decoder.next(from: &rest) {
                guard decoder.frames <= limits.frames else { throw ChannelViolation(.tooManyFrames, "more than \(limits.frames) frames") }
                try handle(ChannelFrame(body, limits: limits), &actions)
            }
            guard phase == .over || !isTooMuch else { throw ChannelViolation(.tooManyBytes, "more than \(limits.bytes) bytes") }
        } catch {
            end()
            actions.append(.kill(error))
        }
        return actions
    }

    /// The sandbox closed its end, or died. Half a frame is no violation then: death comes at any byte.
    mutating func closed() { end() }

    private mutating func end() {
        phase = .over
        inFlight = []
        decoder = FrameDecoder(bodyMax: limits.frameBytesIn)
    }

    private mutating func handle(_ frame: ChannelFrame, _ actions: inout [ChannelAction]) throws(ChannelViolation) {
        if case .hello(let version) = frame {
            guard phase == .starting else { throw ChannelViolation(.unexpectedFrame, "a second hello") }
            guard version == Self.version else { throw ChannelViolation(.version, "version \(version); this is \(Self.version)") }
            phase = .ready
            actions.append(.ready)
            return
        }
        guard phase == .running else { throw ChannelViolation(.unexpectedFrame, "a frame before hello and run") }
        switch frame {
        case .hello: break
        case .call(let call): try handle(call, &actions)
        case .emit(let stream, let data): actions.append(.emit(stream: stream, data: data))
        case .result(let value):
            end()
            actions.append(.result(value))
        case .log(let text): actions.append(.log(String(decoding: text.utf8.prefix(limits.logBytes), as: UTF8.self)))
        }
    }

    private mutating func handle(_ call: ChannelFrame.CallFrame, _ actions: inout [ChannelAction]) throws(ChannelViolation) {
        guard call.id > lastID else { throw ChannelViolation(.reusedID, "ids of calls start above zero and increase") }
        lastID = call.id
        calls += 1
        guard calls <= limits.calls else { throw ChannelViolation(.tooManyCalls, "more than \(limits.calls) calls") }
        let refusal: (code: String, message: String)
        switch call.arguments {
        case _ where !call.tool.isChannelName:
            refusal = ("unknown_tool", "the name of a tool is [a-z][a-z0-9_.]{0,63}")
        case .refused(let message):
            refusal = ("bad_args", message)
        case .object where !(1...limits.idempotencyKeyBytes).contains(call.idempotencyKey?.utf8.count ?? 1):
            refusal = ("bad_args", "idem: 1 to \(limits.idempotencyKeyBytes) bytes are expected")
        case .object where inFlight.count >= limits.inFlight:
            refusal = ("too_many_inflight", "\(limits.inFlight) calls wait for their replies already")
        case .object(let arguments):
            inFlight.insert(call.id)
            actions.append(
                .call(SandboxCall(id: call.id, tool: call.tool, arguments: arguments, idempotencyKey: call.idempotencyKey)))
            return
        }
        actions.append(
            .refused(RefusedCall(id: call.id, tool: String(call.tool.prefix(64)), code: refusal.code, message: refusal.message)))
        let reply = SandboxReply.error(code: refusal.code, message: refusal.message, rule: nil, isDenied: false, retryAfter: nil)
        actions.append(.send(FrameDecoder.frame(ReplyFrame.reply(call.id, reply))))
    }

    // MARK: From the host

    /// Gives a sandbox that is ready its code. `tools` are the names that the code may see; they decide nothing.
    mutating func run(code: String, inputs: JSONObject, tools: [String]) -> [ChannelAction] {
        guard phase == .ready else { return [] }
        let body = ReplyFrame.run(code: code, inputs: inputs, tools: tools)
        guard body.count <= limits.frameBytesOut else {
            end()
            return [.kill(ChannelViolation(.frameLength, "code and inputs of \(body.count) bytes; at most \(limits.frameBytesOut)"))]
        }
        phase = .running
        return [.send(FrameDecoder.frame(body))]
    }

    /// Answers a call in flight. A call that is not in flight, because it was cancelled or the code has ended, is nobody's.
    mutating func answer(_ id: Int64, _ reply: SandboxReply) -> [ChannelAction] {
        guard inFlight.remove(id) != nil else { return [] }
        let body = ReplyFrame.reply(id, reply)
        guard body.count > limits.frameBytesOut else { return [.send(FrameDecoder.frame(body))] }
        let message = "the reply has \(body.count) bytes; at most \(limits.frameBytesOut) fit a frame"
        let error = SandboxReply.error(code: "reply_too_large", message: message, rule: nil, isDenied: false, retryAfter: nil)
        return [.send(FrameDecoder.frame(ReplyFrame.reply(id, error)))]
    }

    /// Tells the code that its call waits for people. It stays in flight: its answer follows. `expires` in milliseconds of
    /// Unix time.
    mutating func pending(_ id: Int64, approvalID: String, expires: Int64) -> [ChannelAction] {
        guard inFlight.contains(id) else { return [] }
        return [.send(FrameDecoder.frame(ReplyFrame.pending(id, approvalID: approvalID, expires: expires)))]
    }

    /// Tells the code that its call will have no answer.
    mutating func cancel(_ id: Int64) -> [ChannelAction] {
        guard inFlight.remove(id) != nil else { return [] }
        return [.send(FrameDecoder.frame(ReplyFrame.cancel(id)))]
    }
}
