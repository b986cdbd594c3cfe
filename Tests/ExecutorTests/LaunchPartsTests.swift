import CLauncher
import Glibc
import Testing

@testable import Executor

/// The parts of a launch that decide without a sandbox.
@Suite struct LaunchPartsTests {
    @Test("the filter's words are what scripts/seccomp.py writes", .enabled(if: access("/usr/bin/python3", X_OK) == 0, "needs python3"))
    func filter() async throws {
        let parts = #filePath.split(separator: "/").dropLast(3)
        let script = "/\(parts.joined(separator: "/"))/scripts/seccomp.py"
        let ends = try LaunchEnds()
        let process = try SpawnRequest(
            path: "/usr/bin/python3", arguments: ["/usr/bin/python3", "-I", "-S", "-B", script, "--check"],
            descriptors: [ends.nothing, ends.outInside, 2]
        ).run()
        let status = await Lane(threads: 1).run {
            var status: Int32 = -1
            waitpid(process.pid, &status, 0)
            return status
        }
        close(process.pidfd)
        ends.closeAll()
        #expect(status == 0, "run scripts/seccomp.py")
        #expect(SeccompFilter.program.count == SeccompFilter.words.count * 8)
    }

    @Test("a name tells its owner and comes back from text; others do not")
    func names() {
        let name = SandboxName(owner: .current(), launcher: 3, number: 7)
        #expect(SandboxName(name.description) == name)
        #expect(name.owner.isAlive())
        let dead = SandboxName.Owner(namespace: name.owner.namespace, pid: name.owner.pid, started: name.owner.started &+ 1)
        #expect(!dead.isAlive())
        // Of another pid namespace nothing can be said.
        #expect(SandboxName.Owner(namespace: 1, pid: 1, started: 1).isAlive())
        for text in ["", "kdcube-sandbox-", "kdcube-sandbox-1-2-3-4", "kdcube-sandbox-1-02-3-4-5", "kdcube-sandbox-1-2-3-4-5-6", "other"] {
            #expect(SandboxName(text) == nil)
        }
    }

    @Test("the layout of cgroups is read from mounts and membership")
    func layout() {
        let hybrid = CgroupLayout(
            mounts: """
                30 1 0:26 / /sys/fs/cgroup rw shared:4 - tmpfs tmpfs rw
                31 30 0:27 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory
                32 30 0:28 /own /sys/fs/cgroup/pids rw - cgroup cgroup rw,pids
                33 30 0:29 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct
                34 30 0:30 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw
                """, membership: "4:memory:/a/b\n3:pids:/own/c\n2:cpu,cpuacct:/\n0::/x\n", root: "/sys/fs/cgroup")
        #expect(
            hybrid.controllers == [
                "memory": "/sys/fs/cgroup/memory/a/b", "pids": "/sys/fs/cgroup/pids/c", "cpu": "/sys/fs/cgroup/cpu,cpuacct",
                "cpuacct": "/sys/fs/cgroup/cpu,cpuacct",
            ])
        #expect(hybrid.unified == "/sys/fs/cgroup/unified/x")
        let unified = CgroupLayout(
            mounts: "30 1 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup rw", membership: "0::/system.slice/kdcube.service\n",
            root: "/sys/fs/cgroup")
        #expect(unified.unified == "/sys/fs/cgroup/system.slice/kdcube.service" && unified.controllers.isEmpty)
        let none = CgroupLayout(mounts: "30 1 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup rw", membership: "0::/\n", root: "/sys/fs/cg")
        #expect(none.unified == nil)
    }

    @Test("a leaf of v2 sets every limit and reads what the kernel counted")
    func leafOfV2() throws {
        let folder = try TemporaryFolder()
        let files = [
            "memory.max", "memory.swap.max", "memory.oom.group", "pids.max", "cpu.max", "cgroup.procs", "cgroup.freeze", "cgroup.kill",
        ]
        for name in files { #expect(SystemFiles.create("\(folder.path)/\(name)", [], mode: 0o600) == nil) }
        let leaf = CgroupLeaf(kind: .v2, directories: ["unified": folder.path])
        var limits = SandboxLimits()
        limits.memory = 1 << 20
        limits.processes = 10
        try leaf.limit(limits)
        let found = files.prefix(5).map { SystemFiles.text("\(folder.path)/\($0)") ?? "" }
        #expect(found == ["1048576", "0", "1", "12", "100000 100000"])
        #expect(!leaf.wasOutOfMemory && leaf.cpuNanoseconds == nil && leaf.memoryPeak == nil)
        let counted = [
            "memory.events": "low 0\noom 2\noom_kill 1\n", "cpu.stat": "usage_usec 1500\nuser_usec 1\n", "memory.peak": "4096\n",
        ]
        for (name, text) in counted { #expect(SystemFiles.create("\(folder.path)/\(name)", Array(text.utf8), mode: 0o600) == nil) }
        #expect(leaf.wasOutOfMemory && leaf.cpuNanoseconds == 1_500_000 && leaf.memoryPeak == 4_096)
        leaf.kill()
        #expect(SystemFiles.text("\(folder.path)/cgroup.freeze") == "1" && SystemFiles.text("\(folder.path)/cgroup.kill") == "1")
        // A limit that is not taken is an error: here nothing can be read back.
        unlink("\(folder.path)/pids.max")
        #expect(throws: LaunchError.self) { try leaf.limit(limits) }
    }

    @Test("the options hide all but the closure, mount no /proc, and end with the filter")
    func options() throws {
        let closure = try InterpreterClosure(python: "/usr/bin/python3")
        let options = BubblewrapOptions(closure: closure, directory: "/d", boot: [], hasMounts: true, temporaryBytes: 10).arguments
        #expect(options.suffix(2) == ["--seccomp", "5"])
        #expect(!options.contains("--proc") && options.contains("--disable-userns") && options.contains("--unshare-user"))
        for index in options.indices where options[index] == "--bind" {
            #expect(["/w", "/tmp", "/dev/shm"].contains(options[index + 2]) && options[index + 1].hasPrefix("/d/"))
        }
        let plain = BubblewrapOptions(closure: closure, directory: "/d", boot: [], hasMounts: false, temporaryBytes: 10).arguments
        #expect(plain.count { $0 == "--tmpfs" } == 2 && plain.contains("5"))
    }

    @Test("the closure holds the interpreter and its libraries, and nothing else of the host")
    func closure() throws {
        let closure = try InterpreterClosure(python: "/usr/bin/python3")
        #expect(closure.library.contains("/lib/python3."))
        #expect(
            closure.binds.contains { $0.destination.contains("/libc.so.") }
                && closure.binds.contains { $0.destination.contains("/ld-linux-") })
        #expect(!closure.binds.contains { ["/", "/usr", "/usr/lib", "/etc", "/usr/bin"].contains($0.destination) })
        #expect(throws: LaunchError.self) { _ = try InterpreterClosure(python: "/etc/passwd") }
        #expect(throws: LaunchError.self) { _ = try InterpreterClosure(python: "/nowhere") }
    }

    @Test("hostile headers of ELF are nil or empty, never a crash")
    func elf() {
        var file = [UInt8](repeating: 0xff, count: 4_096)
        file.replaceSubrange(0..<6, with: [0x7f, 0x45, 0x4c, 0x46, 2, 1])
        func part(_ file: [UInt8]) -> (UInt64, Int) -> [UInt8]? {
            { offset, count in
                guard offset < 1 << 40, Int(offset) + count <= file.count else { return nil }
                return Array(file[Int(offset)..<(Int(offset) + count)])
            }
        }
        #expect(ELFFile(part: part(file)) == nil)
        file.replaceSubrange(54..<58, with: [56, 0, 2, 0])
        #expect(ELFFile(part: part(file)) == nil)
        file.replaceSubrange(32..<40, with: [64, 0, 0, 0, 0, 0, 0, 0])
        file.replaceSubrange(64..<68, with: [2, 0, 0, 0])
        file.replaceSubrange(120..<124, with: [1, 0, 0, 0])
        #expect(ELFFile(part: part(file))?.needed == [])
    }

    @Test("a uid is given once among all launchers of the machine, and again when it is free", .enabled(if: geteuid() == 0, "needs root"))
    func slots() throws {
        let folder = try TemporaryFolder()
        let first = UserSlots(directory: "\(folder.path)/a/b", base: 5_000, count: 2)
        let second = UserSlots(directory: "\(folder.path)/a/b", base: 5_000, count: 2)
        try first.prepare()
        #expect(try first.take() == 5_000)
        #expect(try second.take() == 5_001)
        #expect(throws: LaunchError.self) { _ = try first.take() }
        second.free(5_001)
        #expect(try first.take() == 5_001)
    }

    @Test("one wrong answer of the canary costs the level")
    func judge() {
        var evidence = ProbeJudge.Evidence()
        evidence.cgroups = .v2
        evidence.remains = SandboxRemains(
            status: .exited(137), wasOutOfMemory: true, cpuNanoseconds: 1, memoryPeak: 1, isUndead: false)
        evidence.findings = [
            "interpreter": "python 3.11", "descriptors": "0 1 2 3", "environment": "empty", "connect": "EPERM", "vsock": "EPERM",
            "netlink": "EPERM", "accounts": "ENOENT", "server_environment": "ENOENT", "write_root": "EROFS", "write_work": "done",
            "user_namespace": "EPERM", "trace": "EPERM", "keyring": "EPERM", "bpf": "EPERM", "io_uring": "EPERM",
            "processes": "EAGAIN at 16", "landlock": "EACCES",
        ]
        #expect(ProbeJudge.judge(evidence, landlockABI: 0).level == .full)
        for name in evidence.findings.keys {
            var weaker = evidence
            weaker.findings[name] = "other"
            #expect(name == "interpreter" || ProbeJudge.judge(weaker, landlockABI: 0).level == .none, "\(name)")
            weaker.findings[name] = nil
            #expect(ProbeJudge.judge(weaker, landlockABI: 0).level == .none, "\(name)")
        }
        // A machine without the second wall is told so, and no worse for it; one that says it has it and has not is.
        var single = evidence
        single.landlockAbsence = "the kernel has no Landlock"
        single.findings["landlock"] = "done"
        let report = ProbeJudge.judge(single, landlockABI: 0)
        #expect(report.level == .full && report.complaint.hasPrefix("landlock: expected EACCES, found the kernel has no Landlock; fix: "))
        var unprivileged = evidence
        unprivileged.isPrivileged = false
        #expect(ProbeJudge.judge(unprivileged, landlockABI: 0).level == .limited)
        evidence.remains = nil
        #expect(ProbeJudge.judge(evidence, landlockABI: 0).level == .none)
    }
}
