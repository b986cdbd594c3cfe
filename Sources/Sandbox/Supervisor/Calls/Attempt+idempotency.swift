internal import JSON

extension CallerIdentity {
    func idempotencyKey(_ text: String) -> IdempotentCall.Key {
        IdempotentCall.Key(org: org, project: project, user: user, credential: key, text: text)
    }
}

extension Attempt {
    /// Makes the call, unless the same one was made under the same key.
    ///
    /// - Returns: the result, and whether the tool goes on.
    func admit(_ call: Checked) async throws(Refused) -> (CallResult, goesOn: Bool) {
        guard let text = request.idempotencyKey else {
            let made = try await perform(call)
            return (made.result, made.goesOn)
        }
        guard (1...SupervisorLimits.idempotencyKeyBytesMax).contains(text.utf8.count) else {
            throw refused(
                call, RefusalCode.badIdempotencyKey, "An idempotency key has 1 to \(SupervisorLimits.idempotencyKeyBytesMax) bytes.")
        }
        let keyed = IdempotentCall(key: request.caller.idempotencyKey(text), tool: call.tool.name, digest: call.digest)
        while !Task.isCancelled {
            switch supervisor.flights.start(keyed) {
            case .conflict: throw conflict(call)
            case .other:
                if let result = await supervisor.flights.result(of: keyed) { return (try await replay(result, call), goesOn: false) }
            case .first:
                do {
                    let (result, goesOn) = try await claim(keyed, call)
                    supervisor.flights.finish(keyed, result)
                    return (result, goesOn)
                } catch {
                    supervisor.flights.finish(keyed, nil)
                    throw error
                }
            }
        }
        throw cancelled(call)
    }

    private func claim(_ keyed: IdempotentCall, _ call: Checked) async throws(Refused) -> (CallResult, goesOn: Bool) {
        let store = ports.idempotency
        let patience = call.tool.timeout + SupervisorLimits.cancellationGrace
        let asked = ports.clock.nowNanoseconds
        while true {
            switch await store.claim(keyed) {
            case .claimed: break
            case .finished(let stored):
                guard let result = CallResult(stored: stored) else { throw unknown(call) }
                return (try await replay(result, call), goesOn: false)
            case .conflict: throw conflict(call)
            case .unknown: throw unknown(call)
            case .unavailable:
                throw refused(call, RefusalCode.idempotencyUnavailable, "Nobody can say whether this call was made before.")
            case .inFlight:
                // Another process makes it; no longer than its tool may take.
                guard since(asked) < patience else { throw unknown(call) }
                guard !Task.isCancelled else { throw cancelled(call) }
                await ports.clock.sleep(until: ports.clock.nowNanoseconds + SupervisorLimits.inFlightPollInterval.boundedNanoseconds)
                continue
            }
            break
        }
        let made: Performed
        do { made = try await perform(call) } catch {
            await shielded { await store.settle(keyed, .released) }
            throw error
        }
        let ending: IdempotencyEnding =
            switch made.certainty {
            case .noEffect: .released
            case .unknown: .unknown
            case .known: made.result.stored.map { .finished($0) } ?? .unknown
            }
        await shielded { await store.settle(keyed, ending) }
        return (made.result, made.goesOn)
    }

    /// Answers with an earlier result, if the caller may still call the tool.
    private func replay(_ earlier: CallResult, _ call: Checked) async throws(Refused) -> CallResult {
        if let refusal = supervisor.nameRefusal(
            of: call.tool, for: request.caller, source: request.source, by: supervisor.standing().decider)
        {
            throw Refused(refusal: refusal, call: call)
        }
        let record = record(
            call, .allow, rule: RuleID.replay, message: "Answered with what came of \(earlier.decisionID ?? "an earlier call").")
        guard await write(record) else { throw logUnavailable(call) }
        ports.metrics.decided(.allow, tool: call.tool.name)
        return CallResult(outcome: earlier.outcome, decisionID: record.id, elapsed: elapsed, isReplayed: true)
    }

    private func conflict(_ call: Checked) -> Refused {
        refused(call, RefusalCode.idempotencyConflict, "This idempotency key stands for another call.")
    }

    private func unknown(_ call: Checked) -> Refused {
        refused(call, RefusalCode.idempotencyUnknown, "A call with this idempotency key was made, and nobody knows what came of it.")
    }

    func cancelled(_ call: Checked) -> Refused {
        refused(call, RefusalCode.cancelled, "Nobody waits for this call any longer.", rule: RuleID.cancelled)
    }

    func logUnavailable(_ call: Checked) -> Refused {
        refused(call, RefusalCode.logUnavailable, "The decision cannot be recorded, so nothing is called.", rule: RuleID.log)
    }

    func refused(_ call: Checked, _ code: String, _ message: String, rule: String = RuleID.idempotency) -> Refused {
        Refused(refusal: Refusal(code: code, message: message, rule: rule), call: call)
    }

    /// In a task of its own, so that a cancellation of the caller leaves nothing half done.
    func shielded(_ work: @escaping @Sendable () async -> Void) async {
        await Task { await work() }.value
    }
}
