import Accounting
import Foundation
import Testing

@Suite("Windows, scopes and budgets")
struct WindowTests {
    @Test(
        "a period's window has the known id and bounds",
        arguments: [
            (Period.minute, 1_795_435_259_999, "2026-11-23T12-00", 1_795_435_200_000, 1_795_435_260_000),
            (.hour, 1_795_435_200_000, "2026-11-23T12", 1_795_435_200_000, 1_795_438_800_000),
            (.day, 1_795_435_200_000, "2026-11-23", 1_795_392_000_000, 1_795_478_400_000),
            (.week, 1_795_435_200_000, "2026-W48", 1_795_392_000_000, 1_795_996_800_000),
            (.month, 1_795_435_200_000, "2026-11", 1_793_491_200_000, 1_796_083_200_000),
            // 2024-02-29, a leap day; 2000-02 had 29 days, 2100-02 has 28.
            (.month, 1_709_164_800_000, "2024-02", 1_706_745_600_000, 1_709_251_200_000),
            (.month, 951_782_400_000, "2000-02", 949_363_200_000, 951_868_800_000),
            (.month, 4_107_456_000_000, "2100-02", 4_105_123_200_000, 4_107_542_400_000),
            // 2027-01-01 is a Friday of week 53 of 2026; 2024-12-30 a Monday of week 1 of 2025.
            (.week, 1_798_761_600_000, "2026-W53", 1_798_416_000_000, 1_799_020_800_000),
            (.week, 1_735_516_800_000, "2025-W01", 1_735_516_800_000, 1_736_121_600_000),
        ] as [(Period, Int64, String, Int64, Int64)])
    func spans(period: Period, at: Int64, id: String, start: Int64, end: Int64) {
        let span = WindowSpan(period, containing: Milliseconds(at))
        #expect(span.id == id)
        #expect(span.start == Milliseconds(start))
        #expect(span.end == Milliseconds(end))
        #expect(span.contains(Milliseconds(start)))
        #expect(!span.contains(Milliseconds(end)))
    }

    @Test("random instants agree with Foundation's UTC calendar (seeded)")
    func calendar() throws {
        let seed: UInt64 = 99
        var random = SplitMix(seed: seed)
        var calendar = Calendar(identifier: .iso8601)
        calendar.timeZone = try #require(TimeZone(secondsFromGMT: 0))
        for _ in 0..<2_000 {
            let instant = Int64.random(in: -2_000_000_000...8_000_000_000, using: &random) * 1000
            let date = Date(timeIntervalSince1970: Double(instant / 1000))
            for (period, unit) in [
                (Period.minute, Calendar.Component.minute), (.hour, .hour), (.day, .day), (.week, .weekOfYear), (.month, .month),
            ] {
                let expected = try #require(calendar.dateInterval(of: unit, for: date))
                let span = WindowSpan(period, containing: Milliseconds(instant))
                #expect(span.start.rawValue == Int64(expected.start.timeIntervalSince1970) * 1000, "\(period) of \(instant), seed \(seed)")
                #expect(span.end.rawValue == Int64(expected.end.timeIntervalSince1970) * 1000, "\(period) of \(instant), seed \(seed)")
            }
            let week = calendar.dateComponents([.yearForWeekOfYear, .weekOfYear], from: date)
            let year = try #require(week.yearForWeekOfYear)
            let number = try #require(week.weekOfYear)
            #expect(WindowSpan(.week, containing: Milliseconds(instant)).id == String(format: "%04d-W%02d", year, number))
        }
    }

    @Test("an instant prints as RFC 3339")
    func rfc3339() {
        #expect(Milliseconds(1_795_435_259_999).rfc3339 == "2026-11-23T12:00:59Z")
        #expect(Milliseconds(0).rfc3339 == "1970-01-01T00:00:00Z")
        #expect(Milliseconds(-1).rfc3339 == "1969-12-31T23:59:59Z")
    }

    @Test(
        "scopes have the contract's text form",
        arguments: ["org:acme", "project:acme/web", "user:acme/web/ann@x.org", "key:k_1", "user:a/b/oidc|1:2"])
    func scopes(text: String) throws {
        #expect(try Scope(text).text == text)
    }

    @Test(
        "what is no scope is refused with its rule",
        arguments: [
            ("acme", ScopeError.unknownKind), ("team:acme", .unknownKind), ("org:", .emptyName), ("org:a/b", .wrongDepth(.org)),
            ("project:acme", .wrongDepth(.project)), ("user:a//c", .emptyName), ("org:a b", .forbiddenCharacter),
            ("org:{a}", .forbiddenCharacter),
            ("org:a\u{0}", .forbiddenCharacter), ("org:a\u{202E}b", .forbiddenCharacter),
            ("key:" + String(repeating: "k", count: 129), .nameTooLong),
        ])
    func badScopes(text: String, error: ScopeError) {
        #expect(throws: error) { try Scope(text) }
    }

    @Test("a window key survives its text form, colons in names included")
    func windowKeys() throws {
        for scope in ["org:acme", "user:a/b/oidc|1:2", "key:k:1"] {
            for period in Period.allCases {
                let key = WindowKey(
                    scope: try Scope(scope), unit: .usd, period: period, window: WindowSpan(period, containing: ManualClock.monday).id)
                #expect(WindowKey(key.text) == key)
            }
        }
        #expect(WindowKey("org:acme:usd:day") == nil)
        #expect(WindowKey("org:acme:eur:day:2026-11-23") == nil)
        #expect(WindowKey("") == nil)
        for model in ["demo", "lab/gpt:4o", "/x//y", "ünï"] {
            let key = WindowKey(scope: .key("k:1"), model: model, unit: .inputTokens, period: .day, window: "2026-11-23")
            #expect(WindowKey(key.text) == key)
        }
        #expect(WindowKey("org:acme//:usd:total:all") == nil)
        #expect(throws: BudgetError.self) { try Budget(scope: "org:a", model: "a b", unit: "usd", period: "day", limit: "1") }
        #expect(throws: BudgetError.self) { try Budget(scope: "org:a", unit: "runs", period: "day", limit: "1") }
    }

    @Test(
        "a budget names the field and the rule it breaks",
        arguments: [
            (["group:a", "usd", "day", "1"], BudgetError.Field.scope), (["org:a", "eur", "day", "1"], .unit),
            (["org:a", "usd", "year", "1"], .period),
            (["org:a", "usd", "day", "-1"], .limit), (["org:a", "usd", "day", "1e3"], .limit), (["org:a", "tokens", "day", "1.5"], .limit),
            (["org:a", "usd", "day", "9000001"], .limit), (["org:a", "tokens", "day", "9000000000000001"], .limit),
        ])
    func badBudgets(words: [String], field: BudgetError.Field) {
        let error = #expect(throws: BudgetError.self) { try Budget(scope: words[0], unit: words[1], period: words[2], limit: words[3]) }
        #expect(error?.field == field)
        #expect(error?.description.isEmpty == false)
    }

    @Test("limits are read in their unit")
    func limits() throws {
        #expect(try Budget(scope: "org:a", unit: "usd", period: "day", limit: "5.00").limit == 5_000_000_000)
        #expect(try Budget(scope: "org:a", unit: "tokens", period: "total", limit: "1000").limit == 1000)
        #expect(try Budget(scope: "org:a", unit: "requests", period: "minute", limit: "0").limit == 0)
    }

    @Test("a path pays in its scopes, widest first")
    func paths() throws {
        let path = try TenancyPath(org: "o", project: "p", user: "u", key: "k")
        #expect(path.scopes.map(\.text) == ["org:o", "project:o/p", "user:o/p/u", "key:k"])
        #expect(try TenancyPath(org: "o", project: "p").scopes.map(\.text) == ["org:o", "project:o/p"])
    }
}
