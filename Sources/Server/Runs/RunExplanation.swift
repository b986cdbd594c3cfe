internal import Accounting
internal import Engine
internal import JSON

/// Why a run ended, and what it cost: the answer of `kdcube why` and `GET /v1/runs/{run}/why`.
struct RunExplanation: Sendable {
    enum State: String, Sendable {
        case running, complete, cut, error
        /// Its process ended without settling: what it held is in suspense.
        case interrupted
    }

    let run: String
    let path: TenancyPath
    let model: String
    let state: State
    let end: RunEnd?
    /// Charges and notes in the order of their time.
    let rows: [LedgerRow]
    /// The running windows of the run's path as they are now.
    let windows: [WindowSnapshot]

    var detail: JSONValue { end.flatMap { try? JSONValue(parsing: $0.detail) } ?? .null }

    var sentence: String {
        if let message = detail["message"]?.stringValue { return message }
        switch state {
        case .running: return "This run has not ended."
        case .complete: return "This run was not cut."
        case .interrupted: return "The server that ran this ended before it was settled; what the run held counts until it is resolved."
        case .cut, .error: return "This run ended early."
        }
    }

    private var charges: [LedgerRow] { rows.filter(\.kind.isCharge) }
    var cost: NanoUSD { NanoUSD(charges.reduce(0) { $0 + $1.nanoUSD }) }
    var usage: UsageClasses { charges.reduce(.zero) { $0 + $1.usage } }

    var json: JSONValue {
        [
            "run_id": .string(run), "state": .string(state.rawValue), "model": .string(model), "message": .string(sentence),
            "org": .string(path.org.text), "project": .string(path.project), "user": path.user.map { .string($0) } ?? .null,
            "key": path.key.map { .string($0) } ?? .null, "ended_at": end.map { .integer($0.at.rawValue) } ?? .null,
            "cut": detail["cut"] ?? .null, "error": detail["error"] ?? .null,
            "totals": [
                "input_tokens": .integer(usage.input), "output_tokens": .integer(usage.output),
                "requests": .integer(charges.reduce(0) { $0 + $1.requests }), "cost_usd": .string(cost.decimalText),
                "estimated": .bool(charges.contains(where: \.estimated)),
            ],
            "charges": .array(rows.map(\.json)), "windows": .array(windows.map(\.json)),
        ]
    }
}

/// Finds what is known of a run, wherever it ran and however long ago.
struct RunExplainer: Sendable {
    let stores: Stores
    let windows: WindowReader

    /// - Parameters:
    ///   - live: what this process knows of the run: `running`, or how it ended.
    ///   - elsewhere: the run as another server has it.
    /// - Returns: nil when nothing is known of it.
    func explain(_ run: String, live: RunHandle? = nil, elsewhere: StreamRow? = nil) async throws -> RunExplanation? {
        let end = try await stores.runEnds.find(run: run)
        var rows = try await stores.ledger.rows(ofRun: run)
        let livePath =
            live.flatMap { try? TenancyPath(of: $0.tenant) }
            ?? elsewhere.flatMap { try? TenancyPath(org: $0.org, project: $0.project, user: $0.user, key: $0.key) }
        if let org = end?.path.org ?? livePath?.org {
            // Rows that the counters have decided and the ledger has not got yet; should they be away, the rest is still an answer.
            try? await windows.flush(.org(org))
            rows = try await stores.ledger.rows(ofRun: run)
        }
        guard let path = end?.path ?? rows.first?.attribution.path ?? livePath else { return nil }
        var found: [WindowSnapshot] = []
        for scope in path.scopes { found += (try? await windows.usage(of: scope).windows) ?? [] }
        return RunExplanation(
            run: run, path: path, model: end?.model ?? rows.first?.attribution.model ?? live?.model ?? elsewhere?.model ?? "",
            state: try await isUnderWay(run, path, live, end, rows) ? .running : Self.state(live, end, rows), end: end, rows: rows,
            windows: found)
    }

    /// A run whose tools work, or that waits for people, is settled meanwhile: its turn says that it goes on.
    private func isUnderWay(
        _ run: String, _ path: TenancyPath, _ live: RunHandle?, _ end: RunEnd?, _ rows: [LedgerRow]
    ) async throws -> Bool {
        guard live == nil, end == nil, rows.settled != nil else { return false }
        return try await stores.conversations(of: ConversationOwner(path)).turn(ofRun: run)?.turn.status == LostRuns.running
    }

    private static func state(_ live: RunHandle?, _ end: RunEnd?, _ rows: [LedgerRow]) -> RunExplanation.State {
        if let end { return end.outcome == .cut ? .cut : .error }
        if let live {
            switch live.outcome {
            case .complete: return .complete
            case .cut: return .cut
            case .error: return .error
            case nil: return .running
            }
        }
        // An overrun is a note to the row before it.
        switch rows.last(where: { $0.kind != .overrun })?.kind {
        case .settle: return .complete
        case .suspense, .resolve: return .interrupted
        default: return .running
        }
    }
}
