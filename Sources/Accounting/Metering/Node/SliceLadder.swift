/// Builds the sizes of slice that are offered to the store, priced at the worst case.
enum SliceLadder {
    /// `largest`, then halves, down to `smallest`; at most ``AccountingLimits/offers``.
    static func offers(largest: Int64, smallest: Int64, price: ModelPrice) -> [Offer] {
        let smallest = max(1, smallest)
        var sizes: [Int64] = []
        var size = max(smallest, largest)
        while size > smallest, sizes.count < AccountingLimits.offers - 1 {
            sizes.append(size)
            size /= 2
        }
        sizes.append(smallest)
        return sizes.map { tokens in
            // A size whose cost does not even fit Int64 can be held by no window: the largest amount stands for it.
            let pico = (try? price.outputWorst.times(tokens)) ?? PicoUSD(Int64.max)
            let nano = min(pico.nanoRoundedUp.rawValue, AccountingLimits.amountMax)
            return Offer(tokens: tokens, amounts: Amounts(nanoUSD: nano, tokens: tokens, requests: 0))
        }
    }

    /// The size that lasts ``AccountingLimits/sliceSeconds`` at the stream's own speed.
    static func slice(tokens: Int64, elapsed: Milliseconds) -> Int64 {
        let range = AccountingLimits.sliceTokens
        guard tokens > 0 else { return range.lowerBound }
        let slice = tokens * 1000 * AccountingLimits.sliceSeconds / max(1, elapsed.rawValue)
        return min(max(slice, range.lowerBound), range.upperBound)
    }
}
