internal import Engine
internal import Foundation
internal import HTTPTypes
internal import JSON

/// How a run that was not started is told: the same codes on every transport (contract, *HTTP*, case table).
extension HTTPFailure {
    /// - Parameter isRefusal: the run was not started, which may be for its worst case alone.
    init(_ cut: CutDescription, isRefusal: Bool = false, now: Date = Date()) {
        var headers: HTTPFields = [:]
        let retryAfter = cut.resetsAt.map { max(1, ($0 + 999) / 1_000 - Int64(now.timeIntervalSince1970)) }
        let status: HTTPResponse.Status
        let code: String
        switch cut.reason {
        case .budgetExceeded:
            status = .paymentRequired
            code = "budget_exceeded"
            // SDKs retry by status; a spent budget does not come back within their patience.
            headers[.shouldRetry] = "false"
            headers.append(contentsOf: cut.budgetHeaders)
        case .rateLimited:
            status = .tooManyRequests
            code = "rate_limit_exceeded"
            headers = cut.rateLimitHeaders(resetsIn: retryAfter)
            // A place among the runs at one time comes back when one of them ends, and nobody knows when.
            if let seconds = retryAfter ?? (cut.unit == "runs" ? 1 : nil) { headers[.retryAfter] = String(seconds) }
        case .accountingUnavailable:
            status = .serviceUnavailable
            code = "accounting_unavailable"
            headers[.retryAfter] = "1"
        case .policyDenied:
            status = .forbidden
            code = "policy_denied"
            headers[.shouldRetry] = "false"
        case .killed:
            status = .forbidden
            code = "killed"
            headers[.shouldRetry] = "false"
        }
        self.init(
            status, code: code, type: cut.reason == .rateLimited ? "rate_limit_error" : "insufficient_quota",
            message: cut.sentence(isRefusal: isRefusal),
            param: cut.scopeKind, headers: headers, cut: cut.json)
    }

    init(_ failure: StartFailure) {
        let (status, retries): (HTTPResponse.Status, Bool) =
            switch failure.code {
            case .modelNotFound, .conversationNotFound: (.notFound, false)
            case .turnExists: (.conflict, false)
            case .tooManyRuns, .serverShutdown, .accountingUnavailable, .conversationsUnavailable, .logUnavailable:
                (.serviceUnavailable, true)
            case .priceUnknown: (.paymentRequired, false)
            default: (.internalServerError, false)
            }
        self.init(
            status, code: failure.code.rawValue, type: status.code >= 500 ? "server_error" : "invalid_request_error",
            message: failure.message, param: failure.code == .modelNotFound ? "model" : nil,
            headers: retries ? [.retryAfter: "1"] : [.shouldRetry: "false"])
    }
}

extension StartFailure.Code {
    /// The model has no price, and a money budget is on the path.
    static let priceUnknown = StartFailure.Code(rawValue: "price_unknown")
    /// The decision log cannot be written.
    static let logUnavailable = StartFailure.Code(rawValue: "log_unavailable")
}

extension CutDescription {
    var json: JSONValue { (try? JSONValue(parsing: jsonBytes)) ?? .null }

    /// `x_cut`: the cut, and which run it ended.
    func json(of run: RunID) -> JSONValue {
        guard var members = json.objectValue else { return .null }
        members["run_id"] = .string(run.text)
        return .object(members)
    }

    /// `x-ratelimit-*` as OpenAI's clients read them; only windows of tokens and requests have these.
    func rateLimitHeaders(resetsIn seconds: Int64?) -> HTTPFields {
        guard let unit, let limit, unit == "tokens" || unit == "requests" else { return [:] }
        var headers: HTTPFields = [:]
        let values = [("limit", limit), ("remaining", "0"), ("reset", seconds.map { DurationText.of(seconds: $0) })]
        for case (let kind, let value?) in values {
            if let name = HTTPField.Name("x-ratelimit-\(kind)-\(unit)") { headers[name] = value }
        }
        return headers
    }

    /// One sentence for a person: whose cap, how much, and when it resets.
    func sentence(isRefusal: Bool) -> String {
        guard let scopeKind, let scopeID, let unit, let limit else {
            switch reason {
            case .accountingUnavailable: return "The accounting cannot be reached, so nothing may be spent. Try again."
            case .killed:
                guard let scopeKind, let scopeID else { return "An operator stopped this run." }
                return "An operator stopped what ran in the \(scopeKind) \(scopeID), or took its key away."
            default: return "This run was refused (\(reason.rawValue))."
            }
        }
        if unit == "runs" { return "The \(scopeKind) \(scopeID) has \(limit) runs at one time, which is its limit. Wait for one to end." }
        let amount = (unit == "usd" ? "$\(limit)" : "\(limit) \(unit)") + (tool.map { " of \($0)" } ?? "")
        let place = zone.map { " in \($0)" } ?? ""
        let period = window.map { $0 == "total" ? " in all" : " for this \($0)\(place)" } ?? ""
        let reset = resetsAt.map { " It resets at \(Date(timeIntervalSince1970: Double($0) / 1_000).formatted(.iso8601))." } ?? ""
        if isRefusal, let used, used != limit {
            let spent = unit == "usd" ? "$\(used)" : used
            return "What this request could cost at most does not fit into what the \(scopeKind) \(scopeID) has left: "
                + "\(spent) of \(amount)\(period) are used, and more may be held by others.\(reset)"
        }
        return "The \(scopeKind) \(scopeID) has spent its \(amount)\(period).\(reset)"
    }
}
