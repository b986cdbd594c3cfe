internal import JSON

/// From one round to the next: the calls that the model made of the server's tools.
extension Run {
    /// Settles the round, makes its calls, and writes what the model reads next.
    ///
    /// Nothing is held while tools work: the next round is admitted like a run, with all that it has to read.
    func callTools(_ course: inout Course) async -> RunStateMachine.RoundOutcome {
        await settleAttempt(.complete, course.tally, as: .answered)
        giveUpPostponed()
        // An end that was asked for meanwhile is what follows, whatever is answered here; the calls are closed with it.
        guard let tools = parts.tools, !isEnding else { return .end(.cancelled) }
        let calls = course.tally.calls
        let ours = calls.filter(\.isOurs)
        let plan = course.budget.plan(ours, onDeny: tools.onDeny)
        let answers = await answer(ours, plan, tools, &course)
        if let ending = plan.ending { return .end(ending) }
        let contents = course.budget.contents(of: answers)
        let outcome = course.budget.outcome(answers, onDeny: tools.onDeny, handsThrough: ours.count < calls.count)
        if outcome == .goOn {
            course.opener.request.add(calls, text: course.tally.roundText, contents, thinking: course.tally.thinkingBlocks)
            course.tally = course.tally.nextRound()
        }
        return outcome
    }

    /// The answers in the order of the calls; of those that are skipped, what nobody reads.
    private func answer(_ calls: [ToolCall], _ plan: ToolBudget.Plan, _ tools: RunTools, _ course: inout Course) async -> [ToolAnswer] {
        let bytesMax = parts.limits.toolStepBytesMax
        var answers: [ToolAnswer?] = []
        for (call, fate) in zip(calls, plan.fates) {
            switch fate {
            case .make: answers.append(nil)
            case .answer(let answer):
                append(.step(call.ended(.error, answer.data, bytesMax: bytesMax)))
                answers.append(answer)
            case .skip(let reason):
                append(.step(call.skipped(reason, bytesMax: bytesMax)))
                answers.append(ToolAnswer(content: ""))
            }
            course.tally.end(call)
        }
        let toMake = zip(calls, answers).filter { $0.1 == nil }.map(\.0)
        var made: ArraySlice<ToolAnswer> = []
        if !toMake.isEmpty { made = await make(toMake, tools, &course)[...] }
        return answers.map { $0 ?? made.popFirst() ?? ToolAnswer(content: "") }
    }

    private func make(_ calls: [ToolCall], _ tools: RunTools, _ course: inout Course) async -> [ToolAnswer] {
        let desk = ToolDesk(run: self, tools: tools, clock: course.budget.clock)
        works(on: calls.first?.name)
        defer { works(on: nil) }
        desk.start(calls)
        let (answers, clock) = await stoppable({ desk.stop() }) { await desk.answers() }
        course.budget.clock = clock
        return answers
    }

    /// Before the last event each call has its last step: one of the client's is the client's to run now, and one of the server's
    /// that was not made never will be.
    func closeCalls(_ tally: RunTally, _ ending: RunEnding) {
        let bytesMax = parts.limits.toolStepBytesMax
        for call in tally.calls {
            if call.isOurs {
                if !call.isEnded { append(.step(call.skipped("the run ended before this call was made", bytesMax: bytesMax))) }
            } else if ending.outcome == .complete {
                append(.step(call.running(bytesMax: bytesMax)))
            }
        }
    }
}

extension ModelRequest {
    /// What the model reads in the next round: its own answer, and of each call what came of it, in the order of the calls.
    mutating func add(_ calls: [ToolCall], text: String, _ contents: [String], thinking: [JSONValue]) {
        var toolCalls = JSONObject([("tool_calls", .array(calls.map(\.message)))])
        if !thinking.isEmpty { toolCalls[ModelMessage.thinkingMember] = .array(thinking) }
        messages.append(ModelMessage(role: "assistant", content: text.isEmpty ? .null : .string(text), extra: toolCalls))
        for (call, content) in zip(calls, contents) {
            let extra = JSONObject([("tool_call_id", .string(call.id))])
            messages.append(ModelMessage(role: "tool", content: .string(content), extra: extra))
        }
        // A choice that was forced would be forced again in every round, and the run would only end at a limit.
        if let choice = parameters["tool_choice"]?.stringValue, choice == "auto" || choice == "none" { return }
        parameters["tool_choice"] = nil
    }
}
