internal import JSON
internal import Synchronization
internal import Traces

/// The spans of one run that is traced: the run itself, a span for each physical call of an upstream, and one for each call of a tool.
///
/// Names are those of OpenTelemetry's conventions for generative AI where they have one, and begin with `kdcube.` otherwise. There is
/// never a prompt, an output, an argument or a key among them.
struct RunTrace: Sendable {
    static let operation = "invoke_agent"

    let span: Span
    let models: any ModelCatalog

    /// A physical call of an upstream.
    func call(_ attempt: Attempt, round: Int) -> Span {
        let origin = models.origin(of: attempt.model)
        let call = span.child("chat \(origin?.model ?? attempt.model)", .client)
        call.set("gen_ai.operation.name", .text("chat"))
        call.set(origin, model: attempt.model)
        call.set("kdcube.model", .text(attempt.model))
        call.set("kdcube.attempt", .integer(Int64(attempt.number)))
        call.set("kdcube.round", .integer(Int64(round)))
        if let most = attempt.request.outputTokensMax { call.set("gen_ai.request.max_tokens", .integer(Int64(most))) }
        return call
    }

    func tool(_ call: ToolCall) -> Span { Self.tool(call.name, call.id, in: span) }

    static func tool(_ name: String, _ id: String, in parent: Span) -> Span {
        let tool = parent.child("execute_tool \(name)")
        tool.set("gen_ai.operation.name", .text("execute_tool"))
        tool.set("gen_ai.tool.name", .text(name))
        tool.set("gen_ai.tool.call.id", .text(id))
        tool.set("gen_ai.tool.type", .text("function"))
        return tool
    }

    /// Before the run's last event: whoever reads it finds the whole trace.
    func end(_ ending: RunEnding, _ settled: SettledUsage) {
        span.set("gen_ai.usage.input_tokens", .integer(Int64(settled.inputTokens)))
        span.set("gen_ai.usage.output_tokens", .integer(Int64(settled.outputTokens)))
        span.set("kdcube.cost_usd", .text(settled.costUSD))
        span.set("kdcube.outcome", .text(ending.outcome.rawValue))
        switch ending {
        case .complete(let reason): span.set("gen_ai.response.finish_reasons", .texts([reason]))
        case .cut(let cut): span.note(cut)
        case .error(let code, _): span.fail(code)
        }
        span.end()
    }
}

/// The span of one call of a tool, and of those that it makes itself. A `Mutex` guards the latter: tools tell from any thread.
final class ToolTrace: Sendable {
    let span: Span
    private let nested = Mutex<[String: Span]>([:])

    init(_ span: Span) { self.span = span }

    func take(_ news: ToolNews) {
        switch news {
        case .nested(let call): take(call)
        case .approval(let approval):
            span.note("kdcube.approval", [("kdcube.approval.id", .text(approval.id)), ("kdcube.approval.state", .text(approval.state))])
        case .output, .progress: break
        }
    }

    private func take(_ call: ToolNews.NestedCall) {
        // One that is refused at once has no beginning of its own.
        let child = nested.withLock { nested -> Span in
            let child = nested[call.callID] ?? RunTrace.tool(call.name, call.callID, in: span)
            nested[call.callID] = call.status == .running ? child : nil
            return child
        }
        if call.status != .running { child.end(data: call.data, rule: call.data["rule"]?.stringValue) }
    }

    func end(_ answer: ToolAnswer) {
        for child in nested.withLock({ $0 }).values {
            child.fail("abandoned")
            child.end()
        }
        span.end(answer)
    }
}

extension Span {
    /// A request for a run.
    func begin(_ request: RunRequest, _ origin: ModelOrigin?) {
        set("gen_ai.operation.name", .text(RunTrace.operation))
        set("gen_ai.provider.name", .text(origin?.provider ?? "kdcube"))
        set("gen_ai.request.model", .text(request.model))
        set("gen_ai.conversation.id", request.conversation?.text)
        set("kdcube.org", .text(request.tenant.org.text))
        set("kdcube.project", .text(request.tenant.project))
    }

    /// It became a run.
    func set(_ identity: RunIdentity) {
        set("gen_ai.conversation.id", .text(identity.conversation.text))
        set("kdcube.run_id", .text(identity.run.text))
    }

    /// It did not.
    func end(refused outcome: StartOutcome) {
        switch outcome {
        case .started: return
        case .refused(let cut):
            note(cut)
            set("kdcube.outcome", .text("refused"))
            fail(cut.reason.rawValue)
        case .failed(let failure):
            set("kdcube.outcome", .text("refused"))
            fail(failure.code.rawValue)
        }
        end()
    }

    fileprivate func set(_ origin: ModelOrigin?, model: String) {
        set("gen_ai.provider.name", .text(origin?.provider ?? "kdcube"))
        set("gen_ai.request.model", .text(origin?.model ?? model))
        guard let host = origin?.host else { return }
        set("server.address", .text(host))
        if let port = origin?.port { set("server.port", .integer(Int64(port))) }
    }

    func setFirstChunk(after nanoseconds: Int64) {
        set("gen_ai.response.time_to_first_chunk", .double(Double(nanoseconds) / 1e9))
    }

    /// A cap, a policy or an operator has ended it.
    fileprivate func note(_ cut: CutDescription) {
        var attributes: [SpanAttribute] = [("kdcube.cut.reason", .text(cut.reason.rawValue))]
        let rest = [
            ("kdcube.cut.scope", cut.scopeKind), ("kdcube.cut.unit", cut.unit), ("kdcube.cut.window", cut.window),
            ("kdcube.decision_id", cut.decisionID),
        ]
        for case (let name, let text?) in rest { attributes.append((name, .text(text))) }
        note("kdcube.cut", attributes)
        set("kdcube.cut.reason", .text(cut.reason.rawValue))
    }

    /// A physical call is over. One that was never made is never told.
    func end(_ result: Run.PumpResult) {
        let tally = result.tally
        guard tally.wasCalled else { return }
        if let usage = tally.upstreamUsage {
            set("gen_ai.usage.input_tokens", .integer(Int64(usage.inputTokens)))
            if usage.inputCacheRead > 0 { set("gen_ai.usage.cache_read.input_tokens", .integer(Int64(usage.inputCacheRead))) }
            if usage.outputReasoning > 0 { set("gen_ai.usage.reasoning.output_tokens", .integer(Int64(usage.outputReasoning))) }
        }
        // What was stopped has no count of the upstream's; what was delivered is known.
        let output = max(tally.upstreamUsage?.outputTokens ?? 0, tally.deliveredTokens)
        set("gen_ai.usage.output_tokens", .integer(Int64(output)))
        switch result.event {
        case .upstreamFinished(let reason): set("gen_ai.response.finish_reasons", .texts([reason]))
        case .toolsCalled: set("gen_ai.response.finish_reasons", .texts(["tool_calls"]))
        case .upstreamFailed(let error): if error.kind != .cancelled { fail(error.type) }
        default: set("kdcube.stopped", .flag(true))
        }
        end()
    }

    /// A call of a tool is over.
    func end(_ answer: ToolAnswer) {
        if case .denied(let decisionID) = answer.verdict { set("kdcube.decision_id", decisionID) }
        end(data: answer.data, rule: answer.rule ?? answer.data["rule"]?.stringValue)
    }

    fileprivate func end(data: JSONObject, rule: String?) {
        set("kdcube.decision", data["decision"]?.stringValue)
        set("kdcube.decision_id", data["decision_id"]?.stringValue)
        set("kdcube.rule", rule)
        if let code = data["error"]?["code"]?.stringValue { fail(code) }
        end()
    }
}

extension ProviderError {
    /// As `error.type` has it: a status as its number, anything else as a word of ours.
    fileprivate var type: String {
        switch kind {
        case .connect: "connect"
        case .status(let status): String(status)
        case .firstByteTimeout: "first_byte_timeout"
        case .idleTimeout: "idle_timeout"
        case .callTimeout: "call_timeout"
        case .dropped: "dropped"
        case .malformed: "malformed"
        case .inBand: "upstream_error"
        case .cancelled: "cancelled"
        }
    }
}
