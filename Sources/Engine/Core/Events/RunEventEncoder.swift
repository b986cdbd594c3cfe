internal import JSON

/// Writes the envelope of contract §3. Encode once, share the bytes.
public enum RunEventEncoder {
    /// The JSON text of `entry` as an event of `run`.
    public static func encode(_ entry: LogEntry, of run: RunIdentity) -> [UInt8] {
        var writer = JSONWriter(reserving: 256 + entry.body.byteCount)
        writer.beginObject()
        writer.member("type", entry.body.type)
        writer.member("run_id", run.run.text)
        writer.member("seq", entry.seq)
        if entry.firstSeq != entry.seq { writer.member("first_seq", entry.firstSeq) }
        writer.member("ts", entry.timestamp)
        writer.key("conversation")
        writer.beginObject()
        writer.member("conversation_id", run.conversation.text)
        writer.member("turn_id", run.turn.text)
        writer.endObject()
        encode(entry.body, into: &writer)
        writer.endObject()
        return writer.bytes
    }

    static func encode(_ body: RunEventBody, into writer: inout JSONWriter) {
        switch body {
        case .start(let model, let message):
            writer.key("data")
            writer.beginObject()
            writer.member("model", model)
            writer.member("message", message)
            writer.endObject()
        case .step(let step): encode(step, into: &writer)
        case .delta(let delta):
            writer.key("delta")
            writer.beginObject()
            writer.key("text")
            writer.value(utf8: delta.utf8[...])
            writer.member("index", delta.index)
            writer.member("marker", delta.marker.rawValue)
            writer.endObject()
        case .usage(let report): encode(report, into: &writer)
        case .approval(let approval): encode(approval, into: &writer)
        case .cut(let cut, let settled):
            writer.key("cut")
            encode(cut, into: &writer)
            encode(settled, into: &writer)
        case .complete(let finalAnswer, let finishReason, let settled):
            writer.key("data")
            writer.beginObject()
            writer.member("final_answer", finalAnswer)
            writer.member("finish_reason", finishReason)
            writer.endObject()
            encode(settled, into: &writer)
        case .error(let code, let message, let settled):
            writer.key("error")
            writer.beginObject()
            writer.member("code", code)
            writer.member("message", message)
            writer.endObject()
            encode(settled, into: &writer)
        case .gap: break
        }
    }

    private static func encode(_ step: RunStep, into writer: inout JSONWriter) {
        writer.key("event")
        writer.beginObject()
        writer.member("step", step.step)
        writer.member("status", step.status.rawValue)
        writer.member("title", step.title)
        writer.endObject()
        writer.member("data", .object(step.data))
    }

    private static func encode(_ report: UsageReport, into writer: inout JSONWriter) {
        writer.key("usage")
        writer.beginObject()
        writer.member("input_tokens", report.inputTokens)
        writer.member("output_tokens", report.outputTokens)
        writer.endObject()
        writer.member("cost_usd", report.costUSD)
        writer.key("windows")
        writer.beginArray()
        for window in report.windows {
            writer.beginObject()
            writer.member("scope", window.scope)
            writer.member("unit", window.unit)
            writer.member("window", window.window)
            if let zone = window.zone { writer.member("zone", zone) }
            amount(window.limit, "limit", unit: window.unit, into: &writer)
            amount(window.used, "used", unit: window.unit, into: &writer)
            amount(window.held, "held", unit: window.unit, into: &writer)
            writer.endObject()
        }
        writer.endArray()
        if let warning = report.warning { writer.member("warning", warning) }
    }

    private static func encode(_ approval: RunApproval, into writer: inout JSONWriter) {
        writer.key("approval")
        writer.beginObject()
        writer.member("id", approval.id)
        writer.member("tool", approval.tool)
        writer.member("args", approval.args)
        writer.member("from", approval.from)
        writer.member("quorum", approval.quorum)
        writer.member("agreed", approval.agreed)
        writer.member("expires_at", approval.expiresAt)
        writer.member("state", approval.state)
        writer.endObject()
    }

    /// Also the `x_cut` of the OpenAI dialect and the body of a refusal. What does not apply is null, so that a reader
    /// finds the same members in every cut.
    static func encode(_ cut: CutDescription, into writer: inout JSONWriter) {
        writer.beginObject()
        writer.member("reason", cut.reason.rawValue)
        writer.key("scope")
        if let kind = cut.scopeKind {
            writer.beginObject()
            writer.member("kind", kind)
            optional(cut.scopeID, "id", into: &writer)
            writer.endObject()
        } else {
            writer.null()
        }
        if let model = cut.model { writer.member("model", model) }
        if let tool = cut.tool { writer.member("tool", tool) }
        optional(cut.unit, "unit", into: &writer)
        optional(cut.window, "window", into: &writer)
        if let zone = cut.zone { writer.member("zone", zone) }
        amount(cut.limit, "limit", unit: cut.unit, into: &writer)
        amount(cut.used, "used", unit: cut.unit, into: &writer)
        writer.key("resets_at")
        if let resetsAt = cut.resetsAt { writer.value(resetsAt) } else { writer.null() }
        optional(cut.decisionID, "decision_id", into: &writer)
        writer.endObject()
    }

    private static func encode(_ settled: SettledUsage, into writer: inout JSONWriter) {
        writer.key("usage")
        writer.beginObject()
        writer.member("input_tokens", settled.inputTokens)
        writer.member("output_tokens", settled.outputTokens)
        if settled.isEstimated {
            writer.key("estimated")
            writer.value(true)
        }
        writer.endObject()
        writer.member("cost_usd", settled.costUSD)
    }

    private static func optional(_ text: String?, _ name: String, into writer: inout JSONWriter) {
        writer.key(name)
        if let text { writer.value(text) } else { writer.null() }
    }

    /// Money is a decimal string, everything else an integer (contract §1).
    private static func amount(_ text: String?, _ name: String, unit: String?, into writer: inout JSONWriter) {
        writer.key(name)
        if unit != "usd", let text, let integer = Int64(text) {
            writer.value(integer)
        } else if let text {
            writer.value(text)
        } else {
            writer.null()
        }
    }
}

extension CutDescription {
    /// The members of `chat.cut`'s `cut` as a JSON object: for refusals and for the OpenAI dialect's `x_cut`.
    public var jsonBytes: [UInt8] {
        var writer = JSONWriter()
        RunEventEncoder.encode(self, into: &writer)
        return writer.bytes
    }
}
