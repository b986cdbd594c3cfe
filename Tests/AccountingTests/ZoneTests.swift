import Accounting
import Foundation
import Testing

@Suite("Windows in time zones")
struct ZoneTests {
    static func zone(_ name: String) throws -> CalendarZone { try #require(try CalendarZone.named(name)) }

    static func instant(_ text: String) throws -> Milliseconds {
        Milliseconds(Int64(try Date(text, strategy: .iso8601).timeIntervalSince1970) * 1_000)
    }

    @Test(
        "a day lasts from its first instant to the next one's, whatever the clocks do",
        arguments: [
            // 23 and 25 hours.
            ("Europe/Berlin", "2026-03-29T12:00:00Z", "2026-03-29", "2026-03-28T23:00:00Z", "2026-03-29T22:00:00Z"),
            ("Europe/Berlin", "2026-10-25T00:30:00Z", "2026-10-25", "2026-10-24T22:00:00Z", "2026-10-25T23:00:00Z"),
            ("Europe/Berlin", "2026-10-25T23:00:00Z", "2026-10-26", "2026-10-25T23:00:00Z", "2026-10-26T23:00:00Z"),
            // Midnight is struck twice; midnight is left out.
            ("America/Havana", "2026-11-01T05:30:00Z", "2026-11-01", "2026-11-01T04:00:00Z", "2026-11-02T05:00:00Z"),
            ("America/Havana", "2026-03-08T05:00:00Z", "2026-03-08", "2026-03-08T05:00:00Z", "2026-03-09T04:00:00Z"),
            ("Atlantic/Azores", "2026-10-25T00:30:00Z", "2026-10-25", "2026-10-25T00:00:00Z", "2026-10-26T01:00:00Z"),
            ("America/Sao_Paulo", "2018-11-04T12:00:00Z", "2018-11-04", "2018-11-04T03:00:00Z", "2018-11-05T02:00:00Z"),
            // At midnight clocks are put back: the day has not begun yet, and the last one has 25 hours.
            ("America/Sao_Paulo", "2018-02-18T02:30:00Z", "2018-02-17", "2018-02-17T02:00:00Z", "2018-02-18T03:00:00Z"),
            // One minute after midnight: the day has begun, and goes on while clocks show the last one again.
            ("America/St_Johns", "2006-10-29T03:00:00Z", "2006-10-29", "2006-10-29T02:30:00Z", "2006-10-30T03:30:00Z"),
            ("America/St_Johns", "2006-10-29T02:29:59Z", "2006-10-28", "2006-10-28T02:30:00Z", "2006-10-29T02:30:00Z"),
            // Half an hour.
            ("Australia/Lord_Howe", "2026-04-05T00:00:00Z", "2026-04-05", "2026-04-04T13:00:00Z", "2026-04-05T13:30:00Z"),
            // A day that was left out, and one that came twice.
            ("Pacific/Apia", "2011-12-30T09:59:59Z", "2011-12-29", "2011-12-29T10:00:00Z", "2011-12-30T10:00:00Z"),
            ("Pacific/Apia", "2011-12-30T10:00:00Z", "2011-12-31", "2011-12-30T10:00:00Z", "2011-12-31T10:00:00Z"),
            ("Asia/Kolkata", "2026-11-22T18:30:00Z", "2026-11-23", "2026-11-22T18:30:00Z", "2026-11-23T18:30:00Z"),
        ])
    func days(zone: String, at: String, id: String, start: String, end: String) throws {
        let span = WindowSpan(.day, containing: try Self.instant(at), in: try Self.zone(zone))
        #expect([span.id, span.start.rfc3339, span.end.rfc3339] == ["\(id)@\(zone)", start, end])
    }

    @Test("weeks begin on Monday and months on the first, by local dates")
    func longer() throws {
        let (berlin, now) = (try Self.zone("Europe/Berlin"), try Self.instant("2026-10-25T12:00:00Z"))
        let week = WindowSpan(.week, containing: now, in: berlin)
        #expect(
            [week.id, week.start.rfc3339, week.end.rfc3339] == ["2026-W43@Europe/Berlin", "2026-10-18T22:00:00Z", "2026-10-25T23:00:00Z"])
        let month = WindowSpan(.month, containing: now, in: berlin)
        #expect(
            [month.id, month.start.rfc3339, month.end.rfc3339] == ["2026-10@Europe/Berlin", "2026-09-30T22:00:00Z", "2026-10-31T23:00:00Z"])
        for period in [Period.minute, .hour, .total] {
            #expect(WindowSpan(period, containing: now, in: berlin) == WindowSpan(period, containing: now))
        }
    }

    @Test("windows of random zones leave no instant out and share none, and begin with their local date (seeded)")
    func tiling() throws {
        let seed = UInt64.random(in: .min ... .max)
        var random = SplitMix(seed: seed)
        let names = TimeZone.knownTimeZoneIdentifiers.filter { $0.contains("/") }
        try #require(names.count > 400)
        for _ in 0..<4_000 {
            let name = try #require(names.randomElement(using: &random))
            let (zone, rules) = (try Self.zone(name), try #require(TimeZone(identifier: name)))
            let period = try #require([Period.day, .day, .week, .month].randomElement(using: &random))
            // 1930 to 2090; half of them within two days of a change of the clocks.
            var instant = Milliseconds(Int64.random(in: -1_262_304_000_000...3_786_912_000_000, using: &random))
            let date = Date(timeIntervalSince1970: Double(instant.rawValue / 1_000))
            if Bool.random(using: &random), let change = rules.nextDaylightSavingTimeTransition(after: date) {
                let near = Int64.random(in: -172_800_000...172_800_000, using: &random)
                instant = Milliseconds(Int64(change.timeIntervalSince1970) * 1_000 + near)
            }
            let place: Comment = "\(period) of \(name) at \(instant.rfc3339), seed \(seed)"
            let span = WindowSpan(period, containing: instant, in: zone)
            let one = Milliseconds(1)
            try #require(span.contains(instant), place)
            #expect(WindowSpan(period, containing: span.start, in: zone) == span, place)
            #expect(WindowSpan(period, containing: span.end - one, in: zone) == span, place)
            let (before, after) = (
                WindowSpan(period, containing: span.start - one, in: zone), WindowSpan(period, containing: span.end, in: zone)
            )
            #expect(before.end == span.start && after.start == span.end, place)
            #expect(before.id < span.id && span.id < after.id, place)
            // Where no calendar reform is near, Foundation's calendar says the same of the first instant.
            var calendar = Calendar(identifier: .iso8601)
            calendar.timeZone = rules
            let first = calendar.dateComponents(
                [.year, .month, .day], from: Date(timeIntervalSince1970: Double(span.start.rawValue) / 1_000))
            let text = String(format: "%04d-%02d-%02d", first.year ?? 0, first.month ?? 0, first.day ?? 0)
            if period == .day { #expect(span.id == "\(text)@\(name)", place) }
            #expect(WindowSpan(.day, containing: span.start, in: zone).id == "\(text)@\(name)", place)
        }
    }

    @Test("a zone is a name of the database, and UTC is none")
    func names() throws {
        for name in [
            "Europe/Berlin", "America/Argentina/Buenos_Aires", "Asia/Kolkata", "Europe/Kyiv", "Etc/GMT+5", "America/Port-au-Prince",
        ] {
            #expect(try CalendarZone.named(name)?.name == name)
        }
        for name in ["", "UTC", "GMT", "Etc/UTC", "Etc/GMT"] { #expect(try CalendarZone.named(name) == nil) }
        for name in [
            "Berlin", "europe/berlin", "Europe/berlin", "Europe//Berlin", "/Europe/Berlin", "Europe/Berlin/", "Europe/Berlin ",
            "Europe/Ber lin",
            "EST", "GMT+0530", "+05:30", "utc", "../../etc/passwd", "Europe/Atlantis", "Europe/Berlin:day", "Europe/Berlin@x",
            "Etc/Unknown",
            "Europe/" + String(repeating: "B", count: 100), "Europe/Bérlin",
        ] {
            #expect(throws: CalendarZoneError.self, "\(name)") { try CalendarZone.named(name) }
        }
    }

    @Test("a budget says what is wrong with its zone")
    func budgets() throws {
        let budget = try Budget(scope: "org:a", unit: "usd", period: "day", zone: "Europe/Berlin", limit: "1")
        #expect(budget.zone?.name == "Europe/Berlin")
        #expect(try Budget(scope: "org:a", unit: "usd", period: "day", zone: "Etc/UTC", limit: "1").zone == nil)
        for period in ["minute", "hour", "total"] {
            let error = #expect(throws: BudgetError.self) {
                try Budget(scope: "org:a", unit: "tokens", period: period, zone: "Europe/Berlin", limit: "1")
            }
            #expect(error?.field == .zone && error?.description.contains("day, week or month") == true)
        }
        let error = #expect(throws: BudgetError.self) {
            try Budget(scope: "org:a", unit: "usd", period: "day", zone: "Europe/Atlantis", limit: "1")
        }
        #expect(error?.field == .zone && error?.rule == .unknownWord)
        #expect(error?.description.contains("Europe/Berlin") == true)
    }

    @Test("the key of a zone's window is its own and survives its text form")
    func keys() throws {
        let now = ManualClock.monday
        for model in [nil, "demo", "lab/gpt:4o", "/x//y"] {
            for scope in [Scope.org("acme"), .key("k:1"), .user(org: "a", project: "b", user: "oidc|1:2")] {
                let zoned = try Budget(
                    scope: scope, model: model, unit: .inputTokens, period: .day, zone: Self.zone("Europe/Berlin"), limit: 1)
                let plain = try Budget(scope: scope, model: model, unit: .inputTokens, period: .day, limit: 1)
                let key = zoned.window(at: now).key
                #expect(key.text.hasSuffix(":input_tokens:day:2026-11-23@Europe/Berlin"))
                #expect(WindowKey(key.text) == key && key.zone == "Europe/Berlin")
                #expect(key != plain.window(at: now).key && plain.window(at: now).key.zone == nil)
            }
        }
    }

    @Test("a run over a zone's midnight is charged to both days, to the token")
    func roll() async throws {
        let midnight = try Self.instant("2026-11-23T23:00:00Z")
        let budget = try Budget(scope: .org("acme"), unit: .tokens, period: .day, zone: Self.zone("Europe/Berlin"), limit: 500)
        let rig = NodeRig(budgets: [budget], at: midnight - Milliseconds(10_000))
        let lease = try await rig.admitted("a")
        #expect(await stream(lease, wish: 100).delivered == 100)
        rig.clock.advance(Milliseconds(10_000))
        await rig.accountant.tick()
        #expect(await stream(lease, wish: 200).delivered == 200)
        _ = await lease.settle(.exact(UsageClasses(inputFresh: 10, outputVisible: 300)))
        let machine = await rig.store.machine
        let (old, new) = (budget.window(at: midnight - Milliseconds(1)), budget.window(at: midnight))
        #expect(old.end == midnight && new.start == midnight)
        #expect(machine.windows[old.key]?.used == 110 && machine.windows[new.key]?.used == 200)
        #expect(try await rig.ledger.sum(.org("acme"), from: new.start, to: new.end).usage.total == 200)
    }

    @Test("a zone that changes under a run moves it into the new window, which counts its own span of the ledger")
    func change() async throws {
        // 21:30 in UTC, 06:30 of the next day in Tokyo: the last 6.5 hours are both days'.
        let now = try Self.instant("2026-11-23T21:30:00Z")
        let rig = NodeRig(
            budgets: [try Budget(scope: .org("acme"), unit: .tokens, period: .day, limit: 10_000)], at: now - Milliseconds(7 * 3_600_000))
        let early = try await rig.admitted("early")
        _ = await stream(early, wish: 300)
        _ = await early.settle(.exact(UsageClasses(inputFresh: 10, outputVisible: 300)))
        rig.clock.advance(Milliseconds(7 * 3_600_000))
        let lease = try await rig.admitted("late")
        _ = await stream(lease, wish: 100)
        #expect(try await rig.window(0).used >= 310)
        rig.directory.list = [
            try Budget(scope: .org("acme"), unit: .tokens, period: .day, zone: Self.zone("Asia/Tokyo"), limit: 3_000, version: 2)
        ]
        await rig.accountant.tick()
        let (delivered, cut) = await stream(lease, wish: 5_000)
        let settlement = await lease.settle(.counted(inputTokens: nil))
        #expect(cut?.window?.key.zone == "Asia/Tokyo" && cut?.resetsAt?.rfc3339 == "2026-11-24T15:00:00Z")
        #expect(settlement.usage.total == 10 + 100 + Int64(delivered))
        #expect(settlement.usage.total <= 3_000 && settlement.usage.total > 2_900, "the early run was another day's in Tokyo")
        #expect(try await rig.window(0).used == settlement.usage.total)
    }
}
