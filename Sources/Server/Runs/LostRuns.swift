internal import Accounting
internal import Engine
internal import HTTPTypes
internal import JSON

/// Runs whose server died: who comes back for one is told of its end, instead of that there never was such a run.
///
/// Who settles a dead process notes the ends of its runs beside the ledger. A process that died between the settlement of a run
/// and its end leaves a turn that was never finished: that counts as lost once the settlement is old.
struct LostRuns: Sendable {
    static let code = "node_lost"
    static let pendingCode = "run_unavailable"
    static let message = "The server of this run was lost; what it had delivered was charged, and the rest never came."
    /// A server that lives writes the end of a turn right after the settlement; a pause of this length would be a fault of its own.
    private static let finishing: Int64 = 10_000
    /// A complete run is answered for as long as its log would be kept, in milliseconds.
    private static let kept = EngineLimits().finishedAge.components.seconds * 1_000
    /// The status of a turn that was not finished.
    static let running = "running"

    let stores: Stores
    let windows: WindowReader
    /// How long a run may live after a settlement without another: while its tools work, or people are asked.
    var toolTimeMax = Duration.zero

    /// Keeps that these runs were lost, but for those whose answer is whole in the archive: a lease stays on its board for a moment after
    /// its run has ended. May be repeated.
    ///
    /// - Parameter runs: one for each lease; several may be of one run.
    static func note(_ runs: [Attribution], in stores: Stores) async throws {
        var ends: [String: RunEnd] = [:]
        for run in runs { ends[run.run] = RunEnd(lost: run, at: WallClock.now()) }
        var lost: [(end: RunEnd, isRunning: Bool)] = []
        for end in ends.values {
            let status = try await stores.conversations(of: ConversationOwner(end.path)).turn(ofRun: end.run)?.turn.status
            if status != RunOutcome.complete.rawValue { lost.append((end, status == running)) }
        }
        guard !lost.isEmpty else { return }
        try await stores.runEnds.append(lost.map(\.end).sorted { $0.run < $1.run })
        for case (let end, true) in lost { try await finishTurn(of: end, in: stores) }
    }

    private static func finishTurn(of end: RunEnd, in stores: Stores) async throws {
        try await stores.conversations(of: ConversationOwner(end.path))
            .finishTurn(run: end.run, assistantText: "", status: RunOutcome.error.rawValue)
    }

    /// A handle to read the end of a lost run from.
    ///
    /// - Returns: nil when the caller has no such run, or it ended in peace and longer ago than logs are kept. Until then its end is
    ///   answered, and of a complete one the whole text.
    /// - Throws: 503 when it is not known yet: the run lives at another server that cannot be asked, or has not been settled.
    func find(_ run: RunID, for tenant: Tenant) async throws(HTTPFailure) -> RunHandle? {
        let found: RunHandle?
        let isPending: Bool
        do {
            (found, isPending) = try await look(for: run, of: tenant)
        } catch {
            throw Self.pending("What became of this run cannot be read at the moment.")
        }
        guard !isPending else { throw Self.pending("This run is at another server, or its server was lost and is being settled.") }
        return found
    }

    /// The end of a run whose node is gone, for its log in Redis. What is known of its end elsewhere holds; else it is noted now.
    ///
    /// Its charges have to be in the ledger.
    ///
    /// - Returns: nil for a tenant that cannot be accounted.
    func end(_ head: RunHead) async throws -> SharedEvent? {
        guard let path = try? TenancyPath(of: head.tenant) else { return nil }
        let run = head.identity.run.text
        let rows = try await stores.ledger.rows(ofRun: run)
        // Of a lost machine there may be more, which counts as spent until its board is read.
        let isWhole = rows.isEmpty || rows.settled != nil
        let settled = SettledUsage(rows, isWhole: isWhole)
        let turn = try await stores.conversations(of: ConversationOwner(path)).turn(ofRun: run)?.turn
        // Its node had written the answer, and died before it could tell.
        if let turn, turn.status == RunOutcome.complete.rawValue {
            return SharedEvent(
                lostAt: WallClock.now().rawValue,
                terminal: .complete(finalAnswer: turn.assistantText, finishReason: "stop", settled))
        }
        let known = try await stores.runEnds.find(run: run)
        if known == nil {
            try await Self.note([Attribution(path: path, run: run, model: head.model, priceVersion: "")], in: stores)
        }
        return SharedEvent(
            lostAt: (known?.at ?? WallClock.now()).rawValue,
            terminal: known?.terminal(settled) ?? .error(code: Self.code, message: Self.message, settled))
    }

    /// The end of a run that nobody knows any more but the ledger; nil when it is not known there either.
    func ending(of run: RunID, for tenant: Tenant) async -> SharedEvent? {
        guard let handle = try? await find(run, for: tenant), let terminal = handle.log.terminal,
            let entry = handle.log.read(after: handle.log.lastSeq - 1, maxBytes: .max).last
        else { return nil }
        return SharedEvent(lostAt: entry.timestamp, terminal: terminal)
    }

    private static func pending(_ message: String) -> HTTPFailure {
        HTTPFailure(
            .serviceUnavailable, code: pendingCode, type: "server_error", message: message, param: "run_id",
            headers: [.retryAfter: "1"])
    }

    private func look(for run: RunID, of tenant: Tenant) async throws -> (RunHandle?, isPending: Bool) {
        let owner = try ConversationOwner(of: tenant)
        guard let placed = try await stores.conversations(of: owner).turn(ofRun: run.text),
            let conversation = ConversationID(placed.conversation), let turn = TurnID(placed.turn.turn)
        else { return (nil, false) }
        var end = try await stores.runEnds.find(run: run.text)
        let wasRunning = end == nil && placed.turn.status == Self.running
        let isComplete = end == nil && placed.turn.status == RunOutcome.complete.rawValue
        guard wasRunning || isComplete || end != nil else { return (nil, false) }
        // Rows that the counters have decided and the ledger has not got yet.
        try await windows.flush(org: tenant.org)
        let rows = try await stores.ledger.rows(ofRun: run.text)
        let settled = rows.settled
        if wasRunning {
            guard let settled, Self.age(settled.at) > Self.finishing + toolTimeMax.components.seconds * 1_000 else { return (nil, true) }
            let lost = RunEnd(lost: settled.attribution, at: WallClock.now())
            try await stores.runEnds.append([lost])
            try await Self.finishTurn(of: lost, in: stores)
            end = lost
        }
        let identity = RunIdentity(run: run, conversation: conversation, turn: turn)
        let known: (model: String, at: Milliseconds, terminal: RunEventBody)
        if let end, let terminal = end.terminal(SettledUsage(rows)), end.isLost || Self.age(end.at) < Self.kept {
            known = (end.model, end.at, terminal)
        } else if end == nil, let settled, Self.age(settled.at) < Self.kept {
            // Its log is gone, and with it how it was said; what was said is not.
            let whole = RunEventBody.complete(finalAnswer: placed.turn.assistantText, finishReason: "stop", SettledUsage(rows))
            known = (settled.attribution.model, settled.at, whole)
        } else {
            return (nil, false)
        }
        let log = RunLog(identity: identity, endedAt: known.at.rawValue, terminal: known.terminal)
        let handle = RunHandle(
            identity: identity, tenant: tenant, model: known.model, startedAt: placed.turn.startedAt.rawValue, log: log)
        return (handle, false)
    }

    /// How long ago that was, in milliseconds.
    private static func age(_ time: Milliseconds) -> Int64 { WallClock.now().rawValue - time.rawValue }
}

extension RunEnd {
    fileprivate init(lost run: Attribution, at time: Milliseconds) {
        let detail: JSONValue = [
            "error": ["code": .string(LostRuns.code), "message": .string(LostRuns.message)], "message": .string(LostRuns.message),
        ]
        self.init(run: run.run, path: run.path, model: run.model, outcome: .error, detail: detail.jsonText, at: time)
    }

    /// What its readers would have been told, had its server lived for another moment.
    fileprivate func terminal(_ settled: SettledUsage) -> RunEventBody? {
        guard let detail = try? JSONValue(parsing: detail) else { return nil }
        if let cut = detail["cut"].flatMap(CutDescription.init) { return .cut(cut, settled) }
        guard let code = detail["error"]?["code"]?.stringValue else { return nil }
        return .error(code: code, message: detail["message"]?.stringValue ?? LostRuns.message, settled)
    }

    fileprivate var isLost: Bool {
        guard let detail = try? JSONValue(parsing: detail) else { return false }
        return detail["error"]?["code"]?.stringValue == LostRuns.code
    }
}

extension [LedgerRow] {
    /// The last row of a run, if nothing of it is held any more. An overrun is a note to the row before it.
    var settled: LedgerRow? {
        last { $0.kind != .overrun }.flatMap { $0.kind == .settle || $0.kind == .resolve ? $0 : nil }
    }
}

extension SettledUsage {
    /// What all leases of a run were charged for together.
    fileprivate init(_ rows: [LedgerRow], isWhole: Bool = true) {
        let charges = rows.filter(\.kind.isCharge)
        let usage = charges.reduce(UsageClasses.zero) { $0 + $1.usage }
        self.init(
            inputTokens: Int(clamping: usage.input), outputTokens: Int(clamping: usage.output),
            costUSD: NanoUSD(charges.reduce(0) { $0 + $1.nanoUSD }).decimalText,
            isEstimated: !isWhole || charges.contains(where: \.estimated))
    }
}
