public import Accounting
internal import GRDB

/// The documents of projects in the embedded database, searched by FTS5 and ranked by its bm25.
///
/// The index holds words that ``SearchWords`` has read and `ProjectTerms` has marked; the tokenizer only takes them apart again.
public struct KnowledgeTable: KnowledgeStore {
    private let database: EmbeddedDatabase

    public init(_ database: EmbeddedDatabase) { self.database = database }

    public func put(
        _ project: ProjectHandle, _ document: KnowledgeDocument, at: Milliseconds
    ) async throws(KnowledgeError) -> KnowledgePut {
        let title = SearchWords.words(of: document.title)
        let passages = PassageSplitter.passages(of: document.text).map { (text: $0, words: SearchWords.words(of: $0)) }
        let put = try await write { db -> KnowledgePut? in
            let place = try Self.place(of: project, in: db)
            let known = try Row.fetchOne(
                db, sql: "SELECT number, digest, bytes FROM knowledge_documents WHERE project = ? AND id = ?",
                arguments: [place.number, document.id.text])
            if let known, known["digest"] == document.digest {
                return try Self.entry(document.id, of: project, in: db).map { KnowledgePut(outcome: .unchanged, entry: $0) }
            }
            let bytes = place.bytes - (known?["bytes"] ?? 0) + document.bytes
            let documents = place.documents + (known == nil ? 1 : 0)
            guard documents <= KnowledgeLimits.projectDocuments, bytes <= KnowledgeLimits.projectBytes else { return nil }
            if let known { try db.execute(sql: "DELETE FROM knowledge_documents WHERE number = ?", arguments: [known["number"]]) }
            try Self.set(documents: documents, bytes: bytes, of: place.number, in: db)
            try db.execute(
                sql: "INSERT INTO knowledge_documents (project, id, title, digest, bytes, passages, updated_at) VALUES (?,?,?,?,?,?,?)",
                arguments: [
                    place.number, document.id.text, document.title, document.digest, document.bytes, passages.count, at.rawValue,
                ])
            try Self.add(passages, title: title, to: db.lastInsertedRowID, ProjectTerms(project: place.number), in: db)
            let entry = KnowledgeEntry(
                id: document.id, title: document.title, bytes: document.bytes, passages: passages.count, updatedAt: at)
            return KnowledgePut(outcome: known == nil ? .created : .replaced, entry: entry)
        }
        guard let put else { throw .projectFull }
        return put
    }

    private static func add(
        _ passages: [(text: String, words: [String])], title: [String], to document: Int64, _ terms: ProjectTerms, in db: Database
    ) throws {
        let title = title.map(terms.term).joined(separator: " ")
        let passage = try db.cachedStatement(sql: "INSERT INTO knowledge_passages (document, position, text) VALUES (?,?,?)")
        let index = try db.cachedStatement(sql: "INSERT INTO knowledge_index (rowid, title, body) VALUES (?,?,?)")
        for (offset, one) in passages.enumerated() {
            try passage.execute(arguments: [document, offset + 1, one.text])
            try index.execute(arguments: [db.lastInsertedRowID, title, one.words.map(terms.term).joined(separator: " ")])
        }
    }

    public func search(
        _ project: ProjectHandle, _ query: KnowledgeQuery, limit: Int
    ) async throws(KnowledgeError) -> [KnowledgePassage] {
        guard !query.words.isEmpty else { return [] }
        let limit = min(max(1, limit), KnowledgeLimits.results)
        return try await read { db in
            let number = try Int64.fetchOne(
                db, sql: "SELECT number FROM knowledge_projects WHERE org = ? AND project = ?", arguments: [project.org, project.project])
            guard let number else { return [] }
            let terms = ProjectTerms(project: number)
            // Quoted, although a term is letters and digits: nothing in it is an operator.
            let match = query.words.map { "\"\(terms.term($0))\"" + ($0 == query.beginning ? "*" : "") }.joined(separator: " OR ")
            let rows = try Row.fetchAll(
                db,
                sql: """
                    SELECT d.id, d.title, p.text, p.position, CAST(found.relevance * -1e12 AS INTEGER) AS score FROM (
                        SELECT rowid, bm25(knowledge_index, 2.0, 1.0) AS relevance FROM knowledge_index
                        WHERE knowledge_index MATCH ? ORDER BY relevance, rowid LIMIT ?) AS found
                    JOIN knowledge_passages p ON p.number = found.rowid JOIN knowledge_documents d ON d.number = p.document
                    WHERE d.project = ? ORDER BY found.relevance, found.rowid
                    """, arguments: [match, limit, number])
            let best: Int64 = rows.first?["score"] ?? 0
            return try rows.map { row in
                KnowledgePassage(
                    document: try KnowledgeID(row["id"]), title: row["title"], text: row["text"], position: row["position"],
                    score: KnowledgePassage.score(rank: row["score"], best: best))
            }
        }
    }

    public func list(
        _ project: ProjectHandle, after cursor: KnowledgeID?, limit: Int
    ) async throws(KnowledgeError) -> [KnowledgeEntry] {
        let limit = min(max(1, limit), KnowledgeLimits.page)
        return try await read { db in
            try Row.fetchAll(
                db, sql: "\(Self.selection) AND d.id > ? ORDER BY d.id LIMIT ?",
                arguments: [project.org, project.project, cursor?.text ?? "", limit]
            ).map(Self.decode)
        }
    }

    public func find(_ project: ProjectHandle, _ id: KnowledgeID) async throws(KnowledgeError) -> StoredDocument? {
        try await read { db in
            guard let entry = try Self.entry(id, of: project, in: db) else { return nil }
            let texts = try String.fetchAll(
                db,
                sql: """
                    SELECT p.text FROM knowledge_passages p JOIN knowledge_documents d ON d.number = p.document
                    JOIN knowledge_projects k ON k.number = d.project WHERE k.org = ? AND k.project = ? AND d.id = ? ORDER BY p.position
                    """, arguments: [project.org, project.project, id.text])
            return StoredDocument(entry: entry, text: texts.joined())
        }
    }

    public func delete(_ project: ProjectHandle, _ id: KnowledgeID) async throws(KnowledgeError) -> Bool {
        try await write { db in
            let place = try Self.place(of: project, in: db)
            let bytes = try Int.fetchOne(
                db, sql: "DELETE FROM knowledge_documents WHERE project = ? AND id = ? RETURNING bytes",
                arguments: [place.number, id.text])
            guard let bytes else { return false }
            try Self.set(documents: place.documents - 1, bytes: place.bytes - bytes, of: place.number, in: db)
            return true
        }
    }

    // MARK: Private

    private struct Place {
        let number: Int64
        let documents: Int
        let bytes: Int
    }

    /// The project's row, made when it is new.
    private static func place(of project: ProjectHandle, in db: Database) throws -> Place {
        try db.execute(
            sql: "INSERT OR IGNORE INTO knowledge_projects (org, project, documents, bytes) VALUES (?,?,0,0)",
            arguments: [project.org, project.project])
        let row = try Row.fetchOne(
            db, sql: "SELECT number, documents, bytes FROM knowledge_projects WHERE org = ? AND project = ?",
            arguments: [project.org, project.project])
        guard let row else { throw EmbeddedDatabaseError.failed("a project's row is missing") }
        return Place(number: row["number"], documents: row["documents"], bytes: row["bytes"])
    }

    private static func set(documents: Int, bytes: Int, of project: Int64, in db: Database) throws {
        try db.execute(
            sql: "UPDATE knowledge_projects SET documents = ?, bytes = ? WHERE number = ?", arguments: [documents, bytes, project])
    }

    private static let selection = """
        SELECT d.id, d.title, d.bytes, d.passages, d.updated_at FROM knowledge_documents d
        JOIN knowledge_projects k ON k.number = d.project WHERE k.org = ? AND k.project = ?
        """

    private static func entry(_ id: KnowledgeID, of project: ProjectHandle, in db: Database) throws -> KnowledgeEntry? {
        try Row.fetchOne(db, sql: "\(selection) AND d.id = ?", arguments: [project.org, project.project, id.text]).map(decode)
    }

    private static func decode(_ row: Row) throws -> KnowledgeEntry {
        KnowledgeEntry(
            id: try KnowledgeID(row["id"]), title: row["title"], bytes: row["bytes"], passages: row["passages"],
            updatedAt: Milliseconds(row["updated_at"]))
    }

    private func read<Value: Sendable>(
        _ body: @escaping @Sendable (Database) throws -> Value
    ) async throws(KnowledgeError) -> Value {
        do { return try await database.read(body) } catch { throw .unavailable(error.description) }
    }

    private func write<Value: Sendable>(
        _ body: @escaping @Sendable (Database) throws -> Value
    ) async throws(KnowledgeError) -> Value {
        do { return try await database.write(body) } catch { throw .unavailable(error.description) }
    }
}
