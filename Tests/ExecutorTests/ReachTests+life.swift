import CLauncher
import Glibc
import Testing

@testable import Executor

extension SandboxTests {
    /// How sandboxes end, and what is left of them.
    @Suite(.serialized)
    struct Life {
        @Test("21. a fork bomb: EAGAIN at the limit, and every process dies with the sandbox")
        func forkBomb() async throws {
            let rig = try ReachRig { $0.limits.processes = 20 }
            let found = try await rig.run(
                """
                import time
                count = 1
                try:
                    while count < 100:
                        if os.fork() == 0:
                            time.sleep(60)
                        count += 1
                except OSError as error:
                    print(error.errno, count)
                """)
            #expect(found.lines == ["11 20"], "\(found)")
            await rig.shutdown()
        }

        @Test("23. memory beyond the limit: killed by the kernel, and known as that")
        func memory() async throws {
            let rig = try ReachRig { $0.limits.memory = 64 << 20 }
            let found = try await rig.run("print(1, flush=True)\nblocks = [b'x' * (1 << 20) for _ in range(1 << 14)]\nprint(2)")
            #expect(found.out == "1\n" && found.remains?.wasOutOfMemory == true && found.remains?.status == .exited(137), "\(found)")
            #expect(found.remains?.memoryPeak.map { $0 <= 64 << 20 } ?? true)
            let plain = try await rig.run("sys.exit(7)")
            #expect(plain.remains?.wasOutOfMemory == false && plain.remains?.status == .exited(7), "\(plain)")
            await rig.shutdown()
        }

        @Test("24, 25, 26. a loop that ignores every signal, and a daemon of it, die by kill; a second kill finds the same")
        func kill() async throws {
            let rig = try ReachRig()
            let sandbox = try await rig.launcher.launch()
            ReachRig.send(
                """
                import signal
                for number in range(1, 32):
                    if number not in (signal.SIGKILL, signal.SIGSTOP):
                        signal.signal(number, signal.SIG_IGN)
                if os.fork() == 0:
                    os.setsid()
                    if os.fork() != 0:
                        os._exit(0)
                print("up", flush=True)
                while True:
                    pass
                """, to: sandbox)
            _ = await Lane(threads: 1).run { [stdout = sandbox.stdout] in
                var ready: UInt8 = 0
                return claunch_poll([stdout], 1, &ready, 20_000)
            }
            let used = rig.launcher.cpuNanoseconds(sandbox)
            #expect((used ?? 0) > 0)
            async let status = rig.launcher.exited(sandbox)
            let start = ContinuousClock.now
            let remains = await rig.launcher.kill(sandbox)
            #expect(ContinuousClock.now - start < .seconds(5))
            #expect(!remains.isUndead && remains.status == .signalled(SIGKILL))
            #expect(await status == .signalled(SIGKILL))
            #expect(await rig.launcher.kill(sandbox) == remains)
            await rig.end(sandbox)
            await rig.shutdown()
        }

        @Test("40. the server is killed: no process of its sandbox is left after a second, and a sweep clears the rest away")
        func killedServer() async throws {
            let rig = try ReachRig()
            let holder = try Holder(directory: rig.launcher.settings.directory)
            let (id, uid) = try #require(await holder.started())
            #expect(ProcessTable.hasProcess(of: uid))
            // A live server's sandbox is no sweep's.
            let early = await rig.launcher.sweep()
            #expect(early.folders == 0 && ProcessTable.hasProcess(of: uid), "\(early)")
            #expect(SystemFiles.exists("\(rig.launcher.settings.directory)/\(id)"))
            holder.kill()
            // A second, and more for a machine that stands still meanwhile.
            let end = ContinuousClock.now + .seconds(3)
            while ProcessTable.hasProcess(of: uid), ContinuousClock.now < end { await Task.yield() }
            #expect(!ProcessTable.hasProcess(of: uid))
            let report = await rig.launcher.sweep()
            // Its cgroup may have been another server's to sweep: they are the machine's.
            #expect(report.folders == 2 && report.left.isEmpty, "\(report)")
            ReachRig.expectNothing(of: id, uid: uid, settings: rig.launcher.settings)
            await rig.shutdown()
        }

        @Test("42. a sandbox neither sees nor signals another, and sees nothing of its files")
        func others() async throws {
            let rig = try ReachRig()
            let other = try await rig.launcher.launch()
            #expect(SystemFiles.create("\(other.work)/secret", [1], mode: 0o644) == nil)
            let found = try await rig.run(
                """
                print(os.listdir("/w"), attempt(lambda: os.kill(\(other.pid), 0)), attempt(lambda: os.stat("\(other.work)")))
                print(os.getuid())
                """)
            #expect(found.lines.first == "[] ESRCH ENOENT", "\(found)")
            #expect(found.lines.last != "\(other.uid)")
            await rig.end(other)
            await rig.shutdown()
        }

        @Test("as many sandboxes as the setting says, and shutdown ends them all")
        func most() async throws {
            let rig = try ReachRig { $0.most = 2 }
            let sandboxes = [try await rig.launcher.launch(), try await rig.launcher.launch()]
            #expect(Set(sandboxes.map(\.uid)).count == 2)
            await #expect(throws: LaunchError.self) { _ = try await rig.launcher.launch() }
            await rig.shutdown()
            for sandbox in sandboxes {
                for descriptor in [sandbox.channel, sandbox.stdout, sandbox.stderr] { close(descriptor) }
                ReachRig.expectNothing(of: sandbox.id, uid: sandbox.uid, settings: rig.launcher.settings)
            }
            #expect(SystemFiles.names(in: rig.launcher.settings.directory).isEmpty)
            await #expect(throws: LaunchError.self) { _ = try await rig.launcher.launch() }
        }

        @Test("many at once: each has its own uid, and no descriptor, process or mount is left afterwards")
        func many() async throws {
            let rig = try ReachRig()
            // What is opened once and stays, such as the lane's own, is there after the first.
            _ = try await rig.run("pass")
            let before = SystemFiles.names(in: "/proc/self/fd").count
            for _ in 0..<2 {
                let sandboxes = try await withThrowingTaskGroup(of: LaunchedSandbox.self) { group in
                    for _ in 0..<12 { group.addTask { try await rig.launcher.launch() } }
                    return try await group.reduce(into: []) { $0.append($1) }
                }
                #expect(Set(sandboxes.map(\.uid)).count == 12 && Set(sandboxes.map(\.id)).count == 12)
                await withTaskGroup(of: Void.self) { group in
                    for sandbox in sandboxes { group.addTask { await rig.end(sandbox) } }
                }
            }
            // Other tests open and close a few meanwhile.
            #expect(SystemFiles.names(in: "/proc/self/fd").count < before + 12)
            await rig.shutdown()
        }

        @Test("a step that fails is named, and undoes the launch")
        func undone() async throws {
            let folder = try TemporaryFolder()
            let program = "\(folder.path)/program"
            // Executable, but nothing that the kernel knows.
            #expect(SystemFiles.create(program, [0, 1, 2], mode: 0o755) == nil)
            let rig = try ReachRig { $0.bubblewrap = program }
            let error = await #expect(throws: LaunchError.self) { _ = try await rig.launcher.launch() }
            #expect(
                error?.step == .exec && (error?.errno == ENOEXEC || error?.errno == ETXTBSY) && error?.detail == program,
                "\(String(describing: error))")
            let name = SandboxName(owner: .current(), launcher: rig.launcher.launcher, number: 1).description
            ReachRig.expectNothing(of: name, uid: rig.launcher.settings.uidBase, settings: rig.launcher.settings)
            #expect(try rig.launcher.slots.take() == rig.launcher.settings.uidBase)
            await rig.shutdown()
        }

        @Test("an interpreter's files that were taken away are looked for again")
        func ground() async throws {
            let rig = try ReachRig()
            #expect(try await rig.run("print(1)").lines == ["1"])
            unlink("\(rig.launcher.home)/bootstrap.py")
            #expect(try await rig.run("print(2)").lines == ["2"])
            await rig.shutdown()
        }

        @Test("the ordinary library works: threads, subprocesses, databases, compression, random numbers, zones, temporary files")
        func library() async throws {
            let rig = try ReachRig()
            let found = try await rig.run(
                """
                import sqlite3, ssl, zoneinfo, subprocess, threading, tempfile, gzip, lzma, bz2, hashlib, secrets, decimal, datetime, csv, io
                import concurrent.futures, multiprocessing, uuid, re, json, statistics, shutil, pathlib, time, select, signal, ctypes
                print(sqlite3.connect("/w/data.db").execute("select 6 * 7").fetchone()[0])
                print(subprocess.run([sys.executable, "-I", "-S", "-c", "print(43)"], capture_output=True, text=True).stdout.strip())
                with concurrent.futures.ThreadPoolExecutor(8) as pool:
                    print(sum(pool.map(lambda value: value * value, range(10))))
                print(datetime.datetime(2024, 7, 1, tzinfo=zoneinfo.ZoneInfo("Europe/Berlin")).utcoffset())
                with tempfile.TemporaryDirectory() as folder:
                    print(gzip.decompress(gzip.compress(b"a")), lzma.decompress(lzma.compress(b"b")), bz2.decompress(bz2.compress(b"c")))
                queue = multiprocessing.get_context("fork").SimpleQueue()
                child = multiprocessing.get_context("fork").Process(target=lambda: queue.put(44))
                child.start()
                print(queue.get())
                child.join()
                print(len(secrets.token_bytes(8)), uuid.uuid4().version, os.cpu_count() > 0, time.monotonic() > 0)
                """)
            #expect(found.lines == ["42", "43", "285", "2:00:00", "b'a' b'b' b'c'", "44", "8 4 True True"], "\(found.err)")
            await rig.shutdown()
        }

        @Test("files of /w are the host's to read after the death")
        func artefacts() async throws {
            let rig = try ReachRig()
            let sandbox = try await rig.launcher.launch()
            ReachRig.send("open('/w/kept', 'w').write('kept')", to: sandbox)
            _ = await rig.launcher.exited(sandbox)
            _ = await rig.launcher.kill(sandbox)
            #expect(SystemFiles.text("\(sandbox.work)/kept") == "kept")
            await rig.end(sandbox)
            await rig.shutdown()
        }
    }
}

/// Another process that holds a sandbox: Tests/SandboxHolder.
final class Holder: Sendable {
    private let pid: pid_t
    private let out: Int32

    /// - Parameters:
    ///   - arguments: after the folder.
    ///   - uid: run it as this user, which needs util-linux's setpriv.
    init(directory: String, arguments: [String] = [], uid: UInt32? = nil) throws {
        let ends = try LaunchEnds()
        let holder = try #require(Self.program())
        let words =
            (uid.map { [Self.changer, "--reuid", "\($0)", "--regid", "\($0)", "--clear-groups"] } ?? []) + [holder, directory] + arguments
        let program = words[0]
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_adddup2(&actions, ends.outInside, 1)
        var arguments: [UnsafeMutablePointer<CChar>?] = words.map { strdup($0) } + [nil]
        var environment: [UnsafeMutablePointer<CChar>?] = [nil]
        defer { for argument in arguments { free(argument) } }
        var pid: pid_t = 0
        let code = posix_spawn(&pid, program, &actions, nil, &arguments, &environment)
        ends.closeInside()
        close(ends.channel)
        close(ends.err)
        try #require(code == 0)
        self.pid = pid
        out = ends.out
    }

    static let changer = "/usr/bin/setpriv"

    /// Whether any user may run the program where it lies.
    static var isOpenToOthers: Bool {
        guard access(changer, X_OK) == 0, let program = program() else { return false }
        var path = ""
        return program.split(separator: "/").allSatisfy { part in
            path += "/\(part)"
            var facts = stat()
            return stat(path, &facts) == 0 && facts.st_mode & 0o001 != 0
        }
    }

    /// Beside the test bundle, as every product of a build is.
    private static func program() -> String? {
        var candidates: [String] = []
        for argument in CommandLine.arguments + [SystemFiles.resolved("/proc/self/exe") ?? ""] {
            if let end = argument.lastIndex(of: "/") { candidates.append("\(argument[..<end])/sandbox-holder") }
        }
        return (candidates + [".build/debug/sandbox-holder"]).first { access($0, X_OK) == 0 }.flatMap(SystemFiles.resolved)
    }

    func started() async -> (String, UInt32)? {
        let words = await text(untilEnd: false).split { $0 == " " || $0 == "\n" }
        guard words.count == 2, let uid = UInt32(words[1]) else { return nil }
        return (String(words[0]), uid)
    }

    /// What it says: one piece, or all.
    func text(untilEnd: Bool) async -> String {
        let out = out
        return await Lane(threads: 1).run { () -> String in
            var text: [UInt8] = []
            var bytes = [UInt8](repeating: 0, count: 4_096)
            let end = ContinuousClock.now + .seconds(40)
            while ContinuousClock.now < end {
                var ready: UInt8 = 0
                guard claunch_poll([out], 1, &ready, 1_000) == 1 else { continue }
                let count = read(out, &bytes, bytes.count)
                text += bytes[..<max(0, count)]
                if count <= 0 || !untilEnd { break }
            }
            return String(decoding: text, as: UTF8.self)
        }
    }

    func kill() {
        Glibc.kill(pid, SIGKILL)
        waitpid(pid, nil, 0)
        close(out)
    }
}
