import Accounting
import Testing

/// What every store of approvals has to do, whatever it is made of. Each function is one item; the caller gives an empty store.
struct ApprovalContract {
    let store: any ApprovalRows
    /// Of a process beside it.
    let other: any ApprovalRows

    static let items: [(name: String, run: @Sendable (ApprovalContract) async throws -> Void)] = [
        ("an approval comes back as it was made, once for each id", { try await $0.kept() }),
        ("of many who change a version one does", { try await $0.compareAndSwap() }),
        ("no more wait than there may, however many ask at once", { try await $0.room() }),
        ("lists go from the newest to the oldest, filtered, in pages", { try await $0.pages() }),
        ("what waits is counted, and found when its time is over", { try await $0.due() }),
        ("denials of the same call are counted", { try await $0.denials() }),
        ("what is not in order is refused", { try await $0.malformed() }),
        ("a change is kept when the caller's task was cancelled", { try await $0.cancelled() }),
    ]

    static func row(
        _ id: String, org: OrgID = "acme", project: String = "web", user: String = "ann", conversation: String = "c1", run: String = "r1",
        tool: String = "refund", digest: String = "0f", state: String = "pending", at: Int64 = 0, lasts: Int64 = 1_000, version: Int64 = 1,
        record: String = #"{"q":"'; DROP TABLE x; -- $1 é"}"#
    ) throws -> StoredApproval {
        try StoredApproval(
            org: org, id: id, project: project, user: user, conversation: conversation, run: run, tool: tool, digest: digest, state: state,
            createdAt: ManualClock.monday + Milliseconds(at), expiresAt: ManualClock.monday + Milliseconds(at + lasts), version: version,
            record: record)
    }

    private func ids(_ filter: ApprovalFilter, org: OrgID = "acme") async throws -> [String] {
        try await other.approvals(org: org, filter, before: nil, limit: 1_000).approvals.map(\.id)
    }

    func kept() async throws {
        let row = try Self.row("a1", user: "", conversation: "", run: "", tool: "refund🧾")
        #expect(try await store.insert(row))
        #expect(try await !other.insert(try Self.row("a1", state: "granted")))
        #expect(try await other.insert(try Self.row("a1", org: "beta")))
        #expect(try await other.approval(org: "acme", id: "a1") == row)
        #expect(try await other.approval(org: "beta", id: "a1")?.user == "ann")
        #expect(try await other.approval(org: "acme", id: "a2") == nil)
        #expect(try await other.approval(org: "acme", id: "a\u{0}") == nil)
        let answers = try await withThrowingTaskGroup(of: Bool.self) { group in
            for number in 0..<8 {
                let store = number % 2 == 0 ? store : other
                let row = try Self.row("a9", run: "r\(number)")
                group.addTask { try await store.insert(row) }
            }
            return try await group.reduce(into: []) { $0.append($1) }
        }
        #expect(answers.count(where: \.self) == 1)
    }

    /// However many ask at once, at two stores.
    func room() async throws {
        let answers = try await withThrowingTaskGroup(of: ApprovalInsert.self) { group in
            for number in 0..<12 {
                let store = number % 2 == 0 ? store : other
                let row = try Self.row("r\(number)", run: number < 8 ? "run_a" : "run_b")
                group.addTask { try await store.insert(row, room: PendingRoom(run: 3, org: 5)) }
            }
            return try await group.reduce(into: []) { $0.append($1) }
        }
        #expect(answers.count { $0 == .inserted } == 5)
        #expect(answers.count { $0 == .full } == 7)
        #expect(try await ids(ApprovalFilter(run: "run_a")).count <= 3)
        #expect(try await store.insert(try Self.row("r0", org: "beta"), room: PendingRoom(run: 1, org: 1)) == .inserted)
        #expect(try await store.insert(try Self.row("r1", org: "beta"), room: PendingRoom(run: 9, org: 1)) == .full)
    }

    func compareAndSwap() async throws {
        _ = try await store.insert(try Self.row("a1"))
        let changed = try Self.row(
            "a1", project: "app", user: "bob", tool: "mail", digest: "aa", state: "granted", lasts: 9, version: 2, record: "{}")
        #expect(try await !store.replace(changed, expecting: 0))
        #expect(try await !store.replace(try Self.row("a2", version: 2), expecting: 1))
        #expect(try await !store.replace(try Self.row("a1", org: "beta", version: 2), expecting: 1))
        #expect(try await store.replace(changed, expecting: 1))
        #expect(try await !other.replace(changed, expecting: 1))
        #expect(
            try await other.approval(org: "acme", id: "a1") == (try Self.row("a1", state: "granted", lasts: 9, version: 2, record: "{}")),
            "what it is about never changes")
        await #expect(throws: ApprovalRowsError.malformed("version")) { try await store.replace(changed, expecting: 2) }
        let rows = try (0..<16).map { try Self.row("a1", version: 3 + Int64($0)) }
        let answers = try await withThrowingTaskGroup(of: Bool.self) { group in
            for (number, row) in rows.enumerated() {
                let store = number % 2 == 0 ? store : other
                group.addTask { try await store.replace(row, expecting: 2) }
            }
            return try await group.reduce(into: []) { $0.append($1) }
        }
        #expect(answers.count(where: \.self) == 1)
    }

    func pages() async throws {
        var rows: [StoredApproval] = []
        for number in 0..<230 {
            let users = ["ann", "bob", ""]
            rows.append(
                try Self.row(
                    "a\(1_000 + number)", project: number % 2 == 0 ? "web" : "app", user: users[number % 3],
                    conversation: number % 5 == 0 ? "c1" : "c2", run: "r\(number % 7)", tool: number % 4 == 0 ? "mail" : "refund",
                    digest: number % 6 == 0 ? "aa" : "bb", state: number % 3 == 0 ? "denied" : "pending", at: Int64(number / 10)))
        }
        for row in rows { #expect(try await store.insert(row)) }
        _ = try await store.insert(try Self.row("z", org: "beta"))
        let newest: [String] = rows.reversed().map(\.id)
        let first = try await store.approvals(org: "acme", ApprovalFilter(), before: nil, limit: 1_000)
        #expect(first.approvals.map(\.id) == Array(newest.prefix(200)))
        let cursor = try #require(first.next)
        #expect(ApprovalCursor(cursor.text) == cursor)
        let second = try await other.approvals(org: "acme", ApprovalFilter(), before: cursor, limit: 1_000)
        #expect(second.approvals.map(\.id) == Array(newest.dropFirst(200)) && second.next == nil)
        for filter in [
            ApprovalFilter(state: "denied"), ApprovalFilter(project: "app"), ApprovalFilter(user: ""), ApprovalFilter(conversation: "c1"),
            ApprovalFilter(tool: "mail"), ApprovalFilter(digest: "aa"), ApprovalFilter(run: "r3"),
            ApprovalFilter(state: "pending", project: "web", user: "bob", conversation: "c2", tool: "refund", digest: "bb", run: "r4"),
            ApprovalFilter(run: "r\u{0}"), ApprovalFilter(tool: "' OR 1=1"),
        ] {
            let expected: [StoredApproval] = rows.reversed().filter { row in
                let pairs: [(String?, String)] = [
                    (filter.state, row.state), (filter.project, row.project), (filter.user, row.user),
                    (filter.conversation, row.conversation), (filter.tool, row.tool), (filter.digest, row.digest), (filter.run, row.run),
                ]
                return pairs.allSatisfy { wanted, found in wanted == nil || wanted == found }
            }
            #expect(try await ids(filter) == Array(expected.map(\.id).prefix(200)), "\(filter)")
            let page = try await store.approvals(org: "acme", filter, before: cursor, limit: 3)
            let older = expected.filter { row in
                row.createdAt == cursor.createdAt ? row.id < cursor.id : row.createdAt < cursor.createdAt
            }
            #expect(page.approvals == Array(older.prefix(3)), "\(filter)")
        }
        #expect(try await ids(ApprovalFilter(), org: "beta") == ["z"])
        #expect(try await ids(ApprovalFilter(), org: "nobody").isEmpty)
        for text in ["", "1", ".a", "x.a", "1.", "1.a b"] { #expect(ApprovalCursor(text) == nil) }
    }

    func due() async throws {
        _ = try await store.insert(try Self.row("a1", lasts: 30))
        _ = try await store.insert(try Self.row("a2", lasts: 10))
        _ = try await store.insert(try Self.row("b1", org: "beta", lasts: 20))
        _ = try await store.insert(try Self.row("a3", state: "granted", lasts: 5))
        _ = try await store.insert(try Self.row("a4", lasts: 31))
        #expect(try await other.pendingCount(org: "acme") == 3)
        #expect(try await other.pendingCount(org: "nobody") == 0)
        let now = ManualClock.monday + Milliseconds(30)
        #expect(try await other.due(before: now, limit: 100).map(\.id) == ["a2", "b1", "a1"])
        #expect(try await other.due(before: now, limit: 2).map(\.id) == ["a2", "b1"])
        #expect(try await store.replace(try Self.row("a2", state: "expired", lasts: 10, version: 2), expecting: 1))
        #expect(try await other.due(before: now, limit: 100).map(\.id) == ["b1", "a1"])
        #expect(try await other.pendingCount(org: "acme") == 2)
    }

    func denials() async throws {
        let same = ("acme" as OrgID, "web", "ann", "refund", "0f")
        for (number, row) in try [
            Self.row("a1", state: "denied", at: 10), Self.row("a2", state: "denied", at: 20), Self.row("a3", state: "granted", at: 30),
            Self.row("a4", project: "app", state: "denied", at: 30), Self.row("a5", user: "bob", state: "denied", at: 30),
            Self.row("a6", tool: "mail", state: "denied", at: 30), Self.row("a7", digest: "aa", state: "denied", at: 30),
            Self.row("a1", org: "beta", state: "denied", at: 30),
        ].enumerated() { #expect(try await store.insert(row), "\(number)") }
        for (since, expected) in [(0, 2), (10, 2), (11, 1), (20, 1), (21, 0)] as [(Int64, Int)] {
            let found = try await other.recentDenials(
                org: same.0, project: same.1, user: same.2, tool: same.3, digest: same.4,
                since: ManualClock.monday + Milliseconds(since))
            #expect(found == expected, "\(since)")
        }
    }

    func malformed() async throws {
        func refuses(_ field: String, _ make: () throws -> StoredApproval) {
            #expect(throws: ApprovalRowsError.malformed(field)) { try make() }
        }
        refuses("path") { try Self.row("a", project: "a b") }
        refuses("path") { try Self.row("a", user: "a/b") }
        refuses("id") { try Self.row("") }
        refuses("conversation") { try Self.row("a", conversation: "a b") }
        refuses("run") { try Self.row("a", run: "a b") }
        refuses("tool") { try Self.row("a", tool: "") }
        refuses("tool") { try Self.row("a", tool: "a\u{0}") }
        refuses("digest") { try Self.row("a", digest: "XY") }
        refuses("state") { try Self.row("a", state: "") }
        refuses("state") { try Self.row("a", state: String(repeating: "s", count: 33)) }
        refuses("record") { try Self.row("a", record: "\u{0}") }
        refuses("record") { try Self.row("a", record: String(repeating: "1", count: 65_537)) }
        let long = try Self.row("a", record: String(repeating: "1", count: 65_536))
        #expect(try await store.insert(long))
        #expect(try await other.approval(org: "acme", id: "a") == long)
    }

    func cancelled() async throws {
        let row = try Self.row("a1")
        let work = Task {
            withUnsafeCurrentTask { $0?.cancel() }
            return try await store.insert(row)
        }
        #expect(try await work.value)
        #expect(try await other.approval(org: "acme", id: "a1") == row)
    }
}
