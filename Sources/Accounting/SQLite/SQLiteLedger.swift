public import Accounting
internal import GRDB

/// The ledger in the embedded database. Rows are never changed or deleted: the table refuses it.
public struct SQLiteLedger: LedgerPages {
    let database: EmbeddedDatabase

    public init(_ database: EmbeddedDatabase) { self.database = database }

    @discardableResult
    public func append(_ rows: [LedgerRow]) async throws(LedgerStoreError) -> Int {
        guard !rows.isEmpty else { return 0 }
        do { return try await database.write { try LedgerRecord.insert(rows, $0) } } catch { throw .failed(error.description) }
    }

    public func sum(_ scope: Scope, model: String?, from: Milliseconds, to: Milliseconds) async throws(LedgerStoreError) -> LedgerSum {
        do { return try await database.read { try LedgerRecord.sum(scope, model: model, from: from, to: to, $0) } } catch {
            throw .failed(error.description)
        }
    }

    public func sums(
        _ scope: Scope, model: String?, from: Milliseconds, to: Milliseconds
    ) async throws(LedgerStoreError) -> [Int: LedgerSum] {
        do { return try await database.read { try LedgerRecord.sums(scope, model: model, from: from, to: to, $0) } } catch {
            throw .failed(error.description)
        }
    }

    public func suspended(org: OrgID) async throws(LedgerStoreError) -> [LedgerRow] {
        do { return try await database.read { try LedgerRecord.suspended(org: org, limit: StoreLimits.page, $0) } } catch {
            throw .failed(error.description)
        }
    }

    public func charges(of lease: LeaseKey, run: String) async throws(LedgerStoreError) -> LeaseCharges {
        do { return LeaseCharges(try await database.read { try LedgerRecord.rows(of: lease, run: run, $0) }) } catch {
            throw .failed(error.description)
        }
    }

    /// The newest rows first.
    public func page(_ scope: Scope?, before position: Int64? = nil, limit: Int = 100) async throws(LedgerStoreError) -> LedgerPage {
        let limit = min(max(1, limit), StoreLimits.page)
        do {
            return try await database.read { db in
                let found = try LedgerRecord.page(scope, before: position, limit: limit, db)
                return LedgerPage(rows: found.map(\.row), next: found.count == limit ? found.last?.position : nil)
            }
        } catch {
            throw .failed(error.description)
        }
    }

    public func rows(_ query: LedgerQuery, after position: Int64?, limit: Int) async throws(LedgerStoreError) -> LedgerPage {
        let limit = min(max(1, limit), StoreLimits.page)
        do {
            return try await database.read { db in
                let found = try LedgerRecord.rows(query, after: position, limit: limit, db)
                return LedgerPage(rows: found.map(\.row), next: found.count == limit ? found.last?.position : nil)
            }
        } catch {
            throw .failed(error.description)
        }
    }
}
