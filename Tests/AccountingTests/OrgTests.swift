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

    @Test("names are compared byte by byte, as every store does")
    func bytes() {
        let (one, other) = ("Zu\u{308}rich" as OrgID, "Z\u{FC}rich" as OrgID)
        #expect(one.text == other.text && one != other && Set([one, other]).count == 2)
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
