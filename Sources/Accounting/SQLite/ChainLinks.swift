internal import Accounting
internal import GRDB

/// The chains of some orgs while one transaction puts records into them.
struct ChainLinks {
    private var tails: [OrgID: ChainTail] = [:]

    /// Nil when records were there that are not in the chain, more than one transaction links: those that it did link are to be committed,
    /// and another transaction goes on.
    init?(of orgs: [OrgID], _ db: Database) throws {
        var isBehind = false
        for org in Set(orgs) {
            let last = try Int64.fetchOne(db, sql: "SELECT seq FROM decision_heads WHERE org = ?", arguments: [org]) ?? 0
            let head = try Row.fetchOne(
                db, sql: "SELECT first, seq, hash FROM decision_chain_heads WHERE org = ?", arguments: [org])
            guard let head else {
                tails[org] = ChainTail(beginningAt: last + 1)
                continue
            }
            tails[org] = ChainTail(first: head["first"], seq: head["seq"], hash: head["hash"])
            if try !catchUp(org, to: last, db) { isBehind = true }
        }
        guard !isBehind else {
            try finish(db)
            return nil
        }
    }

    /// - Returns: whether the chain goes up to `last`.
    private mutating func catchUp(_ org: OrgID, to last: Int64, _ db: Database) throws -> Bool {
        let begin = tails[org]?.seq ?? last
        let end = min(last, begin + ChainLimits.catchUp)
        var seq = begin + 1
        while seq <= end {
            let page = seq...min(end, seq + ChainLimits.page - 1)
            let records = try ChainRows.entries(of: org, page, db).compactMap(\.record)
            guard Int64(records.count) == page.upperBound - page.lowerBound + 1 else {
                throw EmbeddedDatabaseError.failed("records of decisions are missing between \(page.lowerBound) and \(page.upperBound)")
            }
            for record in records { try append(record, db) }
            seq = page.upperBound + 1
        }
        return end == last
    }

    /// The record that follows in its org.
    mutating func append(_ record: ChainRecord, _ db: Database) throws {
        guard var tail = tails[record.org], tail.seq + 1 == record.seq else {
            throw EmbeddedDatabaseError.failed("record \(record.seq) does not follow in the chain")
        }
        let hash = tail.link(record)
        tails[record.org] = tail
        try db.cachedStatement(sql: "INSERT INTO decision_chain VALUES (?, ?, ?)").execute(arguments: [record.org, record.seq, hash])
    }

    func finish(_ db: Database) throws {
        // A tail before its beginning has no record yet.
        for (org, tail) in tails where tail.seq >= tail.first {
            try db.execute(
                sql: """
                    INSERT INTO decision_chain_heads VALUES (?, ?, ?, ?, 0)
                    ON CONFLICT (org) DO UPDATE SET seq = excluded.seq, hash = excluded.hash
                    """,
                arguments: [org, tail.first, tail.seq, tail.hash])
        }
    }
}

/// Records as they are in the tables, whatever somebody made of them.
enum ChainRows {
    static func entries(of org: OrgID, _ seqs: ClosedRange<Int64>, _ db: Database) throws -> [ChainEntry] {
        let arguments: StatementArguments = [org, seqs.lowerBound, seqs.upperBound]
        let hashes = try Row.fetchAll(
            db, sql: "SELECT seq, hash FROM decision_chain WHERE org = ? AND seq BETWEEN ? AND ?", arguments: arguments)
        var found: [Int64: ChainEntry] = [:]
        for row in hashes { found[row["seq"]] = ChainEntry(seq: row["seq"], record: nil, hash: row["hash"]) }
        func keep(_ record: ChainRecord, decisionSeq: Int64? = nil) {
            let known = found[record.seq]
            found[record.seq] = ChainEntry(
                seq: record.seq, record: record, hash: known?.hash, decisionSeq: decisionSeq, isDouble: known?.record != nil)
        }
        for row in try Row.fetchAll(db, sql: decisions, arguments: arguments) {
            keep(ChainRecord(org: org, seq: row["seq"], kind: .decision, decisionColumns.map { field($0, row) }))
        }
        for row in try Row.fetchAll(db, sql: outcomes, arguments: arguments) {
            let record = ChainRecord(org: org, seq: row["seq"], kind: .outcome, outcomeColumns.map { field($0, row) })
            keep(record, decisionSeq: row["decision_seq"])
        }
        return found.values.sorted { $0.seq < $1.seq }
    }

    private static let decisionColumns = [
        "id", "project", "user", "key", "run", "call", "parent_call", "source", "tool", "arguments_digest", "arguments", "decision", "rule",
        "code", "message", "roles", "at", "what", "conversation", "subject", "approval", "details",
    ]
    private static let outcomeColumns = ["decision_id", "status", "code", "result_digest", "bytes", "elapsed", "at"]
    private static let numbers: Set<String> = ["bytes", "elapsed", "at"]

    /// Columns that have another name than the member of the record.
    private static let renamed = ["decision_id": "decision", "what": "kind"]

    /// Text is read as bytes: SQLite would end it at a zero byte, and what is no UTF-8 would be mended on the way.
    private static func selected(_ columns: [String], from table: String) -> String {
        columns.map { name in
            let column = "\(table).\(renamed[name] ?? name)"
            return numbers.contains(name) ? "\(column) AS \(name)" : "CAST(\(column) AS BLOB) AS \(name)"
        }.joined(separator: ", ")
    }

    private static let decisions = """
        SELECT d.seq AS seq, \(selected(decisionColumns, from: "d")) FROM tool_decisions d WHERE d.org = ? AND d.seq BETWEEN ? AND ?
        """

    private static let outcomes = """
        SELECT o.seq AS seq, d.seq AS decision_seq, \(selected(outcomeColumns, from: "o")) FROM tool_outcomes o
        LEFT JOIN tool_decisions d ON d.org = o.org AND d.id = o.decision WHERE o.org = ? AND o.seq BETWEEN ? AND ?
        """

    private static func field(_ name: String, _ row: Row) -> ChainRecord.Field {
        let value: DatabaseValue = row[name]
        switch value.storage {
        case .null: return ChainRecord.Field(name, text: nil)
        case .int64(let number): return ChainRecord.Field(name, number: number)
        case .double(let number): return ChainRecord.Field(name, bytes: Array("\(number)".utf8))
        case .string(let text): return ChainRecord.Field(name, text: text)
        case .blob(let data):
            guard let text = String(validating: data, as: UTF8.self) else { return ChainRecord.Field(name, bytes: Array(data)) }
            return switch name {
            case "roles": ChainRecord.Field(name, words: text)
            case "what": ChainRecord.Field(what: text)
            default: ChainRecord.Field(name, text: text)
            }
        }
    }
}
