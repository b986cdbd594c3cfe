import Accounting
import JSON
import Testing

@Suite("Knowledge: ids, words, passages, values")
struct KnowledgeTests {
    @Test("an id is a path of ASCII letters, digits and . _ - /")
    func ids() throws {
        for id in ["a", "Z9", "docs/refund-policy_v1.2.md", String(repeating: "a", count: 200)] {
            #expect(try KnowledgeID(id).text == id)
        }
        for id in ["", "/a", ".a", "-a", "a b", "é", "a\n", "a%2Fb", "a'b", String(repeating: "a", count: 201)] {
            #expect(throws: KnowledgeError.badID, "\(id)") { try KnowledgeID(id) }
        }
    }

    @Test("a document is within its limits, and its digest tells title and text apart")
    func documents() throws {
        let id = try KnowledgeID("a")
        let longest = String(repeating: "é", count: KnowledgeLimits.documentBytes / 2)
        #expect(try KnowledgeDocument(id: id, text: longest).bytes == KnowledgeLimits.documentBytes)
        #expect(throws: KnowledgeError.textTooLong) { try KnowledgeDocument(id: id, text: longest + "a") }
        #expect(throws: KnowledgeError.emptyText) { try KnowledgeDocument(id: id, text: "") }
        #expect(throws: KnowledgeError.notText) { try KnowledgeDocument(id: id, text: "%PDF\0") }
        let title = String(repeating: "t", count: KnowledgeLimits.titleBytes)
        #expect(try KnowledgeDocument(id: id, title: title, text: "x").title == title)
        #expect(throws: KnowledgeError.badTitle) { try KnowledgeDocument(id: id, title: title + "t", text: "x") }
        #expect(throws: KnowledgeError.badTitle) { try KnowledgeDocument(id: id, title: "a\nb", text: "x") }
        #expect(try KnowledgeDocument(id: id, title: "ab", text: "c").digest != KnowledgeDocument(id: id, title: "a", text: "bc").digest)
        #expect(try KnowledgeDocument(id: id, title: nil, text: "c").digest == KnowledgeDocument(id: id, title: "", text: "c").digest)
    }

    @Test(
        "words are folded by Unicode, and what separates them is gone",
        arguments: [
            ("Straße CAFÉ", ["strasse", "cafe"]), ("cafe\u{301}", ["cafe"]), ("ＡＢＣ１", ["abc1"]),
            ("don't e-mail a_b", ["don", "t", "e", "mail", "a", "b"]),
            ("ПРИВЕТ ΣΊΣΥΦΟΣ", ["привет", "σισυφοσ"]), ("返金は", ["返金", "金は", "は"]), ("A返B", ["a", "返", "b"]), ("12.50 €", ["12", "50"]),
            ("\" OR NEAR( * : ^ ' & | ! \\ <->", ["or", "near"]), ("", []), ("🧾…", []),
        ])
    func words(text: String, expected: [String]) {
        #expect(SearchWords.words(of: text) == expected)
    }

    @Test("a word that never ends is known by its beginning")
    func longWord() {
        let words = SearchWords.words(of: String(repeating: "x", count: 5_000))
        #expect(words == [String(repeating: "x", count: KnowledgeLimits.wordLength)])
    }

    @Test("a query has different words, the last open while it is typed, and is within its limits")
    func queries() throws {
        #expect(try KnowledgeQuery("Refund the refund").words == ["refund", "the"])
        #expect(try KnowledgeQuery("late ref").beginning == "ref")
        #expect(try KnowledgeQuery("late ref ").beginning == nil)
        #expect(try KnowledgeQuery("返金規則").words == ["返金", "金規", "規則"])
        #expect(try KnowledgeQuery("!? \"").words.isEmpty)
        let many = (0..<40).map { "w\($0)" }.joined(separator: " ")
        #expect(try KnowledgeQuery(many).words.count == KnowledgeLimits.queryWords)
        #expect(try KnowledgeQuery(many).beginning == nil, "what is not looked for is no beginning")
        #expect(throws: KnowledgeError.queryTooLong) { try KnowledgeQuery(String(repeating: "a", count: KnowledgeLimits.queryBytes + 1)) }
        _ = try KnowledgeQuery(String(repeating: "a", count: KnowledgeLimits.queryBytes))
    }

    @Test("passages together are the text, none is longer than the maximum, and paragraphs stay whole")
    func passages() {
        let seed = UInt64.random(in: .min ... .max)
        var random = SplitMix(seed: seed)
        let parts = [
            "word ", "a.", " ", "\n", "\n\n", "\r\n\r\n", "# Head\n\n", "返金。", "e\u{301}", "👩‍👩‍👧", String(repeating: "x", count: 700),
        ]
        for _ in 0..<300 {
            let count = Int.random(in: 1...400, using: &random)
            let text = (0..<count).map { _ in parts.randomElement(using: &random) ?? "" }.joined()
            let passages = PassageSplitter.passages(of: text)
            #expect(passages.joined().unicodeScalars.elementsEqual(text.unicodeScalars), "seed \(seed)")
            #expect(passages.allSatisfy { (1...KnowledgeLimits.passageLengthMax).contains($0.unicodeScalars.count) }, "seed \(seed)")
        }
        let paragraph = String(repeating: "A sentence of words. ", count: 30)
        let text = [paragraph, paragraph, "# Late parcels\n", paragraph].joined(separator: "\n\n")
        let passages = PassageSplitter.passages(of: text)
        #expect(passages.count == 3 && passages[0] == paragraph + "\n\n" && passages[2].hasPrefix("# Late parcels"))
        let long = String(repeating: "A sentence of words. ", count: 100)
        #expect(PassageSplitter.passages(of: long).dropLast().allSatisfy { $0.hasSuffix(". ") && $0.count > 500 })
    }

    @Test("a value of memory is canonical text of at most its limit")
    func values() throws {
        let value = try JSONValue(parsing: "{ \"b\" : [1, 2.50, null], \"a\":{\"é\":\"\\u0000\",\"z\":true}}")
        #expect(try UserMemoryValue(value).text == "{\"a\":{\"z\":true,\"é\":\"\\u0000\"},\"b\":[1,2.50,null]}")
        #expect(try UserMemoryValue(value) == UserMemoryValue(UserMemoryValue(value).json))
        let longest = JSONValue.string(String(repeating: "a", count: KnowledgeLimits.memoryValueBytes - 2))
        #expect(try UserMemoryValue(longest).text.utf8.count == KnowledgeLimits.memoryValueBytes)
        #expect(throws: UserMemoryError.valueTooLong) { try UserMemoryValue(.array([longest])) }
        #expect(throws: UserMemoryError.notJSON) { try UserMemoryValue(["a": .bytes([1])]) }
        for key in ["", "a\0", "a\n", String(repeating: "k", count: KnowledgeLimits.memoryKeyBytes + 1)] {
            #expect(throws: UserMemoryError.badKey) { try UserMemoryKey(key) }
        }
        #expect(try UserMemoryKey("what I like: é").text == "what I like: é")
    }

    @Test("a score is a part of the best one's thousand, whatever the unit", arguments: [Int64(1), 1_000, 5_000_000_000_000_000])
    func scores(unit: Int64) {
        #expect(KnowledgePassage.score(rank: 4 * unit, best: 4 * unit) == 1_000)
        #expect(KnowledgePassage.score(rank: unit, best: 4 * unit) == 250)
        #expect(KnowledgePassage.score(rank: 0, best: 4 * unit) == 1)
        #expect(KnowledgePassage.score(rank: 1, best: .max) == 1 && KnowledgePassage.score(rank: 0, best: 0) == 1)
    }
}
