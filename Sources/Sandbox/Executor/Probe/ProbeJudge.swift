/// Decides from what the canary told what a machine is worth. Pure.
struct ProbeJudge {
    /// What was seen of one canary.
    struct Evidence: Sendable, Hashable {
        var hasBubblewrap = true
        var bubblewrap = ""
        var cgroups = CgroupKind.none
        var cgroupReason = ""
        var isPrivileged = true
        /// Of the canary.
        var shape = SandboxShape.namespaces
        /// Why there is no sandbox with namespaces; the canary was without.
        var namespaceTrouble: String?
        /// Why Landlock is not used; nil when it is.
        var landlockAbsence: String?
        /// The launch itself failed.
        var launchError: String?
        /// Lines of the probe program, by name.
        var findings: [String: String] = [:]
        /// What bubblewrap and the interpreter wrote on stderr.
        var complaint = ""
        var remains: SandboxRemains?
        /// The canary's own limit.
        var processes = 16
    }

    private struct Reach {
        let name: String
        let expected: [String]
        /// On the host's own files, which are there and are refused.
        var bare: [String]?
    }

    /// What code in a sandbox must find when it reaches out. One other answer, and no code is run.
    private static let reaches = [
        Reach(name: "descriptors", expected: ["0 1 2 3"]),
        Reach(name: "environment", expected: ["empty"]),
        Reach(name: "connect", expected: ["EPERM"]),
        Reach(name: "vsock", expected: ["EPERM"]),
        Reach(name: "netlink", expected: ["EPERM"]),
        Reach(name: "accounts", expected: ["ENOENT"], bare: ["EACCES", "ENOENT"]),
        Reach(name: "server_environment", expected: ["ENOENT"], bare: ["EACCES", "ENOENT"]),
        Reach(name: "write_root", expected: ["EROFS"], bare: ["EACCES"]),
        Reach(name: "write_work", expected: ["done"]),
        Reach(name: "user_namespace", expected: ["EPERM"]),
        Reach(name: "trace", expected: ["EPERM"]),
        Reach(name: "keyring", expected: ["EPERM"]),
        Reach(name: "bpf", expected: ["EPERM"]),
        Reach(name: "io_uring", expected: ["EPERM"]),
    ]

    static func judge(_ evidence: Evidence, landlockABI: Int) -> IsolationReport {
        var probes: [ProbeResult] = []
        let isBare = evidence.shape == .bare
        var level = isBare ? IsolationLevel.basic : .full
        func add(_ name: String, _ passed: Bool, _ expected: String, _ found: String, costs: IsolationLevel, fix: String) {
            probes.append(ProbeResult(name: name, passed: passed, expected: expected, found: found, fix: fix))
            if !passed { level = min(level, costs) }
        }
        add(
            "bubblewrap", evidence.hasBubblewrap, "an executable file",
            evidence.hasBubblewrap ? "present" : "\(evidence.bubblewrap) is missing",
            costs: isBare ? .basic : .none, fix: "apt-get install bubblewrap, or name it under sandbox")
        add(
            "cgroups", evidence.cgroups != .none, "v2 or v1 with memory and pids",
            evidence.cgroups == .none ? evidence.cgroupReason : evidence.cgroups.rawValue, costs: .limited, fix: cgroupFix)
        add(
            "private_uid", evidence.isPrivileged, "root, which gives each sandbox a uid", evidence.isPrivileged ? "root" : "not root",
            costs: .limited, fix: "run the server as root (it changes to a private uid before any sandbox starts)")
        if let trouble = evidence.namespaceTrouble {
            add("namespaces", false, "an interpreter in namespaces of its own", trouble, costs: .basic, fix: fix(for: trouble))
        }
        guard evidence.hasBubblewrap || isBare else { return report() }
        let interpreter = evidence.findings["interpreter"]
        let trouble = evidence.launchError ?? (interpreter == nil ? firstLine(evidence.complaint) : nil)
        add(
            "start", interpreter != nil, isBare ? "an interpreter" : "an interpreter in namespaces of its own",
            interpreter ?? trouble ?? "nothing", costs: .none,
            fix: fix(for: trouble ?? ""))
        guard interpreter != nil else { return report() }
        for reach in reaches {
            let found = evidence.findings[reach.name] ?? "no answer"
            let expected = isBare ? reach.bare ?? reach.expected : reach.expected
            add(reach.name, expected.contains(found), expected.joined(separator: " or "), found, costs: .none, fix: filterFix)
        }
        let root = evidence.findings["landlock"] ?? "no answer"
        if let absence = evidence.landlockAbsence {
            // A second wall that the first can do without.
            add("landlock", false, "EACCES", absence, costs: .full, fix: landlockFix)
        } else {
            add("landlock", root == "EACCES", "EACCES", root, costs: .none, fix: filterFix)
        }
        let processes = evidence.findings["processes"] ?? "no answer"
        let count = processes.hasPrefix("EAGAIN at ") ? Int(processes.dropFirst(10)) : nil
        // Without a uid of its own the count is that of the server's user, and only its being bounded can be seen.
        let isBounded = count.map { $0 <= evidence.processes || !evidence.isPrivileged } ?? false
        add(
            "processes", isBounded, "EAGAIN at \(evidence.processes) or fewer", processes,
            costs: .none,
            fix: cgroupFix)
        let isStopped = evidence.findings["memory"] == "MemoryError" || evidence.remains?.wasOutOfMemory == true
        add(
            "memory", isStopped, "stopped at the limit",
            evidence.findings["memory"] ?? (evidence.remains?.wasOutOfMemory == true ? "killed for want of memory" : "died otherwise"),
            costs: .none, fix: cgroupFix)
        add(
            "kill", evidence.remains?.isUndead == false, "no process is left",
            evidence.remains?.isUndead == false ? "none" : "some are left",
            costs: .none, fix: "look for processes in uninterruptible sleep")
        return report()

        func report() -> IsolationReport {
            IsolationReport(level: level, probes: probes, landlockABI: landlockABI, cgroups: evidence.cgroups)
        }
    }

    private static func firstLine(_ text: String) -> String? {
        text.split(separator: "\n").first.map { String($0.prefix(300)) }
    }

    private static let filterFix = "no setting mends this: do not run code on this machine, and report it with the kernel's version"

    private static let landlockFix =
        "a kernel of 5.19 or newer with landlock among its modules (boot option lsm=), and sandbox-init beside the server's program; "
        + "no level but basic needs it"

    private static let cgroupFix =
        "systemd: Delegate=memory pids cpu in the unit; Docker: --cgroupns=private with /sys/fs/cgroup writable (--privileged, or a "
        + "mount of cgroup2); v1: root and writable /sys/fs/cgroup/memory and pids"

    /// By the words of bubblewrap and the kernel.
    static func fix(for trouble: String) -> String {
        if trouble.contains("uid map") || trouble.contains("Creating new namespace failed") || trouble.contains("namespace") {
            return "sysctl kernel.apparmor_restrict_unprivileged_userns=0 (Ubuntu 24.04; or an AppArmor profile with userns for bwrap), "
                + "sysctl kernel.unprivileged_userns_clone=1 (older Debian), sysctl user.max_user_namespaces=10000; "
                + "Docker: --security-opt seccomp=unconfined --security-opt apparmor=unconfined"
        }
        if trouble.contains("mount") || trouble.contains("pivot_root") {
            return "the server may not mount: root with CAP_SYS_ADMIN; Docker: --cap-add SYS_ADMIN --security-opt apparmor=unconfined"
        }
        if trouble.contains("closed to other users") { return "choose a directory whose parents others may pass through" }
        if trouble.contains("interpreter") { return "apt-get install python3, and name it under sandbox.python" }
        return "see the message"
    }
}
