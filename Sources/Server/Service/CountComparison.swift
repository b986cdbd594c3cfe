/// What is known about how far a window's count is from the sum of its charges while streams move both; a value.
///
/// Count and charge move together and the ledger is never behind a flush, so a sum that was read between two reads of the count
/// bounds the difference from both sides: `before - charged ... after - charged`. The difference stays the same while streams run, and
/// each look bounds it anew: what all looks allow is narrower than what one of them does. A single look says nothing of a
/// difference that is smaller than what was charged meanwhile.
struct CountComparison: Sendable {
    enum Verdict: Equatable {
        case agree
        case differ
        /// More looks may say more.
        case open
    }

    /// Count and charges cannot be equal, by all that was seen; while the verdict is open, by too few looks to say so.
    var differs: Bool { bounds.map { !$0.contains(0) } ?? false }

    /// Looks that must rule out agreement, one after the other: a rebuild that falls into one moves the count by itself.
    static let confirmations = 3

    /// The differences that no look rules out.
    ///
    /// Wider than a count, as a count that somebody tampered with may be any.
    private(set) var bounds: ClosedRange<Int128>?
    private(set) var verdict = Verdict.open
    /// The look with the least in between; what is shown of a difference.
    private(set) var counted: Int64 = 0
    private(set) var charged: Int64 = 0
    private var narrowest = Int128.max
    private var against = 0

    /// The count before the sum was read, the sum, and the count afterwards.
    mutating func look(before: Int64, charged: Int64, after: Int64) {
        let seen = (Int128(min(before, after)) - Int128(charged))...(Int128(max(before, after)) - Int128(charged))
        if let bounds, bounds.overlaps(seen) {
            self.bounds = max(bounds.lowerBound, seen.lowerBound)...min(bounds.upperBound, seen.upperBound)
        } else {
            // The first look; or something else than a charge moved the count since, and what was known is of another difference.
            self = CountComparison()
            bounds = seen
        }
        if seen.upperBound - seen.lowerBound < narrowest {
            narrowest = seen.upperBound - seen.lowerBound
            counted = after
            self.charged = charged
        }
        conclude()
    }

    private mutating func conclude() {
        against = differs ? against + 1 : 0
        if bounds == 0...0 { verdict = .agree } else { verdict = against >= Self.confirmations ? .differ : .open }
    }
}
