public import Accounting
internal import Synchronization

/// The ledger in Postgres. Rows are never changed or deleted: the table refuses it. An old day may be detached and kept elsewhere;
/// its sums stay.
///
/// A short `Mutex` guards the set of days that are known to have a partition.
public final class PostgresLedger: LedgerPages {
    let database: PostgresDatabase
    private let knownDays = Mutex<Set<Int64>>([])

    public init(_ database: PostgresDatabase) { self.database = database }

    @discardableResult
    public func append(_ rows: [LedgerRow]) async throws(LedgerStoreError) -> Int {
        // The first of two rows with one id counts, as it would in two batches.
        var ids = Set<String>(minimumCapacity: rows.count)
        let rows = rows.filter { ids.insert($0.chargeID).inserted }
        var added = 0
        for start in stride(from: 0, to: rows.count, by: PostgresLimits.appendRows) {
            let batch = rows[start..<min(start + PostgresLimits.appendRows, rows.count)]
            do throws(PostgresError) {
                added += try await database.call(.append) { [self] (connection) throws(PostgresError) in
                    try append(batch, &connection)
                }
            } catch {
                throw LedgerStoreError(error)
            }
        }
        return added
    }

    private func append(_ rows: ArraySlice<LedgerRow>, _ connection: inout PostgresConnection) throws(PostgresError) -> Int {
        let days = Set(rows.map { LedgerRanges.day(of: $0.at) })
        try makeDays(days.subtracting(knownDays.withLock { $0 }), &connection)
        do throws(PostgresError) { return try LedgerStatements.insert(rows, &connection) } catch {
            // A day that was there is gone: somebody detached its partition, and now a late row comes.
            guard case .server(let refusal) = error, refusal.isCheckViolation else { throw error }
            try makeDays(days, &connection)
            return try LedgerStatements.insert(rows, &connection)
        }
    }

    private func makeDays(_ days: Set<Int64>, _ connection: inout PostgresConnection) throws(PostgresError) {
        for day in days.sorted() { try LedgerStatements.makeDay(day, &connection) }
        knownDays.withLock { known in
            // Forgetting all is the cheapest bound, and costs each day one look.
            if known.count + days.count > PostgresLimits.knownDays { known.removeAll() }
            known.formUnion(days)
        }
    }

    public func sum(_ scope: Scope, model: String?, from: Milliseconds, to: Milliseconds) async throws(LedgerStoreError) -> LedgerSum {
        do throws(PostgresError) {
            return try await database.read { (connection) throws(PostgresError) in
                try LedgerStatements.sum(scope, model: model, from: from, to: to, &connection)
            }
        } catch {
            throw LedgerStoreError(error)
        }
    }

    public func sums(
        _ scope: Scope, model: String?, from: Milliseconds, to: Milliseconds
    ) async throws(LedgerStoreError) -> [Int: LedgerSum] {
        do throws(PostgresError) {
            return try await database.read { (connection) throws(PostgresError) in
                try LedgerStatements.sums(scope, model: model, from: from, to: to, &connection)
            }
        } catch {
            throw LedgerStoreError(error)
        }
    }

    public func suspended(org: OrgID) async throws(LedgerStoreError) -> [LedgerRow] {
        do throws(PostgresError) {
            return try await database.read { (connection) throws(PostgresError) in
                try LedgerStatements.suspended(org: org, limit: StoreLimits.page, &connection)
            }
        } catch {
            throw LedgerStoreError(error)
        }
    }

    public func charges(of lease: LeaseKey, run: String) async throws(LedgerStoreError) -> LeaseCharges {
        do throws(PostgresError) {
            return try await database.read { (connection) throws(PostgresError) in
                LeaseCharges(try LedgerStatements.rows(of: lease, run: run, &connection))
            }
        } catch {
            throw LedgerStoreError(error)
        }
    }

    public func page(_ scope: Scope?, before position: Int64? = nil, limit: Int = 100) async throws(LedgerStoreError) -> LedgerPage {
        let limit = min(max(1, limit), StoreLimits.page)
        do throws(PostgresError) {
            return try await database.read { (connection) throws(PostgresError) in
                let found = try LedgerStatements.page(scope, before: position ?? .max, limit: limit, &connection)
                return LedgerPage(rows: found.map(\.row), next: found.count == limit ? found.last?.position : nil)
            }
        } catch {
            throw LedgerStoreError(error)
        }
    }
}

extension PostgresLedger {
    public func rows(_ query: LedgerQuery, after position: Int64?, limit: Int) async throws(LedgerStoreError) -> LedgerPage {
        let limit = min(max(1, limit), StoreLimits.page)
        do throws(PostgresError) {
            return try await database.read { (connection) throws(PostgresError) in
                let found = try LedgerStatements.rows(query, after: position ?? .min, limit: limit, &connection)
                return LedgerPage(rows: found.map(\.row), next: found.count == limit ? found.last?.position : nil)
            }
        } catch {
            throw LedgerStoreError(error)
        }
    }
}

extension LedgerStoreError {
    init(_ error: PostgresError) {
        switch error {
        case .unreachable, .lost, .timeout, .overloaded, .closed: self = .unreachable(error.description)
        case .server, .malformed: self = .failed(error.description)
        }
    }
}
