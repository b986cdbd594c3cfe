import CLauncher
import Glibc
import Testing

@testable import Executor

extension SandboxTests {
    /// The second wall, where this machine has it (Launch/LandlockLayer.swift).
    @Suite(.serialized, .enabled(if: ReachRig.hasLandlock, "needs a kernel with Landlock, and sandbox-init beside the tests"))
    struct LandlockTests {
        /// A launcher with a mistake: it also binds a folder of the host, for reading and writing.
        private static func careless(_ change: (inout SandboxSettings) -> Void = { _ in }) throws -> ReachRig {
            let rig = try ReachRig {
                change(&$0)
                $0.bubblewrap = "\($0.directory)-bwrap"
            }
            let folder = "\(rig.folder.path)/host"
            #expect(SystemFiles.makeDirectory(folder, mode: 0o777) == nil)
            #expect(SystemFiles.create("\(folder)/secret", Array("secret".utf8), mode: 0o666) == nil)
            let script = "#!/bin/sh\nexec /usr/bin/bwrap --bind \(folder) /host \"$@\"\n"
            #expect(SystemFiles.create(rig.launcher.settings.bubblewrap, Array(script.utf8), mode: 0o755) == nil)
            return rig
        }

        private static let reach = """
            print(attempt(lambda: open("/host/secret").read()))
            print(attempt(lambda: open("/host/secret", "r+").write("changed")))
            print(attempt(lambda: open("/host/new", "w")))
            print(attempt(lambda: os.listdir("/host")))
            print(attempt(lambda: os.unlink("/host/secret")))
            print(attempt(lambda: os.rename("/host/secret", "/w/secret")))
            print(attempt(lambda: os.truncate("/host/secret", 0)))
            print(attempt(lambda: os.mkdir("/host/folder")))
            print(attempt(lambda: os.symlink("/host/secret", "/w/link") or open("/w/link").read()))
            """

        @Test("a folder that is bound by mistake is closed: EACCES, and the host's files stay")
        func mistake() async throws {
            let rig = try Self.careless()
            let found = try await rig.run(Self.reach)
            // Another mount is EXDEV before anybody is asked.
            #expect(found.lines == (0..<9).map { $0 == 5 ? "EXDEV" : "EACCES" }, "\(found)")
            #expect(SystemFiles.text("\(rig.folder.path)/host/secret") == "secret")
            #expect(SystemFiles.names(in: "\(rig.folder.path)/host") == ["secret"])
            await rig.shutdown()
        }

        @Test("without the program the same mistake would be a way out; the probe says what is missing, and the level stays")
        func missing() async throws {
            let rig = try Self.careless { $0.initProgram = "\($0.directory)/nowhere" }
            let found = try await rig.run(Self.reach)
            #expect(found.lines.prefix(2) == ["done", "done"], "\(found)")
            let report = await Prober(rig.launcher.settings).probe()
            #expect(report.level == .full && report.landlockABI >= LandlockLayer.oldest)
            let failed = report.probes.filter { !$0.passed }
            #expect(failed.map(\.name) == ["landlock"] && failed.first?.found.contains("nowhere: No such file") == true, "\(failed)")
            await rig.shutdown()
        }

        @Test("a program that others may write is not used")
        func writable() throws {
            let folder = try TemporaryFolder()
            var settings = ReachRig.settings(folder)
            let path = try #require(LandlockLayer.path(settings))
            settings.initProgram = "\(folder.path)/init"
            #expect(SystemFiles.create("\(folder.path)/init", try SystemFiles.bytes(path).get(), mode: 0o777) == nil)
            #expect(LandlockLayer.find(settings) == .absent("\(folder.path)/init can be written by others than its owner"))
            chmod("\(folder.path)/init", 0o755)
            #expect(LandlockLayer.find(settings).isUsed)
        }

        @Test("what is the sandbox's stays usable: files, moves, devices, terminals, its program; nothing that was written is executed")
        func usable() async throws {
            let rig = try ReachRig()
            let found = try await rig.run(
                """
                import pty, shutil, subprocess
                os.makedirs("/w/a/b"); open("/w/a/f", "w").write("text")
                os.rename("/w/a/f", "/w/a/b/g"); shutil.copyfile("/w/a/b/g", "/tmp/g"); shutil.rmtree("/w/a")
                print(open("/tmp/g").read(), os.listdir("/w"))
                for name in ("null", "zero", "full", "random", "urandom"): open(f"/dev/{name}", "rb", 0).read(1)
                open("/dev/null", "w").write("x")
                one, other = pty.openpty()
                os.write(other, b"pty"); print(os.read(one, 3))
                print(subprocess.run([sys.executable, "-I", "-S", "-c", "print(1)"], capture_output=True, text=True).stdout.strip())
                for place in ("/w", "/tmp", "/dev/shm"):
                    shutil.copy(sys.executable, f"{place}/python"); os.chmod(f"{place}/python", 0o755)
                    print(attempt(lambda: os.execv(f"{place}/python", ["python"])))
                print(attempt(lambda: os.execv("/boot/sandbox-init", ["sandbox-init"])))
                print(attempt(lambda: os.kill(1, 0)), attempt(lambda: os.kill(os.getpid(), 0)))
                """)
            #expect(
                found.lines == ["text []", "b'pty'", "1", "EACCES", "EACCES", "EACCES", "EACCES", "EPERM done"], "\(found)")
            await rig.shutdown()
        }

        @Test("a step that fails inside ends the sandbox before any code, by its name")
        func failing() async throws {
            let folder = try TemporaryFolder()
            let program = try #require(LandlockLayer.path(ReachRig.settings(folder)))
            for (arguments, code) in [
                ([], 90), (["x", "/usr", "q", "/usr", "--", "/bin/true"], 90), (["x", "/nowhere", "--", "/bin/true"], 93),
                (["x", "/usr", "--", "/bin/nowhere"], 97), (["x", "/usr", "--"], 90), (["r", "/", "--", "/bin/true"], 96),
            ] as [([String], Int32)] {
                let ends = try LaunchEnds()
                let request = SpawnRequest(
                    path: program, arguments: [program] + arguments, descriptors: [ends.nothing, ends.outInside, ends.errInside])
                // The child dies with the thread that started it.
                let status = try await Lane(threads: 1).run {
                    Result { () throws(LaunchError) -> Int32 in
                        let spawned = try request.run()
                        close(spawned.pidfd)
                        var status: Int32 = 0
                        waitpid(spawned.pid, &status, 0)
                        return status
                    }
                }.get()
                ends.closeInside()
                #expect(status == code << 8, "\(arguments)")
                var bytes = [UInt8](repeating: 0, count: 4_096)
                let said = String(decoding: bytes[..<max(0, read(ends.err, &bytes, bytes.count))], as: UTF8.self)
                let error = LandlockLayer.failure(.exited(status >> 8), "left before its hello: \(said)")
                #expect(error?.step == .landlock && error?.detail.contains(": ") == true, "\(said)")
                for descriptor in [ends.channel, ends.out, ends.err] { close(descriptor) }
            }
            #expect(LandlockLayer.failure(.exited(1), "sandbox-init: x") == nil && LandlockLayer.failure(.signalled(9), "") == nil)
        }
    }
}
