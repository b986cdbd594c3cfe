internal import Accounting

/// The chains of some orgs while one transaction puts records into them; it holds the orgs' rows of `decision_heads`.
struct PostgresChainLinks {
    private var tails: [OrgID: ChainTail] = [:]
    private var linked: [(org: OrgID, seq: Int64, hash: String)] = []

    /// Nil when records were there that are not in the chain, more than one transaction links: those that it did link are to be committed,
    /// and another transaction goes on.
    init?(of orgs: [OrgID], _ connection: inout PostgresConnection) throws(PostgresError) {
        let rows = try connection.query(
            """
            SELECT h.org, h.seq, c.first, c.seq, c.hash FROM decision_heads h LEFT JOIN decision_chain_heads c ON c.org = h.org
            WHERE h.org = ANY ($1::text[])
            """, [.orgs(Set(orgs))])
        let heads = try rows.map { (row) throws(PostgresError) in
            (
                org: try row.org(0), last: try row.int(1), first: try row.optionalInt(2), seq: try row.optionalInt(3),
                hash: row.optionalText(4)
            )
        }
        var isBehind = false
        for head in heads {
            guard let first = head.first, let seq = head.seq, let hash = head.hash else {
                tails[head.org] = ChainTail(beginningAt: head.last + 1)
                continue
            }
            tails[head.org] = ChainTail(first: first, seq: seq, hash: hash)
            if try !catchUp(head.org, from: seq + 1, to: head.last, &connection) { isBehind = true }
        }
        guard !isBehind else {
            try write(&connection)
            return nil
        }
    }

    /// - Returns: whether the chain goes up to `last`.
    private mutating func catchUp(
        _ org: OrgID, from begin: Int64, to last: Int64, _ connection: inout PostgresConnection
    ) throws(PostgresError) -> Bool {
        let end = min(last, begin + ChainLimits.catchUp - 1)
        var seq = begin
        while seq <= end {
            let page = seq...min(end, seq + ChainLimits.page - 1)
            let records = try PostgresChainRows.entries(of: org, page, &connection).compactMap(\.record)
            guard Int64(records.count) == page.upperBound - page.lowerBound + 1 else {
                throw .malformed("records of decisions are missing between \(page.lowerBound) and \(page.upperBound)")
            }
            for record in records { try append(record) }
            seq = page.upperBound + 1
        }
        return end >= last
    }

    /// The record that follows in its org.
    mutating func append(_ record: ChainRecord) throws(PostgresError) {
        guard var tail = tails[record.org], tail.seq + 1 == record.seq else {
            throw .malformed("record \(record.seq) does not follow in the chain")
        }
        let hash = tail.link(record)
        tails[record.org] = tail
        linked.append((record.org, record.seq, hash))
    }

    func write(_ connection: inout PostgresConnection) throws(PostgresError) {
        try connection.query(
            "INSERT INTO decision_chain SELECT * FROM unnest($1::text[], $2::int8[], $3::text[])",
            [.orgs(linked.map(\.org)), .ints(linked.map(\.seq)), .texts(linked.map(\.hash))])
        // A tail before its beginning has no record yet.
        let moved = tails.filter { $0.value.seq >= $0.value.first }
        try connection.query(
            """
            INSERT INTO decision_chain_heads SELECT org, first, seq, hash, 0
            FROM unnest($1::text[], $2::int8[], $3::int8[], $4::text[]) AS w (org, first, seq, hash)
            ON CONFLICT (org) DO UPDATE SET seq = excluded.seq, hash = excluded.hash
            """,
            [
                .texts(moved.map(\.key.text)), .ints(moved.map(\.value.first)), .ints(moved.map(\.value.seq)),
                .texts(moved.map(\.value.hash)),
            ])
    }
}

/// Records as they are in the tables, whatever somebody made of them.
enum PostgresChainRows {
    static func entries(
        of org: OrgID, _ seqs: ClosedRange<Int64>, _ connection: inout PostgresConnection
    ) throws(PostgresError) -> [ChainEntry] {
        let values: [PostgresValue] = [.org(org), .int(seqs.lowerBound), .int(seqs.upperBound)]
        var found: [Int64: ChainEntry] = [:]
        func keep(_ record: ChainRecord, decisionSeq: Int64? = nil) {
            let known = found[record.seq]
            found[record.seq] = ChainEntry(
                seq: record.seq, record: record, hash: known?.hash, decisionSeq: decisionSeq, isDouble: known?.record != nil)
        }
        let hashes = try connection.query("SELECT seq, hash FROM decision_chain WHERE org = $1 AND seq BETWEEN $2 AND $3", values)
        for (seq, hash) in try hashes.map({ (row) throws(PostgresError) in (try row.int(0), try row.text(1)) }) {
            found[seq] = ChainEntry(seq: seq, record: nil, hash: hash)
        }
        for record in try connection.query(decisions, values).map({ (row) throws(PostgresError) in try decision(row, org) }) {
            keep(record)
        }
        for (record, seq) in try connection.query(outcomes, values).map({ (row) throws(PostgresError) in try outcome(row, org) }) {
            keep(record, decisionSeq: seq)
        }
        return found.values.sorted { $0.seq < $1.seq }
    }

    private static let decisionTexts = [
        "id", "project", "user", "key", "run", "call", "parent_call", "source", "tool", "arguments_digest", "arguments", "decision", "rule",
        "code", "message", "conversation", "subject", "approval", "details",
    ]

    private static let decisions = """
        SELECT seq, at, roles, id, project, user_id, key_id, run, call, parent_call, source, tool, arguments_digest, arguments, decision,
        rule, code, message, conversation, subject, approval, details, kind FROM tool_decisions WHERE org = $1 AND seq BETWEEN $2 AND $3
        """

    private static let outcomes = """
        SELECT o.seq, o.at, o.elapsed, o.bytes, o.decision, o.status, o.code, o.result_digest, d.seq FROM tool_outcomes o
        LEFT JOIN tool_decisions d ON d.org = o.org AND d.id = o.decision WHERE o.org = $1 AND o.seq BETWEEN $2 AND $3
        """

    private static func decision(_ row: PostgresRows.Row, _ org: OrgID) throws(PostgresError) -> ChainRecord {
        var fields = decisionTexts.enumerated().map { ChainRecord.Field($1, text: row.optionalText($0 + 3)) }
        fields.append(ChainRecord.Field("roles", words: try row.text(2)))
        fields.append(ChainRecord.Field("at", number: try row.int(1)))
        fields.append(ChainRecord.Field(what: try row.text(decisionTexts.count + 3)))
        return ChainRecord(org: org, seq: try row.int(0), kind: .decision, fields)
    }

    private static func outcome(_ row: PostgresRows.Row, _ org: OrgID) throws(PostgresError) -> (ChainRecord, Int64?) {
        let fields = [
            ChainRecord.Field("decision_id", text: row.optionalText(4)), ChainRecord.Field("status", text: row.optionalText(5)),
            ChainRecord.Field("code", text: row.optionalText(6)), ChainRecord.Field("result_digest", text: row.optionalText(7)),
            ChainRecord.Field("bytes", number: try row.int(3)), ChainRecord.Field("elapsed", number: try row.int(2)),
            ChainRecord.Field("at", number: try row.int(1)),
        ]
        return (ChainRecord(org: org, seq: try row.int(0), kind: .outcome, fields), try row.optionalInt(8))
    }
}
