internal import Accounting

extension PostgresValue {
    static func org(_ org: OrgID?) -> PostgresValue { .text(org?.text) }

    static func orgs(_ orgs: some Sequence<OrgID>) -> PostgresValue { .texts(orgs.map(\.text)) }

    static func counters(_ slot: CounterSlot) -> PostgresValue { .text(slot.name) }
}

extension PostgresRows.Row {
    func org(_ column: Int) throws(PostgresError) -> OrgID {
        let text = try text(column)
        do { return try OrgID(text) } catch { throw .malformed("a row has no name of an org: \(error)") }
    }

    /// Nil for null.
    func optionalOrg(_ column: Int) throws(PostgresError) -> OrgID? { optionalText(column) == nil ? nil : try org(column) }

    func counters(_ column: Int) throws(PostgresError) -> CounterSlot {
        let text = try text(column)
        do { return try CounterSlot(text) } catch { throw .malformed("a row has no name of counters: \(error)") }
    }
}
