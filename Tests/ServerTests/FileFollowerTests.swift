import Foundation
import Testing

@testable import kdcube

@Suite("FileFollower: when a file that others change is read again")
struct FileFollowerTests {
    /// A file in a folder of its own, which is removed with this value.
    private final class Sample {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("kdcube-follower-\(UUID().uuidString)")
        var path: String { folder.appendingPathComponent("p.json").path }

        init(_ text: String) throws {
            try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
            try Data(text.utf8).write(to: URL(fileURLWithPath: path))
        }

        deinit { try? FileManager.default.removeItem(at: folder) }
    }

    /// What the follower says to one look after another.
    private func looks(_ seen: [FileIdentity?], _ follower: inout FileFollower) -> [Bool] {
        var due: [Bool] = []
        for identity in seen { due.append(follower.isDue(identity)) }
        return due
    }

    @Test("a content is due once, at the second look that finds it")
    func once() throws {
        let (old, new) = (try Sample("old"), try Sample("new"))
        let (a, b) = (FileIdentity(old.path), FileIdentity(new.path))
        var follower = FileFollower(read: a)
        #expect(looks([a, a, b, b, b, a, b, b], &follower) == [false, false, false, true, false, false, false, false])
        #expect(looks([a, a, a], &follower) == [false, true, false], "back to the old content is a change as well")
    }

    @Test("a file that is being written is read when it stands still")
    func unfinished() throws {
        let samples = try (0..<4).map { try Sample(String(repeating: "x", count: $0)) }
        let seen = samples.map { FileIdentity($0.path) }
        var follower = FileFollower(read: seen[0])
        #expect(looks([seen[1], seen[2], seen[3], seen[3]], &follower) == [false, false, false, true])
    }

    @Test("a file that is gone is tried once, and again when it is back")
    func gone() throws {
        let sample = try Sample("x")
        let identity = FileIdentity(sample.path)
        #expect(identity != nil)
        var follower = FileFollower(read: identity)
        #expect(looks([nil, nil, nil, identity, identity, identity], &follower) == [false, true, false, false, true, false])
        var absent = FileFollower(read: nil)
        #expect(looks([nil, nil], &absent) == [false, false])
    }

    @Test("a file of the same length and times is another one when it was moved into place, when a link was turned, when it was rewritten")
    func identities() throws {
        let (first, second) = (try Sample("same"), try Sample("size"))
        let times: [FileAttributeKey: Any] = [.modificationDate: Date(timeIntervalSince1970: 1_000_000)]
        for sample in [first, second] { try FileManager.default.setAttributes(times, ofItemAtPath: sample.path) }
        let before = try #require(FileIdentity(first.path))
        #expect(before == FileIdentity(first.path))

        let link = first.folder.appendingPathComponent("link").path
        try FileManager.default.createSymbolicLink(atPath: link, withDestinationPath: first.path)
        #expect(FileIdentity(link) == before)
        try FileManager.default.removeItem(atPath: link)
        try FileManager.default.createSymbolicLink(atPath: link, withDestinationPath: second.path)
        #expect(FileIdentity(link) != before)

        let handle = try #require(FileHandle(forWritingAtPath: first.path))
        // Rewritten until the clock of the file system has moved on: its ticks are some milliseconds.
        repeat { try handle.write(contentsOf: Data("SAME".utf8)); try handle.seek(toOffset: 0) } while FileIdentity(first.path) == before
        try FileManager.default.setAttributes(times, ofItemAtPath: first.path)
        let rewritten = try #require(FileIdentity(first.path))
        #expect(rewritten != before)

        #expect(rename(second.path, first.path) == 0)
        #expect(FileIdentity(first.path) != rewritten)
        #expect(FileIdentity(second.path) == nil)
    }
}
