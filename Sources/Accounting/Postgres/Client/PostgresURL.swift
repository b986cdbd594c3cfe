/// Where a Postgres is: `postgresql://[user[:password]@][host][:port][/database][?parameters]`, as libpq reads it (PostgreSQL
/// manual, 34.1.1.2). What the address leaves open comes from libpq's own environment (`PGPASSFILE`, `PGSSLROOTCERT`, …).
public struct PostgresURL: Sendable, Hashable {
    /// The text is no such address. Says nothing about it, because it may hold a password.
    public struct Invalid: Error, Sendable {}

    let text: String

    public init(parsing text: String) throws(Invalid) {
        guard text.hasPrefix("postgresql://") || text.hasPrefix("postgres://"), PostgresConnection.accepts(url: text) else {
            throw Invalid()
        }
        self.text = text
    }
}
