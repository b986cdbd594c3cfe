public import Accounting

/// The documents of projects in Postgres, searched by its full text search.
///
/// Passages with more of the query's words come first, and of these the one that `ts_rank_cd` prefers: it alone knows nothing of how
/// rare a word is, and would put one word that comes often before two that come once.
public struct PostgresKnowledge: KnowledgeStore {
    private let database: PostgresDatabase

    public init(_ database: PostgresDatabase) { self.database = database }

    public func put(
        _ project: ProjectHandle, _ document: KnowledgeDocument, at: Milliseconds
    ) async throws(KnowledgeError) -> KnowledgePut {
        let title = SearchWords.words(of: document.title)
        let passages = PassageSplitter.passages(of: document.text).map { (text: $0, words: SearchWords.words(of: $0)) }
        let put = try await write { (connection) throws(PostgresError) -> KnowledgePut? in
            let place = try Self.place(of: project, &connection)
            let known = try connection.query(
                "SELECT number, digest, bytes FROM knowledge_documents WHERE project = $1 AND id = $2",
                [.int(place.number), .text(document.id.text)]
            ).first
            if let known, try known.text(1) == document.digest {
                return try Self.entry(document.id, of: project, &connection).map { KnowledgePut(outcome: .unchanged, entry: $0) }
            }
            let bytes = place.bytes - (try known?.int(2) ?? 0) + Int64(document.bytes)
            let documents = place.documents + (known == nil ? 1 : 0)
            guard documents <= KnowledgeLimits.projectDocuments, bytes <= KnowledgeLimits.projectBytes else { return nil }
            if let known { try connection.query("DELETE FROM knowledge_documents WHERE number = $1", [.int(try known.int(0))]) }
            try Self.set(documents: documents, bytes: bytes, of: place.number, &connection)
            try Self.add(document, passages, title: title, to: place.number, at: at, &connection)
            let entry = KnowledgeEntry(
                id: document.id, title: document.title, bytes: document.bytes, passages: passages.count, updatedAt: at)
            return KnowledgePut(outcome: known == nil ? .created : .replaced, entry: entry)
        }
        guard let put else { throw .projectFull }
        return put
    }

    public func search(
        _ project: ProjectHandle, _ query: KnowledgeQuery, limit: Int
    ) async throws(KnowledgeError) -> [KnowledgePassage] {
        guard !query.words.isEmpty else { return [] }
        let limit = Int64(min(max(1, limit), KnowledgeLimits.results))
        return try await read { (connection) throws(PostgresError) in
            let names: [PostgresValue] = [.org(project.org), .text(project.project)]
            let found = try connection.query("SELECT number FROM knowledge_projects WHERE org = $1 AND project = $2", names)
            guard let number = try found.first?.int(0) else { return [] }
            let terms = Self.queryTerms(query, ProjectTerms(project: number))
            let rows = try connection.query(
                """
                SELECT d.id, d.title, p.text, p.position, p.rank FROM (
                    SELECT document, position, text, 1000 * (SELECT count(*) FROM unnest($2::text[]) AS word WHERE terms @@ word::tsquery)
                        + (1000 * ts_rank_cd(terms, $1::tsquery, 33))::bigint AS rank
                    FROM knowledge_passages WHERE terms @@ $1::tsquery) AS p
                JOIN knowledge_documents d ON d.number = p.document
                WHERE d.project = $3 ORDER BY p.rank DESC, p.document, p.position LIMIT $4
                """,
                [.text(terms.joined(separator: " | ")), .texts(terms), .int(number), .int(limit)])
            let best = try rows.first?.int(4) ?? 0
            return try rows.map { row throws(PostgresError) in
                KnowledgePassage(
                    document: try Self.id(row, 0), title: try row.text(1), text: try row.text(2), position: Int(try row.int(3)),
                    score: KnowledgePassage.score(rank: try row.int(4), best: best))
            }
        }
    }

    public func list(
        _ project: ProjectHandle, after cursor: KnowledgeID?, limit: Int
    ) async throws(KnowledgeError) -> [KnowledgeEntry] {
        let values: [PostgresValue] = [
            .org(project.org), .text(project.project), .text(cursor?.text ?? ""), .int(Int64(min(max(1, limit), KnowledgeLimits.page))),
        ]
        return try await read { (connection) throws(PostgresError) in
            try connection.query("\(Self.selection) AND d.id > $3 ORDER BY d.id LIMIT $4", values).map(Self.decode)
        }
    }

    public func find(_ project: ProjectHandle, _ id: KnowledgeID) async throws(KnowledgeError) -> StoredDocument? {
        try await read { (connection) throws(PostgresError) in
            // One statement: the entry and the passages are of one moment.
            let rows = try connection.query(
                """
                SELECT d.id, d.title, d.bytes, d.passages, d.updated_at, (SELECT string_agg(p.text, '' ORDER BY p.position)
                FROM knowledge_passages p WHERE p.document = d.number) FROM knowledge_documents d
                JOIN knowledge_projects k ON k.number = d.project WHERE k.org = $1 AND k.project = $2 AND d.id = $3
                """, [.org(project.org), .text(project.project), .text(id.text)])
            return try rows.map { row throws(PostgresError) in
                StoredDocument(entry: try Self.decode(row), text: row.optionalText(5) ?? "")
            }.first
        }
    }

    public func delete(_ project: ProjectHandle, _ id: KnowledgeID) async throws(KnowledgeError) -> Bool {
        try await write { (connection) throws(PostgresError) in
            let place = try Self.place(of: project, &connection)
            let gone = try connection.query(
                "DELETE FROM knowledge_documents WHERE project = $1 AND id = $2 RETURNING bytes", [.int(place.number), .text(id.text)])
            guard let bytes = try gone.first?.int(0) else { return false }
            try Self.set(documents: place.documents - 1, bytes: place.bytes - bytes, of: place.number, &connection)
            return true
        }
    }

    private func read<Value: Sendable>(
        _ body: @escaping @Sendable (inout PostgresConnection) throws(PostgresError) -> Value
    ) async throws(KnowledgeError) -> Value {
        do { return try await database.read(body) } catch { throw .unavailable(error.description) }
    }

    private func write<Value: Sendable>(
        _ body: @escaping @Sendable (inout PostgresConnection) throws(PostgresError) -> Value
    ) async throws(KnowledgeError) -> Value {
        do { return try await database.write(body) } catch { throw .unavailable(error.description) }
    }
}

/// The statements behind it.
extension PostgresKnowledge {
    private struct Place {
        let number: Int64
        let documents: Int64
        let bytes: Int64
    }

    /// The project's row, made when it is new, and locked: changes of one project take turns, so that its limits are exact.
    private static func place(of project: ProjectHandle, _ connection: inout PostgresConnection) throws(PostgresError) -> Place {
        let rows = try connection.query(
            """
            INSERT INTO knowledge_projects AS k (org, project, documents, bytes) VALUES ($1, $2, 0, 0)
            ON CONFLICT (org, project) DO UPDATE SET documents = k.documents RETURNING number, documents, bytes
            """, [.org(project.org), .text(project.project)])
        guard let row = rows.first else { throw .malformed("no row of a project") }
        return Place(number: try row.int(0), documents: try row.int(1), bytes: try row.int(2))
    }

    private static func set(
        documents: Int64, bytes: Int64, of project: Int64, _ connection: inout PostgresConnection
    ) throws(PostgresError) {
        try connection.query(
            "UPDATE knowledge_projects SET documents = $2, bytes = $3 WHERE number = $1", [.int(project), .int(documents), .int(bytes)])
    }

    private static func add(
        _ document: KnowledgeDocument, _ passages: [(text: String, words: [String])], title: [String], to project: Int64,
        at: Milliseconds, _ connection: inout PostgresConnection
    ) throws(PostgresError) {
        let added = try connection.query(
            """
            INSERT INTO knowledge_documents (project, id, title, digest, bytes, passages, updated_at)
            VALUES ($1, $2, $3, $4, $5, $6, $7) RETURNING number
            """,
            [
                .int(project), .text(document.id.text), .text(document.title), .text(document.digest), .int(Int64(document.bytes)),
                .int(Int64(passages.count)), .int(at.rawValue),
            ])
        guard let number = try added.first?.int(0) else { throw .malformed("no number of a document") }
        let terms = ProjectTerms(project: project)
        try connection.query(
            """
            INSERT INTO knowledge_passages SELECT $1, position, text, terms::tsvector
            FROM unnest($2::int8[], $3::text[], $4::text[]) AS passage (position, text, terms)
            """,
            [
                .int(number), .ints(passages.indices.map { Int64($0) + 1 }), .texts(passages.map(\.text)),
                .texts(passages.map { indexTerms(title: title, body: $0.words, terms) }),
            ])
    }

    /// A tsvector as text, the title's words with the higher weight. Words are letters and digits, so no quote can end early.
    private static func indexTerms(title: [String], body: [String], _ terms: ProjectTerms) -> String {
        var text = ""
        for (position, word) in title.enumerated() { text += "'\(terms.term(word))':\(position + 1)A " }
        for (position, word) in body.enumerated() { text += "'\(terms.term(word))':\(title.count + position + 1) " }
        return text
    }

    private static func queryTerms(_ query: KnowledgeQuery, _ terms: ProjectTerms) -> [String] {
        query.words.map { "'\(terms.term($0))'" + ($0 == query.beginning ? ":*" : "") }
    }

    private static let selection = """
        SELECT d.id, d.title, d.bytes, d.passages, d.updated_at FROM knowledge_documents d
        JOIN knowledge_projects k ON k.number = d.project WHERE k.org = $1 AND k.project = $2
        """

    private static func entry(
        _ id: KnowledgeID, of project: ProjectHandle, _ connection: inout PostgresConnection
    ) throws(PostgresError) -> KnowledgeEntry? {
        try connection.query("\(selection) AND d.id = $3", [.org(project.org), .text(project.project), .text(id.text)]).map(decode).first
    }

    private static func decode(_ row: PostgresRows.Row) throws(PostgresError) -> KnowledgeEntry {
        KnowledgeEntry(
            id: try id(row, 0), title: try row.text(1), bytes: Int(try row.int(2)), passages: Int(try row.int(3)),
            updatedAt: Milliseconds(try row.int(4)))
    }

    private static func id(_ row: PostgresRows.Row, _ column: Int) throws(PostgresError) -> KnowledgeID {
        let text = try row.text(column)
        return try PostgresError.reading("a document's id") { try KnowledgeID(text) }
    }
}
