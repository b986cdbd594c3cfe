/// Why nothing was answered about a key.
public enum IdempotencyError: Error, Sendable, Hashable {
    /// Empty, above ``IdempotencyLimits/keyBytes``, or with control characters.
    case badKey
    /// No lower-case hexadecimal digits, or more than ``DecisionLimits/digestDigits``.
    case badDigest
    /// A claim above ``IdempotencyLimits/claim``.
    case claimTooLong
    /// Above ``IdempotencyLimits/outcomeBytes``.
    case outcomeTooLong
    /// The back end did not do it, or nobody knows whether it did; the reason is one sentence for an operator.
    case unavailable(String)
}

/// What a caller names a call by that is to happen once.
public struct IdempotencyKey: Sendable, Hashable, CustomStringConvertible {
    public var text: String { bytes.text }
    private let bytes: ByteText

    public init(_ text: String) throws(IdempotencyError) {
        guard (1...IdempotencyLimits.keyBytes).contains(text.utf8.count),
            text.unicodeScalars.allSatisfy({ $0.properties.generalCategory != .control })
        else { throw .badKey }
        bytes = ByteText(text)
    }

    public var description: String { text }
}

/// The right to do what a key stands for, and to say what came of it. Only the begin that was answered `new` has it.
public struct IdempotencyClaim: Sendable, Hashable {
    public let caller: CallerHandle
    public let key: IdempotencyKey
    /// Random: a claim of the same key that comes after this one has another.
    package let token: Int64

    package init(caller: CallerHandle, key: IdempotencyKey, token: Int64) {
        self.caller = caller
        self.key = key
        self.token = token
    }
}

/// What there is of a key.
public enum IdempotencyAnswer: Sendable, Hashable {
    /// Nobody has begun: do it, then ``IdempotencyStore/finish(_:outcome:)``.
    case new(IdempotencyClaim)
    /// It is being done by the process of this name.
    case inFlight(owner: String)
    /// It was done, and this came of it.
    case done([UInt8])
    /// The key was used for something else.
    case conflict
    /// It was begun, and whoever began has not said in time what came of it: it may have happened. Never to be done again under this key.
    case unknown
    /// The caller has ``IdempotencyLimits/keys`` keys, or no room for one more outcome.
    case full
}

/// Which calls were made already. What it has answered survives the loss of power.
///
/// Times are those of the store's clock; processes that share a store have clocks that agree to the second.
public protocol IdempotencyStore: Sendable {
    /// Claims a key, or says what there is of it.
    ///
    /// - Parameters:
    ///   - digest: of what is to be done, in lower-case hexadecimal digits.
    ///   - claim: how long it may take at most; after that nobody waits for it any more.
    func begin(
        _ caller: CallerHandle, _ key: IdempotencyKey, digest: String, claim: Milliseconds
    ) async throws(IdempotencyError) -> IdempotencyAnswer
    /// Keeps what came of it. Repeating it is safe.
    ///
    /// - Returns: false when it is not kept: the claim is gone, something else was kept before, or it comes after the claim has run out and
    ///   the caller has no room for it any more. The key is then answered as before.
    func finish(_ claim: IdempotencyClaim, outcome: [UInt8]) async throws(IdempotencyError) -> Bool
    /// Frees the key, because certainly nothing happened.
    ///
    /// - Returns: false when the claim is gone or has an outcome.
    @discardableResult
    func abandon(_ claim: IdempotencyClaim) async throws(IdempotencyError) -> Bool
}
