/// One physical call of an upstream: with a lease, a price and a charge of its own.
struct Attempt: Sendable {
    /// From 1 within the run.
    let number: Int
    /// The model that is called, which is not the run's where a fallback is.
    let model: String
    let provider: any ModelProvider
    let request: ModelRequest
    let prompt: PromptCount
    let decision: MeteringDecision
    let lease: any RunLease

    /// What was reserved; nil where slices follow.
    var reserved: ReservedOutput? {
        guard decision.mode == .reserve, let most = lease.outputTokensMax else { return nil }
        return ReservedOutput(prompt: prompt.bound, most: most, countsAreExact: provider.countsAreExact)
    }
}

/// Opens the lease of each attempt of one run.
struct AttemptOpener: Sendable {
    let meter: any UsageMeter
    let models: any ModelCatalog
    let run: RunID
    let tenant: Tenant
    /// The call as the client asked for it, and in later rounds with what the model has said and the tools have answered since.
    var request: ModelRequest
    /// Whether less output than the client asked for may be asked of the upstream (see ``RunRequest/mayLowerOutput``).
    let mayLowerOutput: Bool

    enum Outcome: Sendable {
        case opened(Attempt)
        case refused(CutDescription)
        case failed(StartFailure)
    }

    func open(_ number: Int, model: String) async -> Outcome {
        guard let provider = models.provider(for: model) else {
            return .failed(StartFailure(.modelNotFound, "there is no such model"))
        }
        var call = request
        call.model = model
        let metering = models.metering(for: model)
        let decision = metering.decide(for: call)
        let prompt = provider.promptTokens(call)
        switch await meter.open(admission(number, call, prompt, decision, metering)) {
        case .refused(let cut): return .refused(cut)
        case .failed(let code, let message): return .failed(StartFailure(StartFailure.Code(rawValue: code), message))
        case .admitted(let lease):
            if let most = lease.outputTokensMax { call.outputTokensMax = min(call.outputTokensMax ?? most, most) }
            return .opened(
                Attempt(
                    number: number, model: model, provider: provider, request: call, prompt: prompt, decision: decision, lease: lease))
        }
    }

    /// With slices the client's limit is only handed on. A reservation needs a number: the client's, or else the model's or
    /// ours, and only what is not the client's own wish is lowered to what fits.
    private func admission(
        _ number: Int, _ call: ModelRequest, _ prompt: PromptCount, _ decision: MeteringDecision, _ metering: ModelMetering
    ) -> RunAdmission {
        var admission = RunAdmission(
            run: run, tenant: tenant, model: call.model, promptTokens: prompt, outputTokensMax: call.outputTokensMax)
        admission.attempt = number
        admission.metering = decision.mode
        guard decision.mode == .reserve else { return admission }
        let most = min(call.outputTokensMax ?? EngineLimits.reservedOutputTokens, metering.outputTokensMax ?? .max)
        let isLowered = call.outputTokensMax == nil || mayLowerOutput
        admission.outputTokensMax = most
        admission.outputTokensMin = isLowered ? min(most, EngineLimits.reservedOutputTokensMin) : most
        return admission
    }
}
