import Accounting
import JSON
import Testing

@testable import kdcube

/// Needs: nothing.
@Suite("Reports of spend and their forecast")
struct SpendReportTests {
    private let day: Int64 = 86_400_000

    @Test(
        "At the rate so far",
        arguments: [
            // used, limit, share of the window that is over; what will be used, and the share at which the limit is reached
            (Int64(10), Int64(100), 0.5, Int64(20), Double?.none), (80, 100, 0.5, 160, 0.625), (100, 100, 0.25, 400, 0.25),
            (0, 100, 0.5, 0, nil), (0, 0, 0.5, 0, nil), (120, 100, 0.6, 200, 0.5),
        ])
    func forecast(used: Int64, limit: Int64, over: Double, atEnd: Int64, spent: Double?) throws {
        let now = Milliseconds(Int64(Double(day) * over))
        let forecast = try #require(SpendForecast(used: used, limit: limit, start: Milliseconds(0), end: Milliseconds(day), now: now))
        #expect(forecast.atEnd == atEnd)
        #expect(forecast.spentAt?.rawValue == spent.map { Int64(Double(day) * $0) })
    }

    @Test("The largest amounts do not overflow, and before any time has passed nothing is known")
    func edges() throws {
        let most = AccountingLimits.amountMax
        let forecast = try #require(
            SpendForecast(used: most, limit: most, start: Milliseconds(0), end: Milliseconds(31 * day), now: Milliseconds(1)))
        #expect(forecast.atEnd == most && forecast.spentAt == Milliseconds(1))
        let slow = try #require(
            SpendForecast(used: 1, limit: most, start: Milliseconds(0), end: Milliseconds(day), now: Milliseconds(day - 1)))
        #expect(slow.spentAt == nil && slow.atEnd == 1)
        #expect(SpendForecast(used: 1, limit: 1, start: Milliseconds(5), end: Milliseconds(day), now: Milliseconds(5)) == nil)
        #expect(SpendForecast(used: 1, limit: 1, start: Milliseconds(0), end: Milliseconds(5), now: Milliseconds(5)) == nil)
    }

    @Test("Rows are the dearest first, the rest last; every step is there; names are what stands below the scope")
    func report() throws {
        let query = try #require(
            SpendQuery(scope: .org("acme"), from: Milliseconds(day + 5), to: Milliseconds(4 * day), by: .user, step: .day))
        func cell(_ name: String?, _ at: Int64, _ nano: Int64) -> SpendCell {
            SpendCell(name: name, at: Milliseconds(at * day), sum: LedgerSum(nanoUSD: nano, requests: 1))
        }
        let report = SpendReport(
            query, [cell("acme/web/ann", 1, 5), cell(nil, 1, 90), cell("acme/web/", 1, 9), cell("acme/web/ann", 3, 5)],
            totals: LedgerSum(nanoUSD: 109))
        #expect(report.rows.map(\.name) == ["acme/web/ann", "acme/web/", nil] && report.rows.map(\.sum.requests) == [2, 1, 1])
        #expect(report.series.map(\.at.rawValue) == [day, 2 * day, 3 * day] && report.series[1].values.isEmpty)
        let json = report.json(windows: [], forecast: .null)
        #expect(json["rows"]?.arrayValue?.compactMap { $0["user"] } == ["web/ann", "web/no user", .null])
        #expect(json["rows"]?.arrayValue?.compactMap { $0["scope"] } == ["user:acme/web/ann", .null, .null])
        #expect(json["series"]?.arrayValue?.first?["values"]?[""] == "0.00000009")
        #expect(report.csv.split(separator: "\r\n").count == 5)
    }
}
