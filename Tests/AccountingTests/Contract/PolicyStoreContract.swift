import Accounting
import Testing

/// What every store of policy versions and of switches has to do. Each function is one item; the caller gives empty stores.
struct PolicyStoreContract {
    struct Process: Sendable {
        let versions: any PolicyVersions
        let switches: any ToolSwitches
    }

    let server: Process
    let other: Process

    static let items: [(name: String, run: @Sendable (PolicyStoreContract) async throws -> Void)] = [
        ("the first text of a version stays", { try await $0.firstStays() }),
        ("versions are listed from the newest to the oldest", { try await $0.list() }),
        ("a version of five megabytes is kept, and no more", { try await $0.size() }),
        ("a switch is seen by every server, and the last word counts", { try await $0.switches() }),
        ("there are so many switches and no more", { try await $0.full() }),
    ]

    private let now = ManualClock.monday

    func firstStays() async throws {
        try await server.versions.keep(version: "aa", files: #"{"a.cedar":"é '"}"#, at: now)
        try await other.versions.keep(version: "aa", files: "{}", at: now + Milliseconds(1))
        #expect(try await other.versions.files(of: "aa") == #"{"a.cedar":"é '"}"#)
        #expect(try await other.versions.versions(limit: 10) == [PolicyVersion(version: "aa", at: now)])
        #expect(try await other.versions.files(of: "ab") == nil)
        #expect(try await other.versions.files(of: "a\u{0}") == nil)
        await #expect(throws: PolicyStoreError.malformed("version")) { try await server.versions.keep(version: "a b", files: "", at: now) }
        await #expect(throws: PolicyStoreError.malformed("files")) { try await server.versions.keep(version: "a", files: "\u{0}", at: now) }
    }

    func list() async throws {
        for number in 0..<205 {
            try await server.versions.keep(version: "v\(1_000 + number)", files: "{}", at: now + Milliseconds(Int64(number / 2)))
        }
        let expected = (0..<205).reversed().map { "v\(1_000 + $0)" }
        #expect(try await other.versions.versions(limit: 1_000).map(\.version) == Array(expected.prefix(200)))
        #expect(try await other.versions.versions(limit: 0).map(\.version) == ["v1204"])
        #expect(try await other.versions.versions(of: .tools, limit: 10).isEmpty)
        try await server.versions.keep(version: PolicyVersionKind.toolsPrefix + "1", files: "{}", at: now)
        #expect(try await other.versions.versions(of: .tools, limit: 10).map(\.version) == ["tools-1"])
        #expect(try await other.versions.versions(limit: 1_000).map(\.version) == Array(expected.prefix(200)))
    }

    func size() async throws {
        let most = String(repeating: "é", count: PolicyStoreLimits.versionBytes / 2)
        try await server.versions.keep(version: "aa", files: most, at: now)
        #expect(try await other.versions.files(of: "aa")?.utf8.count == PolicyStoreLimits.versionBytes)
        await #expect(throws: PolicyStoreError.malformed("files")) {
            try await server.versions.keep(version: "ab", files: most + "x", at: now)
        }
    }

    func switches() async throws {
        #expect(try await server.switches.all().isEmpty)
        try await server.switches.set("refund", isOff: true, by: "key:k1", reason: "It's\nbroken", at: now)
        try await other.switches.set("mail", isOff: true, by: "operator", reason: "", at: now)
        try await other.switches.set("refund", isOff: false, by: "key:k2", reason: "mended", at: now - Milliseconds(5))
        #expect(
            try await server.switches.all() == [
                ToolSwitch(tool: "mail", isOff: true, by: "operator", reason: "", at: now),
                ToolSwitch(tool: "refund", isOff: false, by: "key:k2", reason: "mended", at: now - Milliseconds(5)),
            ])
        try await server.switches.set("refund", isOff: true, by: "k\u{0}", reason: String(repeating: "é", count: 600), at: now)
        let last = try #require(try await other.switches.all().last)
        #expect(last.isOff && last.by == "k\u{FFFD}" && last.reason.utf8.count == 1_024)
        for tool in ["", "a\u{0}", String(repeating: "t", count: 257)] {
            await #expect(throws: PolicyStoreError.malformed("tool")) {
                try await server.switches.set(tool, isOff: true, by: "", reason: "", at: now)
            }
        }
    }

    func full() async throws {
        guard let fill else { return }
        try await fill(PolicyStoreLimits.switches - 1)
        let answers = await withTaskGroup(of: Bool.self) { group in
            for number in 0..<6 {
                let process = number % 2 == 0 ? server : other
                group.addTask { (try? await process.switches.set("new\(number)", isOff: true, by: "", reason: "", at: now)) != nil }
            }
            return await group.reduce(into: 0) { $0 += $1 ? 1 : 0 }
        }
        #expect(answers == 1)
        await #expect(throws: PolicyStoreError.full) { try await server.switches.set("more", isOff: true, by: "", reason: "", at: now) }
        try await server.switches.set("f1", isOff: false, by: "", reason: "", at: now)
        #expect(try await other.switches.all().count == PolicyStoreLimits.switches)
    }

    /// Makes so many switches `f1`, `f2`, ….
    let fill: (@Sendable (Int) async throws -> Void)?
}
