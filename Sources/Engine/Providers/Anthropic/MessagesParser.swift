internal import Engine
internal import EventStream
internal import JSON

/// Turns the events of a Messages stream into model events. Pure; one for each answer.
///
/// Events and blocks that are not known are skipped, as the API asks its clients to; what is known and malformed fails. The
/// `output_tokens` of the beginning are a placeholder and never read.
///
/// Source: Anthropic API reference, *Streaming messages*; metering.md §3.4.
struct MessagesParser: AnswerParser {
    private enum Block: Sendable {
        case text, thinking
        /// A call: which one of the answer, and whether any of its arguments have come.
        case tool(index: Int, hasArguments: Bool)
        /// Nothing that we forward: `redacted_thinking`, blocks of the vendor's own tools.
        case other
    }

    /// More blocks than this at one time are no answer.
    private static let openBlocksMax = 64

    private let names: FunctionNames
    private var counter: DeltaCounter
    private var open: [Int64: Block] = [:]
    private var calls = 0
    private var usage: ModelUsage?
    private var outputIsReported = false
    /// Thinking is billed as it was and may be shown shortened or not at all: such an answer teaches nothing about our count.
    private var hasThought = false
    private(set) var finishReason: String?
    private(set) var model: String?
    private(set) var isDone = false

    /// - Parameters:
    ///   - ratio: how many tokens the upstream counts for each of ours (``UsageCalibration``).
    ///   - names: what the tools of the request are called upstream.
    init(ratio: CalibrationRatio = .one, names: FunctionNames = FunctionNames()) {
        self.names = names
        counter = DeltaCounter(ratio)
    }

    var outputSample: UsageCalibration.Sample? {
        guard let usage, outputIsReported, !hasThought else { return nil }
        return UsageCalibration.Sample(counted: counter.counted.visible, reported: usage.outputTokens)
    }

    func promptSample(estimate: Int) -> UsageCalibration.Sample? {
        usage.map { UsageCalibration.Sample(counted: estimate, reported: $0.inputTokens) }
    }

    mutating func accept(_ event: ServerSentEvent, into events: inout [ModelEvent]) throws(ProviderError) {
        guard !isDone else { return }
        let data: JSONValue
        do {
            data = try JSONValue(parsing: event.data)
        } catch {
            throw UpstreamFailure.malformed("the upstream sent an event that is not JSON (\(error))")
        }
        guard data.objectValue != nil else { throw UpstreamFailure.malformed("the upstream sent an event that is no object") }
        switch data["type"]?.stringValue ?? event.name {
        case "message_start":
            model = data["message"]?["model"]?.stringValue
            try take(usage: data["message"]?["usage"], isLast: false, into: &events)
        case "content_block_start": try begin(data, into: &events)
        case "content_block_delta": try add(data, into: &events)
        case "content_block_stop": end(try Self.index(data), into: &events)
        case "message_delta":
            if let reason = data["delta"]?["stop_reason"]?.stringValue { finishReason = Self.finishReason(reason) }
            try take(usage: data["usage"], isLast: true, into: &events)
        case "message_stop": isDone = true
        case "error": throw UpstreamFailure.inBand(data["error"] ?? .null)
        default: break
        }
    }

    /// Takes a whole message: its blocks begin and end at once.
    mutating func accept(whole body: [UInt8], into events: inout [ModelEvent]) throws(ProviderError) {
        guard let answer = try? JSONValue(parsing: body), answer.objectValue != nil else {
            throw UpstreamFailure.malformed("the upstream sent an answer that is no JSON object")
        }
        if answer["type"] == "error" { throw UpstreamFailure.inBand(answer["error"] ?? .null) }
        guard let blocks = answer["content"]?.arrayValue else {
            throw UpstreamFailure.malformed("the upstream sent an answer without content")
        }
        for (index, block) in blocks.enumerated() {
            try begin(["index": .integer(Int64(index)), "content_block": block], into: &events)
            end(Int64(index), into: &events)
        }
        model = answer["model"]?.stringValue
        if let reason = answer["stop_reason"]?.stringValue { finishReason = Self.finishReason(reason) }
        try take(usage: answer["usage"], isLast: true, into: &events)
        isDone = true
    }

    // MARK: Blocks

    private mutating func begin(_ data: JSONValue, into events: inout [ModelEvent]) throws(ProviderError) {
        let index = try Self.index(data)
        guard let block = data["content_block"], block.objectValue != nil, open[index] == nil, open.count < Self.openBlocksMax else {
            throw UpstreamFailure.malformed("the upstream sent a content block that cannot be")
        }
        switch block["type"]?.stringValue {
        case "text":
            open[index] = .text
            append(block["text"], .answer, into: &events)
        case "thinking":
            open[index] = .thinking
            hasThought = true
            append(block["thinking"], .thinking, into: &events)
            seal(block["signature"], into: &events)
        case "redacted_thinking":
            open[index] = .other
            hasThought = true
            if let data = block["data"]?.stringValue { events.append(.sealed(.redacted(data))) }
        case "tool_use":
            guard let name = block["name"]?.stringValue, let id = block["id"]?.stringValue else {
                throw UpstreamFailure.malformed("the upstream sent a tool call without a name")
            }
            // In a stream the input is an empty object that is filled later; in a whole message it is all there.
            let input = block["input"].flatMap { $0.objectValue?.isEmpty ?? true ? nil : $0.jsonText } ?? ""
            open[index] = .tool(index: calls, hasArguments: !input.isEmpty)
            events.append(
                .toolCallDelta(
                    ToolCallDelta(
                        index: calls, id: id, name: names.own(name), argumentsFragment: input,
                        tokens: counter.tokens(of: input, isProven: false))))
            calls += 1
        default: open[index] = .other
        }
    }

    private mutating func add(_ data: JSONValue, into events: inout [ModelEvent]) throws(ProviderError) {
        let index = try Self.index(data)
        guard let block = open[index], let delta = data["delta"], delta.objectValue != nil else {
            throw UpstreamFailure.malformed("the upstream sent a delta of no content block")
        }
        switch (block, delta["type"]?.stringValue) {
        case (.text, "text_delta"): append(delta["text"], .answer, into: &events)
        case (.thinking, "thinking_delta"): append(delta["thinking"], .thinking, into: &events)
        case (.tool(let call, _), "input_json_delta"):
            guard let fragment = delta["partial_json"]?.stringValue, !fragment.isEmpty else { return }
            open[index] = .tool(index: call, hasArguments: true)
            append(fragment, of: call, into: &events)
        case (.thinking, "signature_delta"): seal(delta["signature"], into: &events)
        // Citations, and what is yet to come.
        default: break
        }
    }

    /// A call without arguments has an empty object, of which the stream shows nothing.
    private mutating func end(_ index: Int64, into events: inout [ModelEvent]) {
        if case .tool(let call, hasArguments: false)? = open[index] { append("{}", of: call, into: &events) }
        open[index] = nil
    }

    private mutating func append(_ text: JSONValue?, _ marker: DeltaMarker, into events: inout [ModelEvent]) {
        guard let text = text?.stringValue, !text.isEmpty else { return }
        events.append(.delta(ModelDelta(text: text, tokens: counter.tokens(of: text, isThinking: marker == .thinking), marker: marker)))
    }

    private func seal(_ signature: JSONValue?, into events: inout [ModelEvent]) {
        guard let signature = signature?.stringValue, !signature.isEmpty else { return }
        events.append(.sealed(.signature(signature)))
    }

    private mutating func append(_ fragment: String, of call: Int, into events: inout [ModelEvent]) {
        let tokens = counter.tokens(of: fragment, isProven: false)
        events.append(.toolCallDelta(ToolCallDelta(index: call, id: nil, name: nil, argumentsFragment: fragment, tokens: tokens)))
    }

    private static func index(_ data: JSONValue) throws(ProviderError) -> Int64 {
        guard let index = data["index"]?.integerValue, index >= 0 else {
            throw UpstreamFailure.malformed("the upstream sent a content block without an index")
        }
        return index
    }

    // MARK: Usage

    /// The classes are disjoint already. Counts are cumulative, and those that are left out stay what they were.
    private mutating func take(usage value: JSONValue?, isLast: Bool, into events: inout [ModelEvent]) throws(ProviderError) {
        guard let value, value.objectValue != nil else { return }
        var usage = usage ?? ModelUsage()
        if Self.has(value, "input_tokens") { usage.inputFresh = try UsageCount.read(value["input_tokens"]) }
        if Self.has(value, "cache_read_input_tokens") { usage.inputCacheRead = try UsageCount.read(value["cache_read_input_tokens"]) }
        if Self.has(value, "cache_creation_input_tokens") {
            usage.inputCacheWrite = try UsageCount.read(value["cache_creation_input_tokens"])
        }
        if isLast, Self.has(value, "output_tokens") {
            let output = try UsageCount.read(value["output_tokens"])
            let thinking = min(try UsageCount.read(value["output_tokens_details"]?["thinking_tokens"]), output)
            (usage.outputVisible, usage.outputReasoning) = (output - thinking, thinking)
            outputIsReported = true
        }
        usage.isInputOnly = !outputIsReported
        self.usage = usage
        events.append(.usage(usage))
    }

    private static func has(_ usage: JSONValue, _ key: String) -> Bool { usage[key].map { $0 != .null } ?? false }

    /// In the words of OpenAI, which the engine speaks.
    private static func finishReason(_ reason: String) -> String {
        switch reason {
        case "max_tokens", "model_context_window_exceeded": "length"
        case "tool_use": "tool_calls"
        case "refusal": "content_filter"
        case "stop_sequence": "stop_sequence"
        default: "stop"
        }
    }
}
