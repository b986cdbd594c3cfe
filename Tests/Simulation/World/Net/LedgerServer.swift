import Accounting

/// The ledger of a world. Confined to the loop's thread.
final class LedgerServer: @unchecked Sendable {
    private var ids: [String: LedgerRow] = [:]
    private(set) var rows: [LedgerRow] = []
    var isAway = false
    /// Called with a row whose id came before with another content.
    var contradicts: (LedgerRow) -> Void = { _ in }

    /// - Returns: false when the ledger is away; then nothing was appended.
    func append(_ new: [LedgerRow]) -> Bool {
        guard !isAway else { return false }
        for row in new {
            if let known = ids[row.chargeID] {
                if known != row { contradicts(row) }
            } else {
                ids[row.chargeID] = row
                rows.append(row)
            }
        }
        return true
    }

    func sum(_ scope: Scope, from: Milliseconds, to: Milliseconds) -> LedgerSum {
        var sum = LedgerSum()
        for row in rows where row.kind.isCharge && from <= row.at && row.at < to && row.attribution.path.scopes.contains(scope) {
            sum.nanoUSD += row.nanoUSD
            sum.usage = sum.usage + row.usage
            sum.requests += row.requests
        }
        return sum
    }
}
