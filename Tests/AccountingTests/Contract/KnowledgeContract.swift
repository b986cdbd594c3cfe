import Accounting
import JSON
import Testing

/// What every store of knowledge and memory has to do, whatever it is made of. Each function is one item; the caller gives an empty
/// store, and what opens it anew, as a process does that is started again.
struct KnowledgeContract {
    struct Process: Sendable {
        let knowledge: any KnowledgeStore
        let memory: any UserMemoryStore
        /// One number that the store answers to a statement in its own language, for what the ports do not show.
        let count: @Sendable (String) async throws -> Int
        /// A statement for what would take the ports long.
        let change: @Sendable (String) async throws -> Void
    }

    let server: Process
    let reopen: @Sendable () async throws -> Process

    let now = ManualClock.monday
    let web: ProjectHandle
    let app: ProjectHandle

    init(server: Process, reopen: @escaping @Sendable () async throws -> Process) throws {
        self.server = server
        self.reopen = reopen
        web = try ProjectHandle(org: "acme", project: "web")
        app = try ProjectHandle(org: "acme", project: "app")
    }

    /// All items, by name.
    static let items: [(name: String, run: @Sendable (KnowledgeContract) async throws -> Void)] = [
        ("a document comes back as it was put, and the same again changes nothing", { try await $0.putAndFind() }),
        ("a document that is replaced is found by its new words only", { try await $0.replacement() }),
        ("a document that is deleted is gone from every table", { try await $0.deletion() }),
        ("projects never see each other, whatever their documents are called", { try await $0.tenants() }),
        ("the passage that says most of the query comes first", { try await $0.ranking() }),
        ("case, accents and width do not matter, and every script is found", { try await $0.languages() }),
        ("no text of a query is syntax", { try await $0.hostileQueries() }),
        ("the limits of a project hold to the document and the byte, also for many at once", { try await $0.limits() }),
        ("a list goes by id, page by page", { try await $0.lists() }),
        ("what was put is there after a restart", { try await $0.restart() }),
        ("memory belongs to one user, and the last write wins", { try await $0.memory() }),
        ("a user has so many keys and no more, also when many are set at once", { try await $0.memoryLimits() }),
    ]

    @discardableResult
    func put(_ id: String, _ text: String, title: String? = nil, in project: ProjectHandle? = nil) async throws -> KnowledgePut {
        try await server.knowledge.put(
            project ?? web, KnowledgeDocument(id: KnowledgeID(id), title: title, text: text), at: now)
    }

    func search(_ text: String, in project: ProjectHandle? = nil, limit: Int = 20) async throws -> [KnowledgePassage] {
        try await server.knowledge.search(project ?? web, KnowledgeQuery(text), limit: limit)
    }

    func found(_ text: String, in project: ProjectHandle? = nil) async throws -> [String] {
        try await search(text, in: project).map(\.document.text)
    }

    // MARK: Documents

    func putAndFind() async throws {
        let text = "# Refunds\r\n\r\n'; DROP TABLE x; -- $1 \\ 🧾 é\n\n" + String(repeating: "Parcels that come late. ", count: 200)
        let made = try await put("docs/refund", text, title: "Refund policy")
        #expect(made.outcome == .created && made.entry.bytes == text.utf8.count && made.entry.passages > 3)
        #expect(
            made.entry
                == KnowledgeEntry(
                    id: try KnowledgeID("docs/refund"), title: "Refund policy", bytes: text.utf8.count, passages: made.entry.passages,
                    updatedAt: now))
        let again = try await server.knowledge.put(
            web, KnowledgeDocument(id: KnowledgeID("docs/refund"), title: "Refund policy", text: text), at: now + Milliseconds(9))
        #expect(again.outcome == .unchanged && again.entry == made.entry, "not even its time")
        let found = try #require(try await server.knowledge.find(web, KnowledgeID("docs/refund")))
        #expect(found.entry == made.entry && found.text == text)
        #expect(try await server.knowledge.find(web, KnowledgeID("docs")) == nil)
        #expect(try await put("docs/refund", text, title: "Other").outcome == .replaced, "a title is part of it")
    }

    func replacement() async throws {
        try await put("a", "The old parrot.")
        try await put("a", "The new lion.", title: "Animals")
        #expect(try await found("parrot").isEmpty)
        #expect(try await found("lion") == ["a"])
        #expect(try await found("animals") == ["a"])
        #expect(try await server.knowledge.find(web, KnowledgeID("a"))?.text == "The new lion.")
        #expect(try await server.count("SELECT count(*) FROM knowledge_passages") == 1)
        try await put("a", "The new lion.")
        #expect(try await found("animals").isEmpty, "a title that is gone is found no more")
    }

    func deletion() async throws {
        try await put("a", "secret words", title: "secret")
        try await put("b", "other words")
        #expect(try await server.knowledge.delete(web, KnowledgeID("a")))
        #expect(try await !server.knowledge.delete(web, KnowledgeID("a")))
        #expect(try await !server.knowledge.delete(app, KnowledgeID("b")))
        #expect(try await found("secret").isEmpty)
        #expect(try await found("words") == ["b"])
        #expect(try await server.knowledge.find(web, KnowledgeID("a")) == nil)
        #expect(try await server.knowledge.delete(web, KnowledgeID("b")))
        for table in ["knowledge_documents", "knowledge_passages"] {
            #expect(try await server.count("SELECT count(*) FROM \(table)") == 0, "\(table)")
        }
        #expect(try await server.count("SELECT sum(documents + bytes) FROM knowledge_projects WHERE project = 'web'") == 0)
    }

    func tenants() async throws {
        let foreign = try ProjectHandle(org: "beta", project: "web")
        try await put("a", "Our price is one dollar.", in: web)
        try await put("a", "Their price is two dollars.", in: foreign)
        try await put("b", "A price in another project of the same organisation.", in: app)
        #expect(try await search("price").map(\.text) == ["Our price is one dollar."])
        #expect(try await search("price", in: foreign).map(\.text) == ["Their price is two dollars."])
        #expect(try await search("dollar two", in: app).isEmpty)
        #expect(try await search("price", in: ProjectHandle(org: "beta", project: "app")).isEmpty)
        for number in 1...4 { #expect(try await found("\(number)xprice", in: app).isEmpty, "no word of a client is a mark of ours") }
        #expect(try await server.knowledge.list(foreign, after: nil, limit: 10).map(\.id.text) == ["a"])
        #expect(try await server.knowledge.find(web, KnowledgeID("b")) == nil)
        #expect(try await server.knowledge.delete(foreign, KnowledgeID("a")))
        #expect(try await server.knowledge.find(web, KnowledgeID("a"))?.text == "Our price is one dollar.")
    }

    // MARK: Search

    func ranking() async throws {
        try await put("weather", String(repeating: "Rain and wind come from the west. ", count: 100))
        try await put("returns", "Parcels may be sent back.\n\nA refund is paid within ten days when the parcel has arrived.")
        try await put("shipping", "A parcel takes three days. A parcel to an island takes five. Every parcel has a number.")
        try await put("imprint", "The company and its address.", title: "Refund office")
        let hits = try await search("refund for a late parcel")
        #expect(hits.first?.document.text == "returns" && hits.first?.score == 1_000 && hits.first?.position == 1)
        #expect(Set(hits.map(\.document.text)) == ["returns", "shipping", "imprint"])
        #expect(hits.map(\.score) == hits.map(\.score).sorted(by: >) && hits.allSatisfy { (1...1_000).contains($0.score) })
        #expect(try await search("refund").map(\.title).contains("Refund office"))
        #expect(Set(try await found("refu")) == ["returns", "imprint"], "the word that is being typed")
        #expect(try await found("refu ").isEmpty)
        #expect(try await found("refu days").contains("returns"))
        let windy = try await search("wind")
        #expect(windy.count > 2 && windy.allSatisfy { $0.text.contains("wind") })
        #expect(Set(windy.map(\.position)).count == windy.count)
        #expect(try await search("wind", limit: 2).count == 2)
        #expect(try await search("wind", limit: 0).count == 1)
        try await put("much", String(repeating: String(repeating: "storm ", count: 150) + "\n\n", count: 30))
        #expect(try await search("storm", limit: 1_000).count == KnowledgeLimits.results)
    }

    func languages() async throws {
        let texts = [
            ("de", "Die Straße ist naß, die Rückerstattung dauert."), ("fr", "Le remboursement est à l’étude."),
            ("ru", "Возврат денег за посылку."), ("zh", "退款需要三天时间。"), ("ja", "返金は３日かかります。"), ("th", "คืนเงินภายในสามวัน"),
            ("ko", "환불은 사흘이 걸립니다."), ("ar", "استرداد المال خلال ثلاثة أيام"), ("el", "Η επιστροφή χρημάτων"), ("hi", "धनवापसी में तीन दिन लगते हैं"),
        ]
        for (id, text) in texts { try await put(id, text) }
        for (query, id) in [
            ("STRASSE", "de"), ("ruckerstattung", "de"), ("ETUDE", "fr"), ("e\u{301}tude ", "fr"), ("ВОЗВРАТ", "ru"), ("退款", "zh"),
            ("三天", "zh"),
            ("返金", "ja"), ("3日", "ja"), ("คืนเงิน", "th"), ("환불", "ko"), ("استرداد ", "ar"), ("ΕΠΙΣΤΡΟΦΗ ", "el"), ("धनवापसी ", "hi"),
        ] {
            #expect(try await found(query).first == id, "\(query)")
        }
    }

    func hostileQueries() async throws {
        try await put("a", "plain words AND or NOT near")
        for query in [
            "\"", "'", "words\"", "\" OR \"1\"=\"1", "words*", "*", "^words", "title:words", "body : words", "{title body}: words",
            "NEAR(plain words, 2)",
            "(", ")", "words)", "AND", "OR", "NOT", "NOT words", "words AND", "+", "-words", "--", "; DROP TABLE knowledge_index;", "\\",
            "words\\",
            "words & | ! <-> :*", "words:*A", "$1", "%", "_", "\u{0}", "\u{FEFF}", "\u{202E}words", "'words':1A", "1xwords", "''::tsquery",
        ] {
            let hits = try await search(query)
            #expect(hits.count <= 1, "\(query)")
        }
        for query in ["not", "title:words", "plain NOT words"] { #expect(try await found(query).count == 1, "\(query)") }
        #expect(try await search("\" * ! (").isEmpty)
        #expect(try await search(String(repeating: "words ", count: 170)).count == 1)
        #expect(try await server.count("SELECT count(*) FROM knowledge_documents") == 1)
    }

    // MARK: Limits

    func limits() async throws {
        let full = String(repeating: "a", count: KnowledgeLimits.documentBytes)
        for number in 0..<2 { try await put("d\(number)", full) }
        let sum = "SELECT sum(bytes) FROM knowledge_projects WHERE project = 'web'"
        #expect(try await server.count(sum) == 2 * full.utf8.count)
        // As if all but one of the places were taken: to split and index each of 32 books takes a debug build half a minute.
        let taken = KnowledgeLimits.projectBytes - full.utf8.count
        try await server.change("UPDATE knowledge_projects SET bytes = \(taken) WHERE project = 'web'")
        // The last place, for which eight ask.
        let outcomes = await withTaskGroup(of: Bool.self) { group in
            for number in 0..<8 { group.addTask { (try? await put("e\(number)", full)) != nil } }
            return await group.reduce(into: 0) { $0 += $1 ? 1 : 0 }
        }
        #expect(outcomes == 1)
        #expect(try await server.count(sum) == KnowledgeLimits.projectBytes)
        await #expect(throws: KnowledgeError.projectFull) { try await put("one", "b") }
        #expect(try await server.knowledge.find(web, KnowledgeID("one")) == nil, "nothing of it stays")
        #expect(try await put("d0", "b").outcome == .replaced, "a smaller one fits in the place of a larger one")
        let rest = String(repeating: "c", count: KnowledgeLimits.documentBytes - 1)
        #expect(try await put("one", rest).outcome == .created, "to the byte")
        await #expect(throws: KnowledgeError.projectFull) { try await put("two", "b") }
        await #expect(throws: KnowledgeError.projectFull) { try await put("d0", "bb") }
        #expect(try await server.knowledge.find(web, KnowledgeID("d0"))?.text == "b", "what is refused leaves the old one")
        #expect(try await put("a", full, in: app).outcome == .created, "another project has its own")
    }

    func lists() async throws {
        for id in ["b", "a/2", "a/10", "C", "a"] { try await put(id, "text of \(id)") }
        let first = try await server.knowledge.list(web, after: nil, limit: 3)
        #expect(first.map(\.id.text) == ["C", "a", "a/10"])
        let second = try await server.knowledge.list(web, after: first.last?.id, limit: 3)
        #expect(second.map(\.id.text) == ["a/2", "b"])
        #expect(try await server.knowledge.list(web, after: KnowledgeID("b"), limit: 3).isEmpty)
        #expect(try await server.knowledge.list(app, after: nil, limit: 3).isEmpty)
    }

    func restart() async throws {
        try await put("a", "What lasts.", title: "Lasting")
        let ann = try UserHandle(org: "acme", project: "web", user: "ann")
        try await server.memory.set(ann, UserMemoryKey("k"), UserMemoryValue(["a": 1]), at: now)
        let next = try await reopen()
        #expect(try await next.knowledge.search(web, KnowledgeQuery("lasts"), limit: 5).map(\.text) == ["What lasts."])
        #expect(try await next.knowledge.find(web, KnowledgeID("a"))?.entry.title == "Lasting")
        #expect(try await next.memory.get(ann, UserMemoryKey("k"))?.json == ["a": 1])
        #expect(try await next.knowledge.delete(web, KnowledgeID("a")))
        #expect(try await found("lasts").isEmpty, "and the one process sees what the other has done")
    }

    // MARK: Memory

    func memory() async throws {
        let ann = try UserHandle(org: "acme", project: "web", user: "ann")
        let others = [
            try UserHandle(org: "acme", project: "web", user: "bob"), try UserHandle(org: "acme", project: "app", user: "ann"),
            try UserHandle(org: "beta", project: "web", user: "ann"),
        ]
        let (key, memory) = (try UserMemoryKey("likes/é $1 '"), server.memory)
        try await memory.set(ann, key, UserMemoryValue(["text": "a\u{0}b"]), at: now)
        for other in others {
            #expect(try await memory.get(other, key) == nil)
            #expect(try await memory.list(other).isEmpty)
            #expect(try await !memory.delete(other, key))
            try await memory.set(other, key, UserMemoryValue(.string(other.user)), at: now)
        }
        #expect(try await memory.get(ann, key)?.json == ["text": "a\u{0}b"])
        try await memory.set(ann, key, UserMemoryValue(.null), at: now + Milliseconds(1))
        try await memory.set(ann, UserMemoryKey("a"), UserMemoryValue([1, 2]), at: now + Milliseconds(2))
        #expect(
            try await memory.list(ann) == [
                UserMemoryEntry(key: UserMemoryKey("a"), value: UserMemoryValue([1, 2]), updatedAt: now + Milliseconds(2)),
                UserMemoryEntry(key: key, value: UserMemoryValue(.null), updatedAt: now + Milliseconds(1)),
            ])
        #expect(try await memory.delete(ann, key))
        #expect(try await !memory.delete(ann, key))
        #expect(try await memory.get(ann, key) == nil)
        #expect(try await memory.get(others[0], key)?.json == "bob")
        #expect(try await server.count("SELECT count(*) FROM user_memory") == 4)
    }

    func memoryLimits() async throws {
        let (ann, memory) = (try UserHandle(org: "acme", project: "web", user: "ann"), server.memory)
        let value = try UserMemoryValue(.string(String(repeating: "v", count: KnowledgeLimits.memoryValueBytes - 2)))
        for number in 0..<KnowledgeLimits.memoryKeys - 1 { try await memory.set(ann, UserMemoryKey("k\(number)"), value, at: now) }
        let kept = await withTaskGroup(of: Bool.self) { group in
            for number in 0..<8 {
                group.addTask { (try? await memory.set(ann, UserMemoryKey("last\(number)"), value, at: now)) != nil }
            }
            return await group.reduce(into: 0) { $0 += $1 ? 1 : 0 }
        }
        #expect(kept == 1)
        await #expect(throws: UserMemoryError.tooManyKeys) { try await memory.set(ann, UserMemoryKey("more"), value, at: now) }
        try await memory.set(ann, UserMemoryKey("k0"), UserMemoryValue(1), at: now)
        #expect(try await memory.list(ann).count == KnowledgeLimits.memoryKeys)
        #expect(try await memory.delete(ann, UserMemoryKey("k0")))
        try await memory.set(ann, UserMemoryKey("more"), value, at: now)
    }
}
