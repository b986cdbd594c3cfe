public import JSON

/// Not everybody who was asked has answered (S23, S25). What came is here.
public struct IncompleteAnswers: Error, Sendable, Hashable {
    /// Why; the first reason that was found.
    public var reason: AcknowledgementError
    /// Those that came, in their order.
    public var answers: [JSONValue]
    /// How many did not answer.
    public var missing: Int

    /// Some answers, and why others are missing.
    public init(_ reason: AcknowledgementError, answers: [JSONValue] = [], missing: Int = 0) {
        self.reason = reason
        self.answers = answers
        self.missing = missing
    }
}

/// The answers to one broadcast from some of its receivers.
struct GatheredAnswers: Sendable {
    var answers: [JSONValue] = []
    var missing = 0
    /// Why answers are missing; the first reason that was found.
    private(set) var reason: AcknowledgementError?

    var error: IncompleteAnswers { IncompleteAnswers(reason ?? .timedOut, answers: answers, missing: missing) }

    mutating func miss(_ reason: AcknowledgementError, count: Int = 1) {
        missing += count
        if self.reason == nil { self.reason = reason }
    }

    mutating func add(_ other: GatheredAnswers) {
        answers += other.answers
        missing += other.missing
        reason = reason ?? other.reason
    }

    mutating func add(_ other: ClusterAnswers) {
        answers += other.values
        missing += other.missing
    }
}
