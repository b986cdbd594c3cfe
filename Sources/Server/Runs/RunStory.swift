internal import Accounting
internal import JSON

/// A run's life as a support person reads it aloud, with the proof beneath: from its explanation and the records of its decisions. Pure.
struct RunStory: Sendable {
    /// Decisions of one run that are read; beyond it the timeline is the beginning.
    static let decisions = 200
    /// Rows of the ledger that the timeline shows: the first and the last of them.
    static let charges = 100
    /// Sentences, so that it can be read aloud.
    static let sentences = 5

    let explanation: RunExplanation
    /// In the order in which they were made.
    let records: [RecordedDecision]

    var json: JSONValue {
        guard case .object(var object) = explanation.json else { return explanation.json }
        object["timeline"] = .array(timeline.map(\.json))
        object["story"] = .array(story.map { .string($0) })
        return .object(object)
    }

    // MARK: The timeline

    struct Entry: Sendable {
        let at: Int64
        let kind: String
        let text: String
        var decisionID: String?
        var data: JSONValue = .null

        var json: JSONValue {
            [
                "at": .integer(at), "kind": .string(kind), "text": .string(text), "decision_id": decisionID.map { .string($0) } ?? .null,
                "data": data,
            ]
        }
    }

    /// Oldest first; of one moment in the order admission, tools, charges, cut, end.
    var timeline: [Entry] {
        let order = ["admission": 0, "tool": 1, "approval": 1, "charge": 2, "kill": 3, "cut": 3, "end": 4]
        var entries = records.compactMap(entry)
        let rows = explanation.rows
        let shown = rows.count <= Self.charges ? rows : Array(rows.prefix(Self.charges / 2) + rows.suffix(Self.charges / 2))
        entries += shown.map(charge)
        if let end { entries.append(end) }
        return entries.enumerated().sorted {
            ($0.element.at, order[$0.element.kind] ?? 2, $0.offset) < ($1.element.at, order[$1.element.kind] ?? 2, $1.offset)
        }.map(\.element)
    }

    private func entry(_ record: RecordedDecision) -> Entry? {
        let decision = record.decision
        let isAllowed = decision.decision == .allow
        let reason = decision.message ?? decision.code ?? decision.rule ?? ""
        func made(_ kind: String, _ text: String) -> Entry {
            Entry(at: decision.at.rawValue, kind: kind, text: text, decisionID: decision.id, data: record.json)
        }
        switch decision.kind {
        case .admission:
            return made("admission", isAllowed ? "admitted to \(decision.subject ?? explanation.model)" : "not admitted: \(reason)")
        case .call:
            let outcome = record.outcome.map { ", \($0.status.rawValue) after \($0.elapsed.rawValue) ms" } ?? ""
            return made("tool", isAllowed ? "\(decision.tool) allowed\(outcome)" : "\(decision.tool) denied: \(reason)")
        case .approval: return made("approval", decision.message ?? "\(decision.tool): \(decision.code ?? decision.decision.rawValue)")
        case .cut: return made(isKill(decision) ? "kill" : "cut", reason)
        case .kill: return made("kill", reason.isEmpty ? "stopped by order" : reason)
        case .change, .refusal: return nil
        }
    }

    /// A run that somebody stopped is recorded as cut, with that reason.
    private func isKill(_ decision: ToolDecision) -> Bool { decision.code == "killed" }

    private func charge(_ row: LedgerRow) -> Entry {
        let text =
            switch row.kind {
            case .commit, .settle, .resolve, .adjust: "\(NanoUSD(row.nanoUSD).decimalText) usd for \(row.usage.total.grouped) tokens"
            case .overrun: "more than was held: \(row.usage.total.grouped) tokens"
            case .suspense: "held by a server that ended: \(NanoUSD(row.nanoUSD).decimalText) usd"
            }
        return Entry(at: row.at.rawValue, kind: "charge", text: text, data: row.json)
    }

    private var end: Entry? {
        switch explanation.state {
        case .running: return nil
        case .complete, .interrupted:
            guard let last = explanation.rows.last else { return nil }
            return Entry(at: last.at.rawValue, kind: "end", text: explanation.state.rawValue)
        case .cut, .error:
            guard let at = explanation.end?.at ?? ending?.at else { return nil }
            return Entry(at: at.rawValue, kind: "end", text: explanation.state.rawValue, data: explanation.detail)
        }
    }

    /// The decision that ended the run; it is there before the end is kept.
    private var ending: ToolDecision? { records.last { $0.decision.kind == .cut || $0.decision.kind == .kill }?.decision }

    // MARK: The story

    var story: [String] {
        var sentences = [beginning, spending]
        if let tools { sentences.append(tools) }
        sentences.append(explanation.state == .complete ? "It ended by itself and was not cut." : reason)
        if let next { sentences.append(next) }
        return Array(sentences.prefix(Self.sentences))
    }

    private var beginning: String {
        let path = explanation.path
        let who = path.user.map { "user \($0) of project \(path.org)/\(path.project)" } ?? "project \(path.org)/\(path.project)"
        let admission = records.first { $0.decision.kind == .admission }?.decision
        let at = (admission?.at ?? explanation.rows.first?.at).map { " at \($0.rfc3339)" } ?? ""
        return "\(who.prefix(1).uppercased())\(who.dropFirst()) asked the model \(explanation.model)\(at)."
    }

    private var spending: String {
        let usage = explanation.usage
        let verb = explanation.state == .running ? "So far it has" : "It"
        return "\(verb) read \(usage.input.grouped) tokens and wrote \(usage.output.grouped), which cost $\(explanation.cost.decimalText)."
    }

    private var tools: String? {
        let calls = records.filter { $0.decision.kind == .call }
        guard !calls.isEmpty else { return nil }
        let denied = calls.count { $0.decision.decision == .deny }
        let made = calls.count == 1 ? "One call of a tool was asked for" : "\(calls.count) calls of tools were asked for"
        return denied == 0 ? "\(made), and allowed." : "\(made); \(denied) of them \(denied == 1 ? "was" : "were") denied."
    }

    private var reason: String { explanation.end == nil ? ending?.message ?? explanation.sentence : explanation.sentence }

    private var next: String? { ending.map { "The record of that decision is \($0.id)." } }
}

extension Int64 {
    /// `1,331`, as the tables beside it have it.
    var grouped: String {
        let digits = String(magnitude)
        var text = ""
        for (index, digit) in digits.enumerated() {
            if index > 0, (digits.count - index).isMultiple(of: 3) { text.append(",") }
            text.append(digit)
        }
        return self < 0 ? "-" + text : text
    }
}
