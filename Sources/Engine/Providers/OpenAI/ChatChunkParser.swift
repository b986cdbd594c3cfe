internal import Engine
internal import EventStream
internal import JSON

/// Turns the `data` of `chat.completion.chunk` events into model events. Pure; one for each answer.
///
/// Source: OpenAI API reference, *Chat Completions, streaming*; `reasoning_content` as DeepSeek, vLLM and llama.cpp
/// send it, `reasoning` as OpenRouter does.
struct ChatChunkParser: AnswerParser {
    private let names: FunctionNames
    private var counter: DeltaCounter
    private var reported: ModelUsage?
    /// Set once the model said why it stopped.
    private(set) var finishReason: String?
    /// After `[DONE]` nothing counts any more.
    private(set) var isDone = false
    /// The model that answers, in the upstream's words; nil before the first chunk, and where it does not say.
    private(set) var model: String?
    private var hasBegun = false

    /// - Parameters:
    ///   - ratio: how many tokens the upstream counts for each of ours (``UsageCalibration``).
    ///   - names: what the tools of the request are called upstream.
    init(ratio: CalibrationRatio = .one, names: FunctionNames = FunctionNames()) {
        self.names = names
        counter = DeltaCounter(ratio)
    }

    /// What this answer has taught about the upstream's count of output; nil without its usage.
    ///
    /// Some upstreams tell reasoning tokens apart, some bill them among the others: what is compared is the same on both sides.
    var outputSample: UsageCalibration.Sample? {
        guard let reported else { return nil }
        guard reported.outputReasoning == 0 else {
            return UsageCalibration.Sample(counted: counter.counted.visible, reported: reported.outputVisible)
        }
        return UsageCalibration.Sample(counted: counter.counted.visible + counter.counted.thinking, reported: reported.outputVisible)
    }

    /// The same for the prompt, of which we had counted `estimate`.
    func promptSample(estimate: Int) -> UsageCalibration.Sample? {
        reported.map { UsageCalibration.Sample(counted: estimate, reported: $0.inputTokens) }
    }

    mutating func accept(_ event: ServerSentEvent, into events: inout [ModelEvent]) throws(ProviderError) {
        try accept(event.data, into: &events)
    }

    mutating func accept(_ data: [UInt8], into events: inout [ModelEvent]) throws(ProviderError) {
        guard !isDone else { return }
        if data.elementsEqual("[DONE]".utf8) {
            isDone = true
            return
        }
        let chunk: JSONValue
        do {
            chunk = try JSONValue(parsing: data)
        } catch {
            throw UpstreamFailure.malformed("the upstream sent a chunk that is not JSON (\(error))")
        }
        guard chunk.objectValue != nil else { throw UpstreamFailure.malformed("the upstream sent a chunk that is no object") }
        if let error = chunk["error"], error != .null { throw UpstreamFailure.inBand(error) }
        if !hasBegun {
            hasBegun = true
            model = chunk["model"]?.stringValue
        }
        for choice in chunk["choices"]?.arrayValue ?? [] { try accept(choice: choice, into: &events) }
        if let usage = chunk["usage"], usage.objectValue != nil {
            let usage = try Self.usage(usage)
            reported = usage
            events.append(.usage(usage))
        }
    }

    /// Takes a whole `chat.completion`: its messages are deltas of one piece.
    mutating func accept(whole body: [UInt8], into events: inout [ModelEvent]) throws(ProviderError) {
        guard let answer = try? JSONValue(parsing: body), answer.objectValue != nil else {
            throw UpstreamFailure.malformed("the upstream sent an answer that is no JSON object")
        }
        if let error = answer["error"], error != .null { throw UpstreamFailure.inBand(error) }
        model = answer["model"]?.stringValue
        for choice in answer["choices"]?.arrayValue ?? [] {
            guard var members = choice.objectValue else { continue }
            members["delta"] = Self.numbered(choice["message"] ?? .null)
            try accept(choice: .object(members), into: &events)
        }
        guard finishReason != nil || !events.isEmpty else { throw UpstreamFailure.malformed("the upstream sent an answer without choices") }
        if let usage = answer["usage"], usage.objectValue != nil { events.append(.usage(try Self.usage(usage))) }
    }

    /// The tool calls of a whole message have no index; in a stream each has its own.
    private static func numbered(_ message: JSONValue) -> JSONValue {
        guard var members = message.objectValue, let calls = members["tool_calls"]?.arrayValue else { return message }
        members["tool_calls"] = .array(
            calls.enumerated().map { index, call in
                guard var call = call.objectValue else { return call }
                call["index"] = .integer(Int64(index))
                return .object(call)
            })
        return .object(members)
    }

    private mutating func accept(choice: JSONValue, into events: inout [ModelEvent]) throws(ProviderError) {
        let index = Int(clamping: choice["index"]?.integerValue ?? 0)
        if let delta = choice["delta"] {
            let thinking = delta["reasoning_content"]?.stringValue ?? delta["reasoning"]?.stringValue
            if let thinking { append(thinking, .thinking, index, into: &events) }
            if let text = delta["content"]?.stringValue { append(text, .answer, index, into: &events) }
            if let text = delta["refusal"]?.stringValue { append(text, .answer, index, into: &events) }
            for call in delta["tool_calls"]?.arrayValue ?? [] { append(call: call, into: &events) }
        }
        if let reason = choice["finish_reason"]?.stringValue, finishReason == nil || index == 0 {
            finishReason = reason
        }
    }

    private mutating func append(
        _ text: String, _ marker: DeltaMarker, _ index: Int, into events: inout [ModelEvent]
    ) {
        guard !text.isEmpty else { return }
        events.append(
            .delta(ModelDelta(text: text, tokens: counter.tokens(of: text, isThinking: marker == .thinking), marker: marker, index: index)))
    }

    private mutating func append(call: JSONValue, into events: inout [ModelEvent]) {
        let function = call["function"]
        let arguments = function?["arguments"]?.stringValue ?? ""
        events.append(
            .toolCallDelta(
                ToolCallDelta(
                    index: Int(clamping: call["index"]?.integerValue ?? 0), id: call["id"]?.stringValue,
                    name: (function?["name"]?.stringValue).map(names.own), argumentsFragment: arguments,
                    tokens: counter.tokens(of: arguments, isProven: false))))
    }

    /// OpenAI's classes overlap: cached tokens are inside the prompt, reasoning tokens inside the completion.
    private static func usage(_ usage: JSONValue) throws(ProviderError) -> ModelUsage {
        let prompt = try UsageCount.read(usage["prompt_tokens"])
        let completion = try UsageCount.read(usage["completion_tokens"])
        let cached = min(try UsageCount.read(usage["prompt_tokens_details"]?["cached_tokens"]), prompt)
        let reasoning = min(try UsageCount.read(usage["completion_tokens_details"]?["reasoning_tokens"]), completion)
        return ModelUsage(
            inputFresh: prompt - cached, inputCacheRead: cached, outputVisible: completion - reasoning,
            outputReasoning: reasoning)
    }
}
