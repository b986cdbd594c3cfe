import Accounting
import Testing

/// Names of organisations and of their counters, as they come from outside. Needs nothing.
@Suite("The typed names of organisations")
struct OrgTests {
    @Test("what would leave a key, a path or a room is no name", arguments: ["", "a}b", "{", "a b", "a/b", "a\u{0}", "a\u{202E}b", "\n"])
    func refused(_ text: String) {
        #expect(throws: ScopeError.self) { try OrgID(text) }
        #expect(throws: ScopeError.self) { try CounterSlot(text) }
    }

    @Test("a name has 1 to 128 bytes")
    func length() throws {
        #expect(try OrgID(String(repeating: "é", count: 64)).text.utf8.count == TenancyName.bytesMax)
        #expect(throws: ScopeError.nameTooLong) { try OrgID(String(repeating: "é", count: 64) + "x") }
    }

    @Test("of names that look alike one is a name: stores compare bytes, and Swift what is meant")
    func composed() throws {
        let (apart, composed) = ("Zu\u{308}rich", "Z\u{FC}rich")
        #expect(apart == composed)
        #expect(try OrgID(composed).text.utf8.count == 7)
        #expect(throws: ScopeError.notComposed) { try OrgID(apart) }
        #expect(throws: ScopeError.notComposed) { try TenancyPath(org: "acme", project: "web", user: "jose\u{301}") }
        #expect(throws: ScopeError.notComposed) { try Scope("user:acme/web/jose\u{301}") }
        #expect((["aa", "a", "B"] as [OrgID]).sorted() == ["B", "a", "aa"])
    }

    @Test("a slot is read from its name, and an index that is none belongs to no name")
    func slots() throws {
        for slot in [CounterSlot(org: "acme", index: 12), CounterSlot("acme" as OrgID)] { #expect(try CounterSlot(slot.name) == slot) }
        for text in ["acme/", "acme/x", "acme/0", "acme/-1", "/1"] { #expect(throws: ScopeError.self) { try CounterSlot(text) } }
    }

    @Test("the text of a scope tells its org, a key's does not")
    func scopes() throws {
        #expect(try Scope("user:acme/web/ann").org == "acme" && Scope("key:k1").org == nil)
    }
}
