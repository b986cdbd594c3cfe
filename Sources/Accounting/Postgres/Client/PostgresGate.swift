internal import Accounting

/// Decides whether a connection may be attempted. Pure: times come in, answers go out.
///
/// While all is well anybody may connect. After a failure one attempt at a time, after a pause that doubles; everybody else is
/// refused at once with the last reason, so that a Postgres that is away costs a caller nothing but the answer.
struct PostgresGate: Sendable {
    /// What the gate knew when an attempt began.
    struct Attempt: Sendable, Hashable {
        fileprivate let successes: Int
    }

    private var failures = 0
    private var successes = 0
    private var retryAt = Milliseconds(0)
    private var isTrying = false
    private var reason = ""

    /// The last attempt failed.
    var isShut: Bool { failures > 0 }

    /// To be noted before ``refusal(now:)``.
    var attempt: Attempt { Attempt(successes: successes) }

    /// Nil: go ahead, and report the end with ``succeeded()`` or ``failed(_:_:now:random:)``.
    mutating func refusal(now: Milliseconds) -> String? {
        guard failures > 0 else { return nil }
        guard now >= retryAt, !isTrying else { return reason }
        isTrying = true
        return nil
    }

    mutating func succeeded() {
        failures = 0
        successes += 1
        isTrying = false
    }

    /// An attempt that began before the last success says nothing of the present: it is left out.
    mutating func failed(_ attempt: Attempt, _ reason: String, now: Milliseconds, random: inout some RandomNumberGenerator) {
        guard attempt.successes == successes else { return }
        var pause = PostgresLimits.backoffFirstMilliseconds
        for _ in 0..<failures where pause < PostgresLimits.backoffLongestMilliseconds { pause *= 2 }
        pause = min(pause, PostgresLimits.backoffLongestMilliseconds)
        self.reason = reason
        failures += 1
        isTrying = false
        retryAt = now + Milliseconds(pause / 2 + Int64.random(in: 0...(pause - pause / 2), using: &random))
    }
}
