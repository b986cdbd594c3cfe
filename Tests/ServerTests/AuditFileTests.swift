import Foundation
import Testing

@testable import kdcube

@Suite("Files of the audit: the key and the checkpoints")
struct AuditFileTests {
    private func inFolder(_ body: (String) async throws -> Void) async throws {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("kdcube-audit-\(UUID().uuidString)")
        defer { try? FileManager.default.removeItem(at: folder) }
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        try await body(folder.path)
    }

    @Test("a key is made once, for its owner alone, and what is no key is refused")
    func key() async throws {
        try await inFolder { folder in
            let data = folder + "/data"
            let seed = try InstallationKey.seed(in: data)
            #expect(seed.count == 32)
            #expect(try InstallationKey.seed(in: data) == seed)
            #expect(try FileManager.default.contentsOfDirectory(atPath: data) == ["audit.key"])
            let path = InstallationKey.path(in: data)
            let mode = try FileManager.default.attributesOfItem(atPath: path)[.posixPermissions] as? NSNumber
            #expect(mode?.intValue == 0o600)
            try FileManager.default.setAttributes([.posixPermissions: 0o640], ofItemAtPath: path)
            #expect(throws: CommandFailure.self) { try InstallationKey.seed(in: data) }
            try FileManager.default.setAttributes([.posixPermissions: 0o600], ofItemAtPath: path)
            for junk in ["", "\n", String(repeating: "0f", count: 32), String(repeating: "0F", count: 32) + "\n"] {
                let file = try #require(FileHandle(forWritingAtPath: path))
                try file.truncate(atOffset: 0)
                try file.write(contentsOf: Data(junk.utf8))
                try file.close()
                #expect(throws: CommandFailure.self, "\(junk)") { try InstallationKey.seed(in: data) }
            }
            try FileManager.default.removeItem(atPath: path)
            #expect(try InstallationKey.seed(in: data) != seed)
        }
    }

    private func lines(_ path: String, page: Int = 2) async throws -> [[String]] {
        var pages: [[String]] = []
        try await CheckpointFile.forEachPage(of: path, lineBytes: 8, lines: page) { lines in
            pages.append(lines.map { String(decoding: $0, as: UTF8.self) })
        }
        return pages
    }

    @Test("lines are only appended, after what another process left unfinished as well, and read in pages")
    func checkpoints() async throws {
        try await inFolder { folder in
            let path = folder + "/anchors"
            try CheckpointFile.append(["one", "two"], to: path)
            try CheckpointFile.append(["three"], to: path)
            let file = try #require(FileHandle(forWritingAtPath: path))
            try file.seekToEnd()
            try file.write(contentsOf: Data("torn".utf8))
            try file.close()
            try CheckpointFile.append(["four", "a line that is too long"], to: path)
            #expect(try await lines(path) == [["one", "two"], ["three", "torn"], ["four", "a line th"]])
            #expect(try await lines(path, page: 10).map(\.count) == [6])
            #expect(throws: CommandFailure.self) { try CheckpointFile.append(["x"], to: folder + "/nowhere/anchors") }
            await #expect(throws: CommandFailure.self) { try await lines(folder + "/nothing") }
        }
    }
}
