/// A key as stores keep it, and what is answered from it. Pure: every store decides by this.
package struct IdempotencyRecord: Sendable, Hashable {
    package let digest: String
    package let holder: String
    package let token: Int64
    package let claimEnds: Milliseconds
    package let isDone: Bool

    package init(digest: String, holder: String, token: Int64, claimEnds: Milliseconds, isDone: Bool) {
        self.digest = digest
        self.holder = holder
        self.token = token
        self.claimEnds = claimEnds
        self.isDone = isDone
    }

    package enum Answer: Sendable, Hashable { case done, conflict, unknown, inFlight }

    /// What a begin finds. Whether the holder still lives is not asked: a claim that has run out is nobody's.
    package func answer(digest: String, now: Milliseconds) -> Answer {
        guard digest == self.digest else { return .conflict }
        if isDone { return .done }
        return claimEnds <= now ? .unknown : .inFlight
    }
}

/// What a caller has at one moment.
package struct IdempotencyUse: Sendable, Hashable {
    /// Keys that are kept.
    package var keys: Int
    /// Of their outcomes.
    package var bytes: Int
    /// Calls whose claim has not run out; each has room for a whole outcome.
    package var reserved: Int

    package init(keys: Int, bytes: Int, reserved: Int) {
        self.keys = keys
        self.bytes = bytes
        self.reserved = reserved
    }

    private var taken: Int { bytes + reserved * IdempotencyLimits.outcomeBytes }

    package var takesBegin: Bool {
        keys < IdempotencyLimits.keys && taken + IdempotencyLimits.outcomeBytes <= IdempotencyLimits.callerBytes
    }

    /// - Parameter isReserved: whether the claim has not run out, so that its room is counted in ``reserved``.
    package func takesOutcome(bytes count: Int, isReserved: Bool) -> Bool {
        isReserved || taken + count <= IdempotencyLimits.callerBytes
    }
}

/// The times of a claim that is made now.
package struct IdempotencyTimes: Sendable, Hashable {
    package let now: Milliseconds
    package let claimEnds: Milliseconds
    package let keptUntil: Milliseconds

    package init(now: Milliseconds, claim: Milliseconds) throws(IdempotencyError) {
        guard claim <= IdempotencyLimits.claim else { throw .claimTooLong }
        self.now = now
        claimEnds = now + max(claim, Milliseconds(0))
        keptUntil = claimEnds + IdempotencyLimits.retention
    }
}

package enum IdempotencyCheck {
    package static func digest(_ text: String) throws(IdempotencyError) {
        do { try DecisionText.checkDigest(text, "digest") } catch { throw .badDigest }
    }

    package static func outcome(_ bytes: [UInt8]) throws(IdempotencyError) {
        guard bytes.count <= IdempotencyLimits.outcomeBytes else { throw .outcomeTooLong }
    }
}
