/// What is done when a model's upstream fails before its first token. Set by the configuration.
public struct RetryPolicy: Sendable, Hashable {
    /// Further attempts on the same model.
    public var retries = 0
    /// Models that are tried after it, each once, in this order.
    public var fallbacks: [String] = []
    /// Before the first repeat; doubles each time, less up to a quarter by chance.
    public var pause: Duration = .milliseconds(250)
    /// The longest that an upstream may ask us to wait (`Retry-After`). One that asks for more is not asked again.
    public var retryAfterMax: Duration = .seconds(10)

    public init(retries: Int = 0, fallbacks: [String] = []) {
        self.retries = retries
        self.fallbacks = fallbacks
    }
}

/// The next attempt of a run.
public struct AttemptStep: Sendable, Hashable {
    /// From 2.
    public let number: Int
    public let model: String
    public let pause: Duration
    /// Whether it goes to another model than the one before.
    public let isFallback: Bool

    public init(number: Int, model: String, pause: Duration, isFallback: Bool) {
        self.number = number
        self.model = model
        self.pause = pause
        self.isFallback = isFallback
    }
}

/// Which attempts a run has left. Pure; part of the run's machine.
///
/// Each round begins anew, with the run's own model and all its repeats and fallbacks; the numbers go on.
public struct AttemptPlan: Sendable, Hashable {
    private let policy: RetryPolicy
    private let jitter: UInt64
    private let firstModel: String
    private var model: String
    private var number = 1
    /// Of the round's first attempt.
    private var firstNumber = 1
    private var repeats = 0
    private var fallbacks: ArraySlice<String>

    /// - Parameter jitter: any number; spreads the repeats of runs that failed together.
    public init(model: String, policy: RetryPolicy = RetryPolicy(), jitter: UInt64 = 0) {
        firstModel = model
        self.model = model
        self.policy = policy
        self.jitter = jitter
        fallbacks = policy.fallbacks[...]
    }

    /// What to try after this failure; nil when nothing is left that could help.
    public mutating func next(after error: ProviderError) -> AttemptStep? {
        guard number - firstNumber + 1 < EngineLimits.attemptsMax, error.kind != .cancelled else { return nil }
        if let pause = pauseBeforeRepeat(error) {
            repeats += 1
            number += 1
            return AttemptStep(number: number, model: model, pause: pause, isFallback: false)
        }
        guard error.mayHelpElsewhere, let next = fallbacks.popFirst() else { return nil }
        // What was tried once elsewhere is not tried again there.
        repeats = .max
        number += 1
        model = next
        return AttemptStep(number: number, model: next, pause: .zero, isFallback: true)
    }

    /// The first attempt of the next round.
    public mutating func nextRound() -> AttemptStep {
        number += 1
        firstNumber = number
        model = firstModel
        repeats = 0
        fallbacks = policy.fallbacks[...]
        return AttemptStep(number: number, model: model, pause: .zero, isFallback: false)
    }

    private func pauseBeforeRepeat(_ error: ProviderError) -> Duration? {
        guard repeats < policy.retries, error.isRetryable, error.kind != .callTimeout else { return nil }
        if let asked = error.retryAfter { return asked <= policy.retryAfterMax ? asked : nil }
        let pause = policy.pause.wholeNanoseconds << min(repeats, 6)
        return .nanoseconds(pause - pause / 4 * Int64(jitter % 1_024) / 1_024)
    }
}

extension ProviderError {
    /// Whether another upstream may answer what this one did not: not when the request itself is at fault.
    var mayHelpElsewhere: Bool {
        switch kind {
        case .cancelled: false
        case .status(let status): isRetryable || status == 401 || status == 403 || status == 404
        default: isRetryable
        }
    }
}

/// How one attempt ended, for the metrics.
public enum AttemptOutcome: String, Sendable, Hashable, CaseIterable {
    /// It answered, or was stopped while it did.
    case answered
    /// It failed before its first token and the same model is called again, or another one.
    case retried
    case fellBack = "fell_back"
    /// It failed, and that was the run's end.
    case failed
}
