/// What one run has used, over all its leases: totals, and how much of them earlier leases have settled.
///
/// A run has several leases when a window rolled or a budget changed under it. Cost is rounded up once over the whole run,
/// so a later lease is charged the rounded total less what was settled before. A value; confined to its ``LeaseMachine``.
package struct RunCost: Sendable {
    let pricing: ModelPricing
    let prompt: PromptTokens
    /// Output that was taken and forwarded.
    package private(set) var output = UsageClasses.zero
    private var settled = Spent.zero

    /// - Parameter countsRequest: false where an earlier attempt of the run has counted the request.
    package init(pricing: ModelPricing, prompt: PromptTokens, countsRequest: Bool = true) {
        self.pricing = pricing
        self.prompt = prompt
        settled.requests = countsRequest ? 0 : 1
    }

    /// Pinned at admission; of a prompt that is only bounded, the dearest that it can turn out to have.
    var price: ModelPrice {
        switch prompt {
        case .exact: pricing.price(promptTokens: prompt.bound)
        case .atMost: pricing.worst(promptUpTo: prompt.bound)
        }
    }

    mutating func add(output tokens: Int64, reasoning: Bool) {
        if reasoning { output.outputReasoning += tokens } else { output.outputVisible += tokens }
    }

    /// The run so far: the prompt stands for its bound while the provider has not said how long it was.
    var shown: (usage: UsageClasses, cost: NanoUSD) {
        var usage = output
        usage.inputFresh = prompt.bound
        return (usage, cost(usage, at: price))
    }

    /// What the current lease has consumed and may commit. A prompt that is only bounded stays held until the end.
    var current: Spent {
        var usage = output
        if case .exact(let tokens) = prompt { usage.inputFresh = tokens }
        return lessSettled(usage, cost: cost(usage, at: price), estimated: false)
    }

    /// The most that the current lease can have cost once `tokens` more are taken.
    func worst(moreOutput tokens: Int64) -> NanoUSD {
        // What does not even fit Int64 can be held by no window: the largest amount stands for it.
        guard let taken = try? price.cost(output), let prompt = try? price.inputWorst.times(prompt.bound),
            let more = try? price.outputWorst.times(tokens), let known = try? taken.adding(prompt), let all = try? known.adding(more)
        else { return NanoUSD(AccountingLimits.amountMax) }
        return NanoUSD(min(all.nanoRoundedUp.rawValue - settled.nanoUSD, AccountingLimits.amountMax))
    }

    /// What the current lease has consumed in the end, and the run's totals.
    func final(_ final: FinalUsage) -> (spent: Spent, usage: UsageClasses, cost: NanoUSD) {
        var usage = UsageClasses.zero
        var estimated = false
        switch final {
        case .exact(let exact): usage = exact.isValid ? exact : exact.clamped
        case .nothing: break
        case .assumed(let most):
            usage = most.isValid ? most : most.clamped
            estimated = true
        case .counted(let input):
            usage = output
            usage.inputFresh = max(0, input ?? prompt.bound)
            estimated = true
        }
        let price = pricing.price(promptTokens: usage.input)
        let cost = cost(usage, at: price)
        return (lessSettled(usage, cost: cost, estimated: estimated), usage, cost)
    }

    /// The current lease is settled with `spent`; the next starts at zero.
    mutating func settle(_ spent: Spent) {
        settled.nanoUSD += spent.nanoUSD
        settled.usage = settled.usage + spent.usage
        settled.requests += spent.requests
    }

    /// The worst case that the next lease has to hold besides its slice.
    package var fixed: Amounts {
        var amounts = Amounts(requests: 1 - settled.requests, runs: 1)
        let prompt: Int64
        switch self.prompt {
        case .exact(let tokens): prompt = tokens - settled.usage.inputFresh
        case .atMost(let tokens): prompt = tokens
        }
        let pico = (try? price.inputWorst.times(max(0, prompt))) ?? PicoUSD(Int64.max)
        amounts.nanoUSD = min(pico.nanoRoundedUp.rawValue, AccountingLimits.amountMax)
        amounts.tokens = max(0, prompt)
        amounts.inputTokens = amounts.tokens
        return amounts
    }

    private func cost(_ usage: UsageClasses, at price: ModelPrice) -> NanoUSD {
        // No call reaches what does not fit; if one did, the largest amount is the charge that errs on the safe side.
        let pico = (try? price.cost(usage)) ?? PicoUSD(Int64.max)
        return NanoUSD(min(pico.nanoRoundedUp.rawValue, AccountingLimits.amountMax))
    }

    private func lessSettled(_ usage: UsageClasses, cost: NanoUSD, estimated: Bool) -> Spent {
        Spent(
            nanoUSD: max(0, cost.rawValue - settled.nanoUSD), usage: (usage - settled.usage).clamped, requests: 1 - settled.requests,
            estimated: estimated)
    }
}

/// How long the prompt is.
public enum PromptTokens: Sendable, Hashable {
    case exact(Int64)
    /// An upper bound, for instance its UTF-8 bytes plus the template's (metering.md §5).
    case atMost(Int64)

    public var bound: Int64 {
        switch self {
        case .exact(let tokens), .atMost(let tokens): min(max(0, tokens), AccountingLimits.promptTokensMax)
        }
    }
}

extension UsageClasses {
    /// Each class in 0…``AccountingLimits/promptTokensMax``: a provider's nonsense must not overflow our sums.
    var clamped: UsageClasses {
        func clamp(_ value: Int64) -> Int64 { min(max(0, value), AccountingLimits.promptTokensMax) }
        return UsageClasses(
            inputFresh: clamp(inputFresh), inputCacheRead: clamp(inputCacheRead), inputCacheWrite: clamp(inputCacheWrite),
            outputVisible: clamp(outputVisible), outputReasoning: clamp(outputReasoning))
    }
}
