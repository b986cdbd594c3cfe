import Accounting

/// The ledger of a world and the durable root beside it. Confined to the loop's thread.
final class LedgerServer: @unchecked Sendable {
    private var ids: [String: LedgerRow] = [:]
    private(set) var rows: [LedgerRow] = []
    var root: RootTable
    var isAway = false
    /// Called with a row whose id came before with another content.
    var contradicts: (LedgerRow) -> Void = { _ in }

    init(_ defect: Defect?) { root = RootTable(defect) }

    /// - Returns: false when the ledger is away; then nothing was appended.
    func append(_ new: some Sequence<LedgerRow>) -> Bool {
        guard !isAway else { return false }
        for row in new where root.takes(row) {
            if let known = ids[row.chargeID] {
                if known != row { contradicts(row) }
            } else {
                ids[row.chargeID] = row
                rows.append(row)
            }
        }
        return true
    }

    func sum(_ scope: Scope, model: String? = nil, from: Milliseconds, to: Milliseconds) -> LedgerSum {
        LedgerSum(
            rows.filter {
                from <= $0.at && $0.at < to && $0.attribution.path.scopes.contains(scope)
                    && (model ?? $0.attribution.model) == $0.attribution.model
            })
    }

    func sums(_ scope: Scope, model: String? = nil, from: Milliseconds, to: Milliseconds) -> [Int: LedgerSum] {
        let found = rows.filter {
            from <= $0.at && $0.at < to && $0.attribution.path.scopes.contains(scope)
                && (model ?? $0.attribution.model) == $0.attribution.model
        }
        return Dictionary(grouping: found, by: \.slot).mapValues { LedgerSum($0) }
    }

    func charges(of lease: LeaseKey) -> LeaseCharges {
        LeaseCharges(rows.filter { $0.lease == lease.id && $0.attribution.path.org == lease.org.org })
    }
}
