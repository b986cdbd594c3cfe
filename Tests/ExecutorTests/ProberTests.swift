import CLauncher
import Glibc
import Testing

@testable import Executor

extension SandboxTests {
    @Suite(.serialized)
    struct Probing {
        private func settings(_ folder: TemporaryFolder) -> SandboxSettings { ReachRig.settings(folder) }

        @Test("a machine that has all: full, every probe passes, nothing is left")
        func full() async throws {
            let folder = try TemporaryFolder()
            let report = await Prober(settings(folder)).probe()
            // Landlock is no part of the level: kernels without it have the test all the same.
            #expect(report.probes.allSatisfy { $0.passed || $0.name == "landlock" && !ReachRig.hasLandlock }, "\(report.complaint)")
            #expect(report.level == .full && report.cgroups != .none && report.probes.count >= 15)
            #expect(SystemFiles.names(in: "\(folder.path)/sandboxes").isEmpty)
        }

        @Test("41. bubblewrap is missing: no code is run, and the probe says what to install")
        func noBubblewrap() async throws {
            let folder = try TemporaryFolder()
            var settings = settings(folder)
            settings.bubblewrap = "\(folder.path)/bwrap"
            settings.initProgram = "/nowhere"
            let report = await Prober(settings).probe()
            #expect(report.level == .none)
            let probe = try #require(report.probes.first { !$0.passed })
            #expect(probe.name == "bubblewrap" && probe.fix?.contains("apt-get install bubblewrap") == true)
            let launcher = try Launcher(settings, bootstrap: ReachRig.bootstrap)
            await #expect(throws: LaunchError(.isolation, errno: ENOENT, settings.bubblewrap)) { _ = try await launcher.launch() }
            await launcher.shutdown()
        }

        @Test("41. no cgroup: limited, refused where full is asked, and memory is still capped")
        func noCgroup() async throws {
            let rig = try ReachRig {
                $0.cgroups = "/nowhere"
                $0.minimum = .limited
                $0.limits.memory = 128 << 20
            }
            let report = await Prober(rig.launcher.settings).probe()
            #expect(report.level == .limited && report.cgroups == .none, "\(report)")
            #expect(report.probes.filter { !$0.passed }.map(\.name).filter { $0 != "landlock" || ReachRig.hasLandlock } == ["cgroups"])
            #expect(report.complaint.contains("Delegate="))
            let found = try await rig.run("try:\n    b'x' * (1 << 28)\nexcept MemoryError:\n    print('refused')")
            #expect(found.lines == ["refused"], "\(found)")
            await rig.shutdown()
            let strict = try ReachRig { $0.cgroups = "/nowhere" }
            let error = await #expect(throws: LaunchError.self) { _ = try await strict.launcher.launch() }
            #expect(error?.step == .isolation && error?.detail.contains("/nowhere") == true)
            await strict.shutdown()
        }

        @Test("41. cgroups that are read-only: limited, and the probe says which file")
        func readOnlyCgroups() async throws {
            let folder = try TemporaryFolder()
            let root = "\(folder.path)/cgroups"
            try #require(SystemFiles.makeDirectory(root, mode: 0o755) == nil)
            let mounts = (SystemFiles.text("/proc/self/mountinfo") ?? "").split(separator: "\n").compactMap { line -> String? in
                guard line.contains(" - cgroup "), line.contains("memory") || line.contains("pids") || line.contains("cpu") else {
                    return line.contains(" - cgroup2 ") ? line.split(separator: " ").dropFirst(4).first.map(String.init) : nil
                }
                return line.split(separator: " ").dropFirst(4).first.map(String.init)
            }
            var made: [String] = []
            defer {
                for path in made { _ = claunch_unmount(path) }
                withExtendedLifetime(folder) {}
            }
            let (readOnly, remount, bind): (UInt, UInt, UInt) = (1, 32, 4_096)
            for (index, source) in mounts.enumerated() {
                let target = "\(root)/\(index)"
                try #require(mkdir(target, 0o755) == 0 && mount(source, target, nil, bind, nil) == 0)
                made.append(target)
                try #require(mount(nil, target, nil, bind | remount | readOnly, nil) == 0)
            }
            var settings = settings(folder)
            settings.cgroups = root
            let report = await Prober(settings).probe()
            #expect(report.level == .limited && report.cgroups == .none, "\(report)")
            #expect(report.complaint.contains("cannot be written (Read-only file system)"), "\(report.complaint)")
        }

        @Test("41. user namespaces are refused: no code is run, and the probe names the sysctl")
        func noNamespaces() async throws {
            let folder = try TemporaryFolder()
            var settings = settings(folder)
            settings.bubblewrap = "\(folder.path)/bwrap"
            settings.initProgram = "/nowhere"
            let refusal = "#!/bin/sh\necho 'bwrap: setting up uid map: Permission denied' >&2\nexit 1\n"
            #expect(SystemFiles.create(settings.bubblewrap, Array(refusal.utf8), mode: 0o755) == nil)
            var report = await Prober(settings).probe()
            // A child that another test forks meanwhile holds the file open for writing until its own exec.
            for _ in 0..<10 where report.complaint.contains("Text file busy") { report = await Prober(settings).probe() }
            #expect(report.level == .none)
            let probe = try #require(report.probes.first { !$0.passed })
            #expect(probe.name == "start" && probe.found.contains("uid map"), "\(report)")
            #expect(probe.fix?.contains("kernel.apparmor_restrict_unprivileged_userns=0") == true)
            #expect(probe.fix?.contains("kernel.unprivileged_userns_clone=1") == true)
        }

        @Test("41. a directory that other users cannot pass through is refused by name")
        func closedDirectory() async throws {
            let rig = try ReachRig()
            let closed = "\(rig.folder.path)/closed"
            #expect(SystemFiles.makeDirectory(closed, mode: 0o700) == nil)
            let report = await Prober(SandboxSettings(directory: "\(closed)/sandboxes")).probe()
            #expect(report.level == .none && report.complaint.contains("\(closed) is closed to other users"), "\(report.complaint)")
            await rig.shutdown()
        }

        @Test(
            "41. a server that is not root: limited, with what to do about it",
            .enabled(if: Holder.isOpenToOthers, "needs setpriv, and a build folder that other users may pass through"))
        func notRoot() async throws {
            let folder = try TemporaryFolder()
            let uid: UInt32 = 65_534
            let home = "\(folder.path)/home"
            #expect(SystemFiles.makeDirectory(home, mode: 0o755) == nil)
            #expect(chown(home, uid, uid) == 0)
            let holder = try Holder(directory: "\(home)/sandboxes", arguments: ["limited", "probe"], uid: uid)
            let lines = await holder.text(untilEnd: true).split(separator: "\n")
            holder.kill()
            #expect(lines.first == "limited", "\(lines)")
            #expect(lines.contains { $0.hasPrefix("private_uid") && $0.contains("run the server as root") }, "\(lines)")
            #expect(SystemFiles.names(in: "\(home)/sandboxes").isEmpty)
        }
    }
}
