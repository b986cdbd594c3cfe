internal import JSON

/// How far the tools of one run may go, and what follows from what they answered. Pure; a value of the run's task.
struct ToolBudget: Sendable {
    /// What becomes of one call.
    enum Fate: Sendable, Hashable {
        /// The gate decides about it.
        case make
        /// The model reads the answer; nothing is made.
        case answer(ToolAnswer)
        /// Nothing is made, and nobody reads anything.
        case skip(reason: String)
    }

    /// What becomes of the server's calls of one answer.
    struct Plan: Sendable, Hashable {
        var fates: [Fate]
        /// Set where the run ends without any of them.
        var ending: RunEnding?
    }

    /// Why the tools of a run end it.
    static let limitReached = RunEnding.complete(finishReason: "tool_limit")
    static let denied = RunEnding.complete(finishReason: "tool_denied")
    static let handedThrough = RunEnding.complete(finishReason: "tool_calls")

    private let limits: EngineLimits
    private var rounds = 0
    private var callsMade = 0
    private var resultBytes = 0
    var clock: ToolClock

    init(_ limits: EngineLimits) {
        self.limits = limits
        clock = ToolClock(limits)
    }

    /// The model has finished an answer with these calls of the server's.
    mutating func plan(_ calls: [ToolCall], onDeny: RunRequest.DenyPolicy) -> Plan {
        rounds += 1
        if onDeny == .stopTurn, calls.contains(where: \.isDenied) {
            return end(calls, Self.denied, "another call of this answer was denied")
        }
        guard rounds < limits.toolRoundsMax else { return end(calls, Self.limitReached, "the run has used up its rounds") }
        var fates: [Fate] = []
        var made = 0
        for _ in calls {
            made += 1
            fates.append(made > limits.toolCallsPerAnswerMax ? .answer(ToolAnswer(Self.tooManyCalls)) : .make)
        }
        made = min(made, limits.toolCallsPerAnswerMax)
        guard callsMade + made <= limits.toolCallsPerRunMax else {
            return end(calls, Self.limitReached, "the run has used up its tool calls")
        }
        callsMade += made
        return Plan(fates: fates)
    }

    private static let tooManyCalls = ToolRefusal(
        code: "tool_limit", message: "This answer calls too many tools at once; this call was not made.")

    /// What is sure to be refused is put before the gate all the same, which writes it down.
    private func end(_ calls: [ToolCall], _ ending: RunEnding, _ reason: String) -> Plan {
        Plan(fates: calls.map { $0.isRefused ? .make : .skip(reason: reason) }, ending: ending)
    }

    /// What the model reads of each answer: cut to what the limits leave.
    mutating func contents(of answers: [ToolAnswer]) -> [String] {
        answers.map { answer in
            let most = max(0, min(limits.toolResultBytesMax, limits.toolResultsBytesMax - resultBytes))
            let content = Self.cut(answer.content, to: most)
            resultBytes += content.utf8.count
            return content
        }
    }

    /// Cut between code points, and saying so. The note is not counted.
    private static func cut(_ text: String, to bytesMax: Int) -> String {
        let bytes = text.utf8.count
        guard bytes > bytesMax else { return text }
        let kept = bytesMax < 4 ? "" : String(text[..<text[...].boundary(bytesMax: bytesMax)])
        return kept + "\n[The last \(bytes - kept.utf8.count) bytes of this result were left out: it is too long.]"
    }

    /// What follows a round. Called after ``contents(of:)``.
    func outcome(_ answers: [ToolAnswer], onDeny: RunRequest.DenyPolicy, handsThrough: Bool) -> RunStateMachine.RoundOutcome {
        for answer in answers {
            if let ending = answer.ending(onDeny) { return .end(ending) }
        }
        if clock.isOver || resultBytes >= limits.toolResultsBytesMax { return .end(Self.limitReached) }
        return handsThrough ? .end(Self.handedThrough) : .goOn
    }
}

extension ToolCall {
    var isDenied: Bool {
        guard case .denied = maker else { return false }
        return true
    }

    /// Whether the gate has no choice: the name is forbidden, or nobody offered it.
    var isRefused: Bool { isDenied || maker == .unknown }
}

extension ToolAnswer {
    /// How the run ends because of this answer; nil when it goes on.
    func ending(_ onDeny: RunRequest.DenyPolicy) -> RunEnding? {
        switch verdict {
        case .answered: nil
        case .endsRun(let ending): ending
        case .denied(let decision):
            switch onDeny {
            case .feedBack: nil
            case .stopTurn: ToolBudget.denied
            case .cutStream: .cut(CutDescription(reason: .policyDenied, decisionID: decision))
            }
        }
    }

    /// Whether the run ends at once, and its other tools are stopped, rather than when they are done.
    func endsAtOnce(_ onDeny: RunRequest.DenyPolicy) -> RunEnding? {
        if case .denied = verdict, onDeny == .stopTurn { return nil }
        return ending(onDeny)
    }
}

extension Substring {
    /// Where the longest beginning of whole code points in at most `bytesMax` bytes of UTF-8 ends; after the first one at least.
    func boundary(bytesMax: Int) -> String.Index {
        guard utf8.count > bytesMax else { return endIndex }
        var end = utf8.index(startIndex, offsetBy: bytesMax)
        while end > startIndex, utf8[end] & 0xC0 == 0x80 { end = utf8.index(before: end) }
        return end > startIndex || isEmpty ? end : unicodeScalars.index(after: startIndex)
    }
}
