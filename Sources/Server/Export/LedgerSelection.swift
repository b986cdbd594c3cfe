internal import Accounting
internal import Foundation

/// Which rows a person asks for: `scope`, `run`, `from` (inclusive) and `to` (exclusive), as text.
struct LedgerSelection: Sendable {
    struct Failure: Error, CustomStringConvertible {
        let field: String
        let rule: String

        var description: String { "\(field) \(rule)" }
    }

    let query: LedgerQuery

    init(scope: String?, run: String?, from: String?, to: String?) throws(Failure) {
        var query = LedgerQuery(run: run)
        if let scope {
            do { query.scope = try Scope(scope) } catch {
                throw Failure(field: "scope", rule: "must be org:O, project:O/P, user:O/P/U or key:ID")
            }
        }
        query.from = try Self.instant(from, "from")
        query.to = try Self.instant(to, "to")
        self.query = query
    }

    /// A day (its start), an instant of RFC 3339, or milliseconds since 1970; all in UTC.
    static func instant(_ text: String?, _ field: String) throws(Failure) -> Milliseconds? {
        guard let text else { return nil }
        if let number = Int64(text), number.magnitude < 1 << 53 { return Milliseconds(number) }
        // The style of a day reads the beginning of an instant as well.
        let styles: [Date.ISO8601FormatStyle] =
            text.utf8.count == 10
            ? [.iso8601.year().month().day()] : [.iso8601, .init(includingFractionalSeconds: true)]
        for style in styles {
            if let date = try? style.parse(text) { return Milliseconds(Int64((date.timeIntervalSince1970 * 1_000).rounded())) }
        }
        throw Failure(
            field: field, rule: "must be a day such as 2026-11-24, an instant such as 2026-11-24T10:00:00Z, or milliseconds since 1970")
    }
}
