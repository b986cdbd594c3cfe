internal import Engine
internal import EventStream

/// Reads one answer of an upstream in its dialect. A value of one call's reader.
protocol AnswerParser: Sendable {
    /// The dialect's own end has come; nothing counts any more.
    var isDone: Bool { get }
    /// Set once the model said why it stopped, in the words of ``ModelEvent/finished(reason:)``.
    var finishReason: String? { get }
    /// The model that answers, in the upstream's words; nil before it has said so.
    var model: String? { get }
    /// What this answer has taught about the upstream's count of output; nil without its usage.
    var outputSample: UsageCalibration.Sample? { get }
    /// The same for the prompt, of which we had counted `estimate`.
    func promptSample(estimate: Int) -> UsageCalibration.Sample?

    /// - Throws: `.malformed` for what the dialect does not allow, `.inBand` for an error that the upstream reports.
    mutating func accept(_ event: ServerSentEvent, into events: inout [ModelEvent]) throws(ProviderError)
    /// Takes an answer that came as one object.
    mutating func accept(whole body: [UInt8], into events: inout [ModelEvent]) throws(ProviderError)
}
