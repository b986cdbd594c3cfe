import CLauncher
import Glibc
import Testing

@testable import Executor

/// A folder that is gone afterwards, open to other users for passing through.
final class TemporaryFolder: Sendable {
    let path: String

    init() throws {
        var template = Array("/tmp/kdcube-tests-XXXXXX".utf8CString)
        path = try #require(mkdtemp(&template).map { String(cString: $0) })
        chmod(path, 0o711)
    }

    deinit { _ = claunch_remove_tree(path) }
}

/// Launches sandboxes whose interpreter runs the one frame it gets, and tells what they said and how they ended.
struct ReachRig: Sendable {
    struct Found: Sendable {
        var out = ""
        var err = ""
        var remains: SandboxRemains?

        var lines: [String] { out.split(separator: "\n").map(String.init) }
    }

    static let machine: Bool = geteuid() == 0 && access("/usr/bin/bwrap", X_OK) == 0 && access("/usr/bin/python3", X_OK) == 0
    static let hasLandlock: Bool = LandlockLayer.find(SandboxSettings(directory: "/")).isUsed
    static let reason: Comment = "needs root, /usr/bin/bwrap and /usr/bin/python3"

    /// Reads one frame and runs it as Python, with the helpers of every test.
    static let bootstrap = Array(
        """
        import os, errno, sys
        def exactly(count):
            found = b""
            while len(found) < count:
                part = os.read(3, count - len(found))
                if not part:
                    os._exit(3)
                found += part
            return found
        def attempt(action):
            try:
                action()
            except OSError as error:
                return errno.errorcode.get(error.errno, str(error.errno))
            return "done"
        def call(number, *arguments):
            import ctypes
            library = ctypes.CDLL(None, use_errno=True)
            if library.syscall(ctypes.c_long(number), *(ctypes.c_long(value) for value in arguments)) < 0:
                raise OSError(ctypes.get_errno(), "call")
        code = exactly(int.from_bytes(exactly(4), "big")).decode()
        exec(compile(code, "<code>", "exec"), {"attempt": attempt, "call": call, "os": os, "sys": sys})
        """.utf8)

    let folder: TemporaryFolder
    let launcher: Launcher

    init(_ change: (inout SandboxSettings) -> Void = { _ in }) throws {
        folder = try TemporaryFolder()
        var settings = Self.settings(folder)
        settings.limits.memory = 192 << 20
        change(&settings)
        launcher = try Launcher(settings, bootstrap: Self.bootstrap)
    }

    /// With uids of this process alone, so that no other's sandbox is taken for what one of ours left.
    static func settings(_ folder: TemporaryFolder) -> SandboxSettings {
        var settings = SandboxSettings(directory: "\(folder.path)/sandboxes")
        settings.slots = "\(folder.path)/uids"
        settings.uidCount = 16
        settings.uidBase = 1_910_000_000 + UInt32(getpid()) % 1_000_000 * settings.uidCount
        return settings
    }

    static func send(_ code: String, to sandbox: LaunchedSandbox) {
        let bytes = Array(code.utf8)
        let frame = withUnsafeBytes(of: UInt32(bytes.count).bigEndian) { Array($0) } + bytes
        _ = write(sandbox.channel, frame, frame.count)
    }

    /// Reads both pipes until they end; they do when every process of the sandbox has.
    static func read(_ sandbox: LaunchedSandbox) async -> Found {
        await Lane(threads: 1).run {
            var texts: [[UInt8]] = [[], []]
            var open = [true, true]
            var chunk = [UInt8](repeating: 0, count: 65_536)
            let end = ContinuousClock.now + .seconds(30)
            while open.contains(true), ContinuousClock.now < end {
                var ready: [UInt8] = [0, 0]
                _ = claunch_poll([open[0] ? sandbox.stdout : -1, open[1] ? sandbox.stderr : -1], 2, &ready, 1_000)
                for (index, descriptor) in [sandbox.stdout, sandbox.stderr].enumerated() where ready[index] != 0 {
                    let count = Glibc.read(descriptor, &chunk, chunk.count)
                    if count > 0 { texts[index] += chunk[..<count] } else if count == 0 { open[index] = false }
                }
            }
            return Found(out: String(decoding: texts[0], as: UTF8.self), err: String(decoding: texts[1], as: UTF8.self))
        }
    }

    /// Runs the code to its end, clears away, and expects that nothing is left.
    func run(_ code: String) async throws -> Found {
        let sandbox = try await launcher.launch()
        Self.send(code, to: sandbox)
        var found = await Self.read(sandbox)
        _ = await launcher.exited(sandbox)
        found.remains = await launcher.kill(sandbox)
        await end(sandbox)
        return found
    }

    /// Removes a sandbox and expects that nothing of it is left.
    func end(_ sandbox: LaunchedSandbox) async {
        await launcher.remove(sandbox)
        for descriptor in [sandbox.channel, sandbox.stdout, sandbox.stderr] { close(descriptor) }
        Self.expectNothing(of: sandbox.id, uid: sandbox.uid, settings: launcher.settings)
    }

    static func expectNothing(of id: String, uid: UInt32, settings: SandboxSettings) {
        #expect(!ProcessTable.hasProcess(of: uid), "a process is left")
        #expect(SystemFiles.text("/proc/self/mountinfo")?.contains(id) == false, "a mount is left")
        #expect(!SystemFiles.exists("\(settings.directory)/\(id)"), "a folder is left")
        let parents = Cgroups.detect(root: settings.cgroups).parents.values
        #expect(!parents.contains { SystemFiles.exists("\($0)/\(id)") }, "a cgroup is left")
    }

    func shutdown() async { await launcher.shutdown() }
}
