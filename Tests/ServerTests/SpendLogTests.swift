import Accounting
import HTTPTypes
import JSON
import Testing

@testable import kdcube

@Suite("LiteLLM's spend logs (pure)")
struct SpendLogTests {
    private let noon = Milliseconds(1_764_000_000_000 - 4 * 3_600_000)

    @Test("a span is bounded: 30 days without dates, a year at most; two dates ask for sums unless it is said otherwise")
    func spans() throws {
        let plain = try SpendLogQuery([:], now: noon)
        #expect(!plain.isSummary && plain.limit == StoreLimits.page && plain.cursor == nil)
        #expect(plain.ledger.to == noon + Milliseconds(1))
        #expect(plain.ledger.from == noon + Milliseconds(1) - SpendLogQuery.spanStandard)
        let dates = ["start_date": "2025-11-01", "end_date": "2025-11-03"]
        let days = try SpendLogQuery(dates, now: noon)
        #expect(days.isSummary && days.ledger.from?.rfc3339 == "2025-11-01T00:00:00Z" && days.ledger.to?.rfc3339 == "2025-11-03T00:00:00Z")
        #expect(try !SpendLogQuery(dates.merging(["summarize": "False"]) { $1 }, now: noon).isSummary)
        #expect(try SpendLogQuery(["start_date": "2025-11-20"], now: noon).ledger.to == noon + Milliseconds(1))
        let one = try SpendLogQuery(["request_id": "chatcmpl-abc", "user_id": ""], now: noon)
        #expect(one.ledger == LedgerQuery(run: "run_abc"), "one run needs no span; what is empty asks for nothing")
    }

    @Test(
        "what makes no sense is named, what is not supported is not ignored",
        arguments: [
            (["start_date": "noon"], "start_date"), (["end_date": "2025-13-01"], "end_date"),
            (["start_date": "2024-01-01", "end_date": "2025-11-01"], "start_date"),
            (["start_date": "2025-11-02", "end_date": "2025-11-01"], "start_date"), (["summarize": "maybe"], "summarize"),
            (["limit": "0"], "limit"), (["limit": "1001"], "limit"), (["cursor": "x"], "cursor"), (["team_id": "a"], "team_id"),
        ] as [([String: String], String)])
    func refusals(parameters: [String: String], field: String) {
        let failure = #expect(throws: HTTPFailure.self) { try SpendLogQuery(parameters, now: noon) }
        #expect(failure?.param == field && failure?.status == .badRequest)
    }

    @Test("each day of the span is there, with exact sums by user, model and key")
    func summary() throws {
        let start = WindowSpan(.day, containing: noon).start
        let next = start + Milliseconds(86_400_000)
        func charge(_ day: Milliseconds, _ key: String?, _ user: String?, _ model: String, _ nano: Int64) -> DayCharges {
            DayCharges(day: day, key: key, user: user, model: model, nanoUSD: nano)
        }
        let told = SpendLog.summary(
            [
                charge(start, "k1", "ann", "m", 1), charge(start, "k1", "bob", "n", 500_000_000), charge(start, nil, nil, "m", 20),
                // A key cannot be told from a member of the same name, and takes nobody's place.
                charge(next, "spend", "ann", "m", 3),
            ], from: start, to: next)
        let days = try #require(told.arrayValue)
        #expect(days.map { $0["startTime"]?.stringValue } == ["2025-11-24", "2025-11-25"])
        #expect(days[0]["spend"] == .number("0.500000021") && days[0]["k1"] == .number("0.500000001"))
        #expect(days[0]["users"] == ["": .number("0.00000002"), "ann": .number("0.000000001"), "bob": .number("0.50")])
        #expect(days[0]["models"] == ["m": .number("0.000000021"), "n": .number("0.50")])
        #expect(days[1]["spend"] == .number("0.000000003") && SpendLog.summary([], from: start, to: start).arrayValue?.count == 1)
    }
}
