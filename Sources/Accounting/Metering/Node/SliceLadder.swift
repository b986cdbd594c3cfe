/// Builds the sizes of slice that are offered to the store, priced at the worst case.
package enum SliceLadder {
    /// `largest`, then halves, down to `smallest`; at most ``AccountingLimits/offers``.
    ///
    /// Each costs what the whole lease may then cost at worst, less what the lease is authorised to spend already. So
    /// rounding up happens once a lease and not once a slice, and nothing of a cap is stranded by it.
    ///
    /// - Parameters:
    ///   - balance: tokens that were granted and not taken.
    ///   - authorised: nano-USD that the lease was granted so far, its fixed part included.
    package static func offers(largest: Int64, smallest: Int64, run: RunCost, balance: Int64, authorised: Int64) -> [Offer] {
        let smallest = max(1, smallest)
        var sizes: [Int64] = []
        var size = max(smallest, largest)
        while size > smallest, sizes.count < AccountingLimits.offers - 1 {
            sizes.append(size)
            size /= 2
        }
        sizes.append(smallest)
        return sizes.map { tokens in
            let nano = max(0, run.worst(moreOutput: balance + tokens).rawValue - authorised)
            return Offer(tokens: tokens, amounts: Amounts(nanoUSD: nano, tokens: tokens, outputTokens: tokens))
        }
    }

    /// The size that lasts so many seconds at the stream's own speed.
    static func slice(tokens: Int64, elapsed: Milliseconds, seconds: Int64 = AccountingLimits.sliceSeconds) -> Int64 {
        let least = AccountingLimits.sliceTokensMin
        guard tokens > 0 else { return least }
        let slice = tokens * 1000 * seconds / max(1, elapsed.rawValue)
        return min(max(slice, least), AccountingLimits.sliceTokensPerSecond * seconds)
    }
}
