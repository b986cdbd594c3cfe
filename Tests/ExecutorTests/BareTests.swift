import Glibc
import JSON
import Testing

@testable import Executor

extension SandboxTests {
    /// The level `basic`: no bubblewrap, and the host's own file system behind Landlock.
    @Suite(.serialized, .enabled(if: BareRig.isThere, "needs Landlock of version 6, and sandbox-init beside the tests"))
    struct BareTests {
        @Test("without bubblewrap: basic, with what is missing; not where more is asked for")
        func level() async throws {
            let folder = try TemporaryFolder()
            var settings = ReachRig.settings(folder)
            settings.bubblewrap = "/nowhere"
            let report = await Prober(settings).probe()
            #expect(report.level == .basic, "\(report.complaint)")
            #expect(report.probes.filter { !$0.passed }.map(\.name) == ["bubblewrap", "namespaces"], "\(report.complaint)")
            #expect(report.probes.contains { $0.name == "landlock" && $0.passed })
            #expect(SystemFiles.names(in: "\(folder.path)/sandboxes").isEmpty)
            for minimum in [IsolationLevel.full, .limited] {
                let refusal = await #expect(throws: SandboxRefusal.self) {
                    _ = try await SessionRig {
                        $0.bubblewrap = "/nowhere"
                        $0.minimum = minimum
                    }
                }
                guard case .belowMinimum(let found, minimum) = refusal else { Issue.record("\(String(describing: refusal))"); continue }
                #expect(found.level == .basic)
            }
        }

        @Test("user namespaces are refused: basic, and the probe says what the kernel said")
        func noNamespaces() async throws {
            let folder = try TemporaryFolder()
            var settings = ReachRig.settings(folder)
            settings.bubblewrap = "\(folder.path)/bwrap"
            let refusal = "#!/bin/sh\necho 'bwrap: setting up uid map: Permission denied' >&2\nexit 1\n"
            #expect(SystemFiles.create(settings.bubblewrap, Array(refusal.utf8), mode: 0o755) == nil)
            var report = await Prober(settings).probe()
            // A child that another test forks meanwhile holds the file open for writing until its own exec.
            for _ in 0..<10 where report.complaint.contains("Text file busy") { report = await Prober(settings).probe() }
            let failed = report.probes.filter { !$0.passed }
            #expect(report.level == .basic && failed.map(\.name) == ["namespaces"], "\(report.complaint)")
            #expect(failed.first?.found.contains("uid map") == true && failed.first?.fix?.contains("userns") == true)
        }

        @Test("a machine that has namespaces uses them, whatever the minimum is")
        func minimum() async throws {
            let rig = try await SessionRig { $0.minimum = .basic }
            #expect(rig.host.report?.level == .full)
            #expect(try await rig.run("import os\nos.getcwd()").value == "/w")
            await rig.close()
        }

        @Test("jobs: tools, modules of the library, files, artefacts, asyncio; and nothing of them is left")
        func jobs() async throws {
            let rig = try await SessionRig {
                $0.bubblewrap = "/nowhere"
                $0.minimum = .basic
            }
            let result = try await rig.run(
                """
                import asyncio, json, os, sqlite3, subprocess, sys, tempfile, zoneinfo
                from agent_tools import tools
                open("kept", "w").write("kept")
                with tempfile.TemporaryDirectory() as folder: open(folder + "/x", "w").write("x")
                async def main(): return await asyncio.gather(*(asyncio.to_thread(tools.echo, i=i) for i in range(2)))
                [asyncio.run(main()), sqlite3.connect("data.db").execute("select 6 * 7").fetchone()[0],
                 subprocess.run([sys.executable, "-I", "-S", "-c", "print(43)"], capture_output=True, text=True).stdout,
                 zoneinfo.ZoneInfo("Europe/Berlin").key, sorted(os.listdir())]
                """, tools: ["echo"])
            #expect(result.exit == .ok && result.level == .basic, "\(result.stderr.text)")
            #expect(result.value == [[["i": 0], ["i": 1]], 42, "43\n", "Europe/Berlin", ["data.db", "kept"]], "\(result.stderr.text)")
            #expect(result.artefacts.count == 2)
            let failed = try await rig.run("def f(): raise ValueError('no')\nf()")
            #expect(failed.exit == .error && failed.stderr.text.contains("line 1, in f"), "\(failed.stderr.text)")
            // A daemon that left its session is found by its cgroup or its uid; `close` looks.
            let left = try await rig.run(
                "import os, time\nif os.fork() == 0:\n    os.setsid()\n    if os.fork() == 0: time.sleep(60)\n    os._exit(0)\n1")
            #expect(left.exit == .ok, "\(left.stderr.text)")
            await rig.close()
        }

        @Test("without cgroups too: what a job leaves is found by its uid")
        func noCgroup() async throws {
            let rig = try await SessionRig {
                $0.bubblewrap = "/nowhere"
                $0.cgroups = "/nowhere"
                $0.minimum = .basic
                $0.limits.wall = .seconds(2)
            }
            #expect(rig.host.report?.level == .basic && rig.host.report?.cgroups == CgroupKind.none)
            let left = try await rig.run("import os, time\nif os.fork() == 0:\n    os.setsid()\n    time.sleep(60)\n1")
            #expect(left.exit == .ok && left.value == 1, "\(left.stderr.text)")
            #expect(try await rig.run("while True: pass").exit == .timeout)
            await rig.close()
        }

        @Test("the host's files, processes, devices and networks are refused")
        func reach() async throws {
            let folder = try TemporaryFolder()
            let secret = "\(folder.path)/secret"
            #expect(SystemFiles.create(secret, Array("secret".utf8), mode: 0o666) == nil)
            let rig = try ReachRig {
                $0.bubblewrap = "/nowhere"
                $0.minimum = .basic
            }
            rig.launcher.use(.bare)
            let found = try await rig.run(
                """
                import signal, socket
                for path in ("/etc/passwd", "\(secret)", "/proc/1/environ", "/proc/self/environ", "/dev/shm", "/tmp", "/", "..", "/dev/pts"):
                    print(attempt(lambda: os.open(path, os.O_RDONLY)))
                for path in ("/tmp/\(rig.launcher.owner.started)", "/dev/shm/x", "\(secret)", "/x", "../x"): print(attempt(lambda: open(path, "w")))
                print(attempt(lambda: os.execv("/bin/sh", ["sh"])), attempt(lambda: os.symlink("\(secret)", "link") or open("link")))
                print(attempt(lambda: os.rename("link", "\(folder.path)/link")), attempt(lambda: os.link("\(secret)", "hard")))
                print(attempt(lambda: os.kill(\(getpid()), 0)), attempt(lambda: os.kill(os.getpid(), 0)))
                print(attempt(socket.socket), attempt(lambda: socket.socket(40, socket.SOCK_STREAM)), attempt(socket.socketpair))
                print(attempt(lambda: call(\(Calls.unshare), 0x10000000)), attempt(lambda: call(\(Calls.ptrace), 16, \(getpid()), 0, 0)))
                print([number for number in range(64) if attempt(lambda: os.fstat(number)) == "done"], dict(os.environ).keys() - {"LC_CTYPE"})
                print(attempt(lambda: open("own", "w").write("x")), os.getuid() == os.getgid() > 1000, os.getgroups())
                """)
            let expected =
                (0..<9).map { _ in "EACCES" } + (0..<5).map { _ in "EACCES" } + [
                    "EACCES EACCES", "EXDEV EXDEV", "EPERM done", "EPERM EPERM EPERM", "EPERM EPERM", "[0, 1, 2, 3] set()",
                    "done True []",
                ]
            #expect(found.lines == expected, "\(found.err)")
            #expect(SystemFiles.text(secret) == "secret")
            await rig.shutdown()
            let strict = try ReachRig { $0.minimum = .limited }
            strict.launcher.use(.bare)
            let error = await #expect(throws: LaunchError.self) { _ = try await strict.launcher.launch() }
            #expect(error?.step == .isolation && error?.detail.contains("basic") == true)
            await strict.shutdown()
        }

        @Test(
            "the server is killed: its sandbox's interpreter dies with it, and a sweep finds what that left",
            arguments: ["/sys/fs/cgroup", "/nowhere"])
        func killedServer(_ cgroups: String) async throws {
            let rig = try ReachRig { $0.cgroups = cgroups }
            let settings = rig.launcher.settings
            let holder = try Holder(directory: settings.directory, arguments: ["basic", "bare", cgroups])
            let (id, uid) = try #require(await holder.started())
            let end = ContinuousClock.now + .seconds(10)
            // The interpreter, its child, and a daemon.
            while ProcessTable.processes(of: uid).count < 3, ContinuousClock.now < end { await Task.yield() }
            let early = await rig.launcher.sweep()
            #expect(early.folders == 0 && ProcessTable.processes(of: uid).count == 3, "\(early)")
            holder.kill()
            var theirs = settings
            theirs.slots = settings.directory + "-uids"
            theirs.uidBase = uid
            let sweeper = try Launcher(theirs, bootstrap: [])
            let report = await sweeper.sweep()
            #expect(report.folders == 2 && report.left.isEmpty, "\(report)")
            while ProcessTable.hasProcess(of: uid), ContinuousClock.now < end { await Task.yield() }
            ReachRig.expectNothing(of: id, uid: uid, settings: settings)
            await sweeper.shutdown()
            await rig.shutdown()
        }

        @Test("limits: memory and processes are the sandbox's own, and a loop ends at its time")
        func limits() async throws {
            let rig = try await SessionRig {
                $0.bubblewrap = "/nowhere"
                $0.minimum = .basic
                $0.limits.wall = .seconds(2)
                $0.limits.memory = 96 << 20
            }
            #expect(try await rig.run("while True: pass").exit == .timeout)
            #expect(try await rig.run("x = [b'x' * (1 << 20) for _ in range(500)]").exit == .outOfMemory)
            let forks = try await rig.run(
                """
                import os, time
                count = 0
                try:
                    while True:
                        if os.fork() == 0: time.sleep(60)
                        count += 1
                except OSError: pass
                count
                """)
            #expect(forks.value?.integerValue.map { $0 < 64 } == true, "\(forks.stderr.text)")
            await rig.close()
        }
    }
}

enum BareRig {
    static let isThere = ReachRig.hasLandlock && LandlockLayer.version >= BareCommand.oldestLandlock
}
