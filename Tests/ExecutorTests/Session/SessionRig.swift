import Glibc
import JSON
import Synchronization
import Testing

@testable import Executor

/// A host of sandboxes with uids, folders and limits of its own, and what must be true of the machine after it.
final class SessionRig: Sendable {
    /// Nobody else's sandboxes have these uids, not even those of the same tests in another process.
    private static let uids = Atomic<UInt32>(2_000_000_000 + UInt32(getpid()) % 16_384 * 8_192)

    let settings: SandboxSettings
    let host: SandboxHost
    let observer = CountingObserver()

    /// Short limits; a pool only if asked for.
    init(_ change: (inout SandboxSettings) -> Void = { _ in }) async throws {
        var template = Array("/tmp/kdcube-session-XXXXXX".utf8CString)
        let directory = String(cString: try #require(mkdtemp(&template)))
        chmod(directory, 0o711)
        var settings = SandboxSettings(directory: "\(directory)/sandboxes")
        settings.slots = "\(directory)/uids"
        settings.uidBase = Self.uids.add(64, ordering: .relaxed).oldValue
        settings.uidCount = 64
        settings.warm = 0
        settings.limits.wall = .seconds(8)
        settings.limits.memory = 192 << 20
        settings.limits.workNames = 512
        settings.limits.workBytes = 48 << 20
        change(&settings)
        self.settings = settings
        host = SandboxHost(settings, observer: observer)
        do { try await host.start() } catch {
            await close()
            throw error
        }
    }

    func run(
        _ code: String, inputs: JSONObject = JSONObject(), tools: [String] = [], _ handler: TestHandler = TestHandler()
    ) async throws
        -> SandboxResult
    {
        try await host.run(SandboxJob(code: code, inputs: inputs, tools: tools), handler: handler)
    }

    /// Stops the host; no process, mount, cgroup or folder of it is left then.
    func close() async {
        let launcher = host.launcher
        await host.shutdown()
        if let launcher { #expect(Machine.cgroups(of: launcher) == []) }
        let range = settings.uidBase..<settings.uidBase + settings.uidCount
        #expect(Machine.processes(of: range) == [])
        #expect(Machine.mounts(below: settings.directory) == [])
        #expect(Machine.names(in: settings.directory) == [])
        let directory = String(settings.directory.dropLast("/sandboxes".count))
        for name in Machine.names(in: settings.slots) { unlink("\(settings.slots)/\(name)") }
        for path in [settings.directory, settings.slots, directory] { rmdir(path) }
    }
}

/// Runs one piece of code in a host of its own.
func alone(
    _ code: String, _ change: (inout SandboxSettings) -> Void = { _ in }, _ handler: TestHandler = TestHandler()
) async throws -> SandboxResult {
    let rig = try await SessionRig(change)
    let result: SandboxResult
    do { result = try await rig.run(code, handler) } catch {
        await rig.close()
        throw error
    }
    await rig.close()
    return result
}

/// Answers every call with its arguments, unless told otherwise, and remembers what it was told.
final class TestHandler: SandboxJobHandler {
    struct Seen: Sendable {
        var calls: [SandboxCall] = []
        var refused: [RefusedCall] = []
        var texts: [(stream: SandboxStream, text: String)] = []
        var emitted: [(stream: String, data: JSONValue)] = []
    }

    private let state = Mutex(Seen())
    private let answer: @Sendable (SandboxCall) async -> SandboxReply
    private let heard: @Sendable (String) -> Void

    init(
        heard: @escaping @Sendable (String) -> Void = { _ in },
        answer: @escaping @Sendable (SandboxCall) async -> SandboxReply = { .value(.object($0.arguments)) }
    ) {
        self.answer = answer
        self.heard = heard
    }

    var seen: Seen { state.withLock { $0 } }

    func text(_ stream: SandboxStream) -> String { seen.texts.filter { $0.stream == stream }.map(\.text).joined() }

    func call(_ call: SandboxCall) async -> SandboxReply {
        state.withLock { $0.calls.append(call) }
        return await answer(call)
    }

    func refused(_ call: RefusedCall) { state.withLock { $0.refused.append(call) } }

    func output(_ stream: SandboxStream, _ text: String) {
        state.withLock { $0.texts.append((stream, text)) }
        heard(text)
    }

    func emitted(_ stream: String, _ data: JSONValue) { state.withLock { $0.emitted.append((stream, data)) } }
}

final class CountingObserver: SandboxObserver {
    struct Counts: Sendable {
        var warm = 0
        var cold = 0
        var killed: [SandboxExit] = []
        var reports: [IsolationReport] = []
        var undead = 0
    }

    private let state = Mutex(Counts())

    var counts: Counts { state.withLock { $0 } }

    func started(warm: Bool) { state.withLock { if warm { $0.warm += 1 } else { $0.cold += 1 } } }
    func killed(_ exit: SandboxExit) { state.withLock { $0.killed.append(exit) } }
    func probed(_ report: IsolationReport) { state.withLock { $0.reports.append(report) } }
    func undead(sandbox: String) { state.withLock { $0.undead += 1 } }
}

/// What the kernel says of this machine.
enum Machine {
    static func text(_ path: String) -> String {
        let file = open(path, O_RDONLY | O_CLOEXEC)
        guard file >= 0 else { return "" }
        defer { close(file) }
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 64 << 10)
        while true {
            let count = read(file, &chunk, chunk.count)
            guard count > 0 else { return String(decoding: bytes, as: UTF8.self) }
            bytes += chunk[..<count]
        }
    }

    static func names(in directory: String) -> [String] {
        guard let stream = opendir(directory) else { return [] }
        defer { closedir(stream) }
        var names: [String] = []
        while let entry = readdir(stream) {
            let name = withUnsafeBytes(of: &entry.pointee.d_name) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
            if name != ".", name != ".." { names.append(name) }
        }
        return names
    }

    /// Processes with such a uid that are not just waiting to be reaped.
    static func processes(of uids: Range<UInt32>) -> [String] {
        names(in: "/proc").filter { Int32($0) != nil }.filter { pid in
            let lines = text("/proc/\(pid)/status").split(separator: "\n")
            guard let line = lines.first(where: { $0.hasPrefix("Uid:") }), let uid = UInt32(line.split(separator: "\t")[1]) else {
                return false
            }
            return uids.contains(uid) && !lines.contains { $0.hasPrefix("State:\tZ") }
        }
    }

    static func mounts(below directory: String) -> [String] {
        text("/proc/self/mounts").split(separator: "\n").map(String.init).filter { $0.contains(" \(directory)/") }
    }

    /// Cgroups of the sandboxes of one launcher of this process.
    static func cgroups(of launcher: Int, below directory: String = "/sys/fs/cgroup") -> [String] {
        names(in: directory).flatMap { name -> [String] in
            let path = "\(directory)/\(name)"
            var status = stat()
            guard lstat(path, &status) == 0, status.st_mode & S_IFMT == S_IFDIR else { return [] }
            if let own = SandboxName(name), own.owner == .current(), own.launcher == launcher { return [path] }
            return cgroups(of: launcher, below: path)
        }
    }

    /// Bytes that this process had resident at most since `forgetPeak`.
    static var residentPeak: Int64 {
        let line = text("/proc/self/status").split(separator: "\n").first { $0.hasPrefix("VmHWM:") } ?? ""
        return (line.split(separator: " ").compactMap { Int64($0) }.first ?? 0) << 10
    }

    static func forgetPeak() {
        let file = open("/proc/self/clear_refs", O_WRONLY | O_CLOEXEC)
        write(file, "5", 1)
        close(file)
    }
}
