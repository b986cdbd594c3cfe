import Foundation
import Supervisor
import Testing

@testable import kdcube

@Suite("A directory of policies while a set is published into it")
struct PolicyPublicationTests {
    private let directory = FileManager.default.temporaryDirectory.appending(path: "kdcube-\(UUID().uuidString)").path

    private func place(_ files: [String: String]) throws {
        for (name, text) in files {
            let path = URL(fileURLWithPath: directory).appending(path: name)
            try FileManager.default.createDirectory(at: path.deletingLastPathComponent(), withIntermediateDirectories: true)
            try text.write(to: path, atomically: true, encoding: .utf8)
        }
    }

    private func found() throws -> [String: String] {
        let folder = try PolicyFolder(directory)
        return Dictionary(uniqueKeysWithValues: (folder.files + folder.testTexts).map { ($0.name, $0.text) })
    }

    private static let old = ["a.cedar": "// old a", "b.cedar": "// old b", "b.test.yaml": "tests: 1", "README.md": "Read me."]
    private static let new = [PolicyFile(name: "a.cedar", text: "// new a"), PolicyFile(name: "c/d.cedar", text: "// new d")]
    private static let texts = ["a.cedar": "// new a", "c/d.cedar": "// new d"]

    @Test("is the old set until it is the new one, and what is no policy stays")
    func isWhole() throws {
        try place(Self.old)
        defer { try? FileManager.default.removeItem(atPath: directory) }
        let publication = try PolicyPublication.prepare(Self.new, in: directory)
        #expect(try found() == Self.old.filter { $0.key != "README.md" })
        #expect(throws: PublicationFault.self) { try PolicyPublication.prepare(Self.new, in: directory) }
        let left = try publication.commit()
        #expect(left == nil)
        #expect(try found() == Self.texts)
        #expect(try PolicyFolder.names(in: directory) == ["README.md", "a.cedar", "c/d.cedar"])
        #expect(try PolicyJournal.read(in: directory) == nil)
    }

    @Test("is as it was when the change is given up, and free for the next one")
    func isAbandoned() throws {
        try place(Self.old)
        defer { try? FileManager.default.removeItem(atPath: directory) }
        try place([".kdcube-left": "Half of it", "c/.kdcube-left": "Half of it"])
        try PolicyPublication.prepare(Self.new, in: directory).abandon()
        #expect(try found() == Self.old.filter { $0.key != "README.md" })
        #expect(throws: PublicationFault.self) { try PolicyPublication.prepare(Self.new, in: directory) { true } }
        try PolicyPublication.prepare(Self.new, in: directory).abandon()
        #expect(try FileManager.default.subpathsOfDirectory(atPath: directory).filter { $0.contains(".kdcube-") }.isEmpty)
    }

    /// The state after each step of the writing is one that a killed server may leave.
    @Test("is the new set after every step in which a server may be killed", arguments: 0...3)
    func survives(steps: Int) throws {
        try place(Self.old)
        defer { try? FileManager.default.removeItem(atPath: directory) }
        try place([PolicyJournal.name: String(decoding: PolicyJournal(files: Self.new).bytes, as: UTF8.self)])
        if steps > 0 { try place(["a.cedar": "// new a"]) }
        if steps > 1 { try place(["c/d.cedar": "// new d"]) }
        if steps > 2 { try FileManager.default.removeItem(atPath: directory + "/b.cedar") }
        #expect(try found() == Self.texts)
        try PolicyPublication.finish(directory)
        #expect(try found() == Self.texts)
        #expect(try PolicyJournal.read(in: directory) == nil)
    }

    @Test("takes names that lead nowhere else")
    func names() {
        for name in ["a.cedar", "a-b_c.9.cedar", "t/e/a/m/x.cedar", "x.test.yaml", "x.test.yml", "a..b.cedar"] {
            #expect(PolicyFileName.isFine(name), "\(name)")
        }
        for name in [
            "", ".cedar", "../a.cedar", "a/../b.cedar", "/a.cedar", "a//b.cedar", "a/.b/c.cedar", "a.txt", "a.yaml", "a b.cedar",
            "a\u{0}.cedar",
            "a/b/c/d/e/f.cedar", String(repeating: "a", count: 250) + ".cedar", "a\\b.cedar", "é.cedar",
        ] {
            #expect(!PolicyFileName.isFine(name), "\(name)")
        }
    }
}
