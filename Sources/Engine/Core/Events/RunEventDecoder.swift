public import JSON

/// Reads what ``RunEventEncoder`` has written.
extension RunEventBody {
    /// Nil for what is no event of a run.
    init?(_ json: JSONValue) {
        switch json["type"]?.stringValue {
        case "chat.start":
            guard let model = json["data"]?["model"]?.stringValue, let message = json["data"]?["message"]?.stringValue else { return nil }
            self = .start(model: model, message: message)
        case "chat.delta":
            guard let text = json["delta"]?["text"]?.stringValue, let index = json["delta"]?.int("index"),
                let marker = json["delta"]?["marker"]?.stringValue.flatMap(DeltaMarker.init(rawValue:))
            else { return nil }
            self = .delta(RunDelta(utf8: Array(text.utf8), marker: marker, index: index))
        case "chat.step":
            guard let event = json["event"], let data = json["data"]?.objectValue, let step = event["step"]?.stringValue,
                let status = event["status"]?.stringValue.flatMap(RunStep.Status.init(rawValue:)), let title = event["title"]?.stringValue
            else { return nil }
            self = .step(RunStep(step: step, status: status, title: title, data: data))
        case "chat.usage":
            guard let report = UsageReport(json) else { return nil }
            self = .usage(report)
        case "chat.approval":
            guard let approval = json["approval"].flatMap(RunApproval.init) else { return nil }
            self = .approval(approval)
        case "chat.cut":
            guard let cut = json["cut"].flatMap(CutDescription.init), let settled = SettledUsage(json) else { return nil }
            self = .cut(cut, settled)
        case "chat.complete":
            guard let data = json["data"], let answer = data["final_answer"]?.stringValue,
                let reason = data["finish_reason"]?.stringValue, let settled = SettledUsage(json)
            else { return nil }
            self = .complete(finalAnswer: answer, finishReason: reason, settled)
        case "chat.error":
            guard let error = json["error"], let code = error["code"]?.stringValue, let message = error["message"]?.stringValue,
                let settled = SettledUsage(json)
            else { return nil }
            self = .error(code: code, message: message, settled)
        default: return nil
        }
    }
}

extension JSONValue {
    func int(_ key: String) -> Int? { self[key]?.integerValue.flatMap(Int.init(exactly:)) }

    /// An amount: decimal text, or an integer where the unit is not money.
    fileprivate func amount(_ key: String) -> String? { self[key]?.stringValue ?? self[key]?.integerValue.map { String($0) } }
}

extension UsageReport {
    fileprivate init?(_ json: JSONValue) {
        guard let input = json["usage"]?.int("input_tokens"), let output = json["usage"]?.int("output_tokens"),
            let cost = json["cost_usd"]?.stringValue, let windows = json["windows"]?.arrayValue
        else { return nil }
        self.init(
            inputTokens: input, outputTokens: output, costUSD: cost, windows: windows.compactMap(WindowReport.init),
            warning: json.int("warning"))
    }
}

extension WindowReport {
    fileprivate init?(_ json: JSONValue) {
        guard let scope = json["scope"]?.stringValue, let unit = json["unit"]?.stringValue, let window = json["window"]?.stringValue,
            let limit = json.amount("limit"), let used = json.amount("used"), let held = json.amount("held")
        else { return nil }
        self.init(scope: scope, unit: unit, window: window, zone: json["zone"]?.stringValue, limit: limit, used: used, held: held)
    }
}

extension RunApproval {
    fileprivate init?(_ json: JSONValue) {
        guard let id = json["id"]?.stringValue, let tool = json["tool"]?.stringValue, let args = json["args"],
            let from = json["from"]?.stringValue, let quorum = json.int("quorum"), let agreed = json.int("agreed"),
            let expiresAt = json["expires_at"]?.integerValue, let state = json["state"]?.stringValue
        else { return nil }
        self.init(id: id, tool: tool, args: args, from: from, quorum: quorum, agreed: agreed, expiresAt: expiresAt, state: state)
    }
}

extension CutDescription {
    /// Reads what ``json`` writes.
    public init?(_ json: JSONValue) {
        guard let reason = json["reason"]?.stringValue.flatMap(CutReason.init(rawValue:)) else { return nil }
        self.init(
            reason: reason, scopeKind: json["scope"]?["kind"]?.stringValue, scopeID: json["scope"]?["id"]?.stringValue,
            model: json["model"]?.stringValue, tool: json["tool"]?.stringValue, unit: json["unit"]?.stringValue,
            window: json["window"]?.stringValue, zone: json["zone"]?.stringValue, limit: json.amount("limit"), used: json.amount("used"),
            resetsAt: json["resets_at"]?.integerValue, decisionID: json["decision_id"]?.stringValue)
    }
}

extension SettledUsage {
    fileprivate init?(_ json: JSONValue) {
        guard let input = json["usage"]?.int("input_tokens"), let output = json["usage"]?.int("output_tokens"),
            let cost = json["cost_usd"]?.stringValue
        else { return nil }
        self.init(
            inputTokens: input, outputTokens: output, costUSD: cost, isEstimated: json["usage"]?["estimated"]?.boolValue ?? false)
    }
}
