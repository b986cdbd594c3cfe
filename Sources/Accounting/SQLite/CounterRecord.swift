internal import Accounting
internal import GRDB

/// Windows and leases in and out of SQL.
enum CounterRecord {
    /// A batch of changes as values, so that it can be written while the machine goes on.
    struct Batch: Sendable {
        var windows: [WindowState] = []
        var removedWindows: [WindowKey] = []
        var leases: [LeaseState] = []
        var removedLeases: [LeaseKey] = []
        var rows: [LedgerRow]

        init(_ changes: CounterChanges, of machine: CounterMachine) {
            rows = changes.rows
            for key in changes.windows {
                if let window = machine.windows[key] { windows.append(window) } else { removedWindows.append(key) }
            }
            for key in changes.leases {
                if let lease = machine.leases[key] { leases.append(lease) } else { removedLeases.append(key) }
            }
        }
    }

    static func write(_ batch: Batch, _ db: Database) throws {
        try write(batch.windows, db)
        try write(batch.leases, db)
        for key in batch.removedWindows { try db.execute(sql: "DELETE FROM windows WHERE key = ?", arguments: [key.text]) }
        for key in batch.removedLeases {
            try db.execute(sql: "DELETE FROM leases WHERE org = ? AND id = ?", arguments: [key.org, key.id])
        }
        _ = try LedgerRecord.insert(batch.rows, db)
    }

    static func machine(_ db: Database) throws -> CounterMachine {
        CounterMachine(
            windows: try Row.fetchAll(db, sql: "SELECT * FROM windows").map(window),
            leases: try Row.fetchAll(db, sql: "SELECT * FROM leases").map(lease))
    }

    static func windows(scope: Scope, _ db: Database) throws -> [WindowState] {
        try Row.fetchAll(db, sql: "SELECT * FROM windows WHERE scope = ?", arguments: [scope.text]).map(window)
    }

    /// Nearly every write changes a row that is there, and only some of its columns.
    private static func write(_ windows: [WindowState], _ db: Database) throws {
        let update = try db.cachedStatement(
            sql: """
                UPDATE windows SET cap = ?, version = ?, generation = ?, used = ?, held = ?, suspense = ?, live_leases = ? WHERE key = ?
                """)
        for window in windows {
            let key = window.key.text
            try update.execute(arguments: [
                window.cap, window.version, window.generation, window.used, window.held, window.suspense, window.liveLeases, key,
            ])
            guard db.changesCount == 0 else { continue }
            let insert = try db.cachedStatement(
                sql: """
                    INSERT INTO windows (key, scope, starts_at, ends_at, cap, version, generation, used, held, suspense, live_leases)
                    VALUES (?,?,?,?,?,?,?,?,?,?,?)
                    """)
            try insert.execute(arguments: [
                key, window.key.scope.text, window.start.rawValue, window.end.rawValue, window.cap, window.version,
                window.generation, window.used, window.held, window.suspense, window.liveLeases,
            ])
        }
    }

    private static func write(_ leases: [LeaseState], _ db: Database) throws {
        let update = try db.cachedStatement(
            sql: """
                UPDATE leases SET node = ?, fence = ?, held = ?, spent = ?, sequence = ?, decision = ?, expires_at = ?, phase = ?
                WHERE org = ? AND id = ?
                """)
        for lease in leases {
            try update.execute(arguments: [
                lease.holder.node, lease.holder.fence, lease.held.text, text(lease.spent), lease.sequence, lease.decision.text,
                lease.expiresAt.rawValue, lease.phase.rawValue, lease.key.org, lease.key.id,
            ])
            guard db.changesCount == 0 else { continue }
            let insert = try db.cachedStatement(
                sql: """
                    INSERT INTO leases (org, id, node, fence, project, user, key, run, model, price_version, path, span_end, held, spent,
                    sequence, decision, expires_at, phase, known) VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)
                    """)
            let path = lease.attribution.path
            try insert.execute(arguments: [
                lease.key.org, lease.key.id, lease.holder.node, lease.holder.fence, path.project, path.user, path.key,
                lease.attribution.run, lease.attribution.model, lease.attribution.priceVersion,
                lease.path.map(\.text).joined(separator: "\n"), lease.spanEnd.rawValue, lease.held.text, text(lease.spent),
                lease.sequence, lease.decision.text, lease.expiresAt.rawValue, lease.phase.rawValue, lease.known,
            ])
        }
    }

    private static func window(_ row: Row) throws -> WindowState {
        guard let key = WindowKey(row["key"]) else { throw EmbeddedDatabaseError.failed("unreadable window") }
        let ref = WindowRef(
            key: key, cap: row["cap"], version: row["version"], generation: row["generation"], start: Milliseconds(row["starts_at"]),
            end: Milliseconds(row["ends_at"]))
        // These counters have one life only, and in that the org of a window is never asked for: it stands for none.
        return WindowState(
            org: "-", ref: ref, used: row["used"], held: row["held"], suspense: row["suspense"], liveLeases: row["live_leases"])
    }

    private static func lease(_ row: Row) throws -> LeaseState {
        let pathText: String = row["path"]
        let names = pathText.split(separator: "\n").map(String.init)
        let path = names.compactMap { WindowKey($0) }
        guard path.count == names.count, let decision = LeaseDecision(row["decision"]),
            let phase = LeaseState.Phase(rawValue: row["phase"])
        else { throw EmbeddedDatabaseError.failed("unreadable lease") }
        let tenant = try TenancyPath(org: row.org, project: row["project"], user: row["user"], key: row["key"])
        return LeaseState(
            key: LeaseKey(org: try row.counters, id: row["id"]), holder: LeaseHolder(node: row["node"], fence: row["fence"]),
            attribution: Attribution(path: tenant, run: row["run"], model: row["model"], priceVersion: row["price_version"]), path: path,
            spanEnd: Milliseconds(row["span_end"]), held: try amounts(row["held"]), spent: try spent(row["spent"]),
            sequence: row["sequence"], decision: decision, expiresAt: Milliseconds(row["expires_at"]), phase: phase,
            known: row["known"])
    }

    private static func text(_ spent: Spent) -> String {
        let usage = spent.usage
        let numbers = [
            spent.nanoUSD, spent.requests, spent.estimated ? 1 : 0, usage.inputFresh, usage.inputCacheRead, usage.inputCacheWrite,
            usage.outputVisible, usage.outputReasoning, spent.calls,
        ]
        return numbers.map { String($0) }.joined(separator: ",")
    }

    private static func amounts(_ text: String) throws -> Amounts {
        guard let amounts = Amounts(text) else { throw EmbeddedDatabaseError.failed("unreadable amounts") }
        return amounts
    }

    private static func spent(_ text: String) throws -> Spent {
        let numbers = try numbers(text)
        let usage = UsageClasses(
            inputFresh: numbers[3], inputCacheRead: numbers[4], inputCacheWrite: numbers[5], outputVisible: numbers[6],
            outputReasoning: numbers[7])
        return Spent(
            nanoUSD: numbers[0], usage: usage, requests: numbers[1], calls: numbers.count > 8 ? numbers[8] : 0, estimated: numbers[2] == 1)
    }

    /// Eight of them were written by the release before tools were counted.
    private static func numbers(_ text: String) throws -> [Int64] {
        let numbers = text.split(separator: ",").compactMap { Int64($0) }
        guard (8...9).contains(numbers.count) else { throw EmbeddedDatabaseError.failed("unreadable amounts") }
        return numbers
    }
}
