import Glibc

/// One sandbox's cgroup: a directory with v2, or one in each controller's tree with v1. Blocks: only on a ``Lane``.
struct CgroupLeaf: Sendable, Hashable {
    let kind: CgroupKind
    /// By controller; `unified` is the v2 tree.
    let directories: [String: String]

    /// cpu and cpuacct are often one directory.
    var unique: [String] { Set(directories.values).sorted() }

    /// The files of v1 into which the first process, which has one thread, writes itself.
    ///
    /// A thread that moves itself alone, by `tasks`, spares the kernel the lock over all processes of the machine, and with it a wait of
    /// some milliseconds in each tree (Linux `kernel/cgroup/cgroup.c`, `cgroup_procs_write_start`).
    var joins: [String] { unique.filter { $0 != unified }.map { "\($0)/tasks" } }

    /// The directory of v2, in which the first process is born.
    var birthplace: String? { unified }

    /// What says which processes it has, in each tree.
    var members: [String] { unique.map { "\($0)/cgroup.procs" } }

    private var unified: String? { directories["unified"] }
    private var memory: String? { kind == .v2 ? unified : directories["memory"] }

    /// Sets and reads back: a limit that the kernel did not take is an error.
    func limit(_ limits: SandboxLimits) throws(LaunchError) {
        let processes = String(max(1, limits.processes) + LaunchLimits.launcherProcesses)
        let period = 100_000
        if kind == .v2, let unified {
            try set("\(unified)/memory.max", String(limits.memory), atMost: limits.memory)
            // Without swap in the kernel the file is missing, and nothing can be swapped.
            if SystemFiles.exists("\(unified)/memory.swap.max") { try set("\(unified)/memory.swap.max", "0", atMost: 0) }
            try set("\(unified)/memory.oom.group", "1", atMost: nil)
            try set("\(unified)/pids.max", processes, atMost: nil)
            if SystemFiles.exists("\(unified)/cpu.max") { try set("\(unified)/cpu.max", "\(period) \(period)", atMost: nil) }
            return
        }
        guard let memory = directories["memory"], let pids = directories["pids"] else { throw LaunchError(.cgroup, "no tree for memory") }
        try set("\(memory)/memory.limit_in_bytes", String(limits.memory), atMost: limits.memory)
        let both = "\(memory)/memory.memsw.limit_in_bytes"
        if SystemFiles.exists(both) { try set(both, String(limits.memory), atMost: limits.memory) }
        try set("\(pids)/pids.max", processes, atMost: nil)
        if let cpu = directories["cpu"], SystemFiles.exists("\(cpu)/cpu.cfs_quota_us") {
            try set("\(cpu)/cpu.cfs_period_us", String(period), atMost: nil)
            try set("\(cpu)/cpu.cfs_quota_us", String(period), atMost: nil)
        }
    }

    private func set(_ path: String, _ value: String, atMost: Int64?) throws(LaunchError) {
        if let code = SystemFiles.set(path, value) { throw LaunchError(.cgroup, errno: code.code, path) }
        guard let text = SystemFiles.text(path) else { throw LaunchError(.cgroup, errno: errno, path) }
        let found = text.prefix { $0 != "\n" }
        // Memory is counted in pages, so the kernel may have rounded.
        let isTaken = atMost.map { limit in Int64(found).map { $0 <= limit } ?? false } ?? (found == value)
        guard isTaken else { throw LaunchError(.cgroup, "\(path) is \(found) after \(value) was written") }
    }

    func processes() -> Set<Int32> {
        Set(members.flatMap { (SystemFiles.text($0) ?? "").split(separator: "\n").compactMap { Int32($0) } })
    }

    /// Whether a process is in one of the files of ``members``.
    func holds(_ process: Int32, in members: String) -> Bool {
        (SystemFiles.text(members) ?? "").split(separator: "\n").contains { Int32($0) == process }
    }

    /// One shot at everything in it: atomic where the kernel has `cgroup.kill` (5.14), otherwise each process by itself, held
    /// still first where there is something to hold it with. Repeated until ``processes()`` is empty.
    func kill() {
        if let unified {
            _ = SystemFiles.set("\(unified)/cgroup.freeze", "1")
            if SystemFiles.set("\(unified)/cgroup.kill", "1") == nil { return }
        }
        for process in processes() { Glibc.kill(process, SIGKILL) }
    }

    var wasOutOfMemory: Bool {
        guard let memory else { return false }
        let path = kind == .v2 ? "\(memory)/memory.events" : "\(memory)/memory.oom_control"
        return (Self.field("oom_kill", SystemFiles.text(path)) ?? 0) > 0
    }

    var cpuNanoseconds: Int64? {
        if let path = directories["cpuacct"], let used = number("\(path)/cpuacct.usage") { return used }
        guard let unified, let used = Self.field("usage_usec", SystemFiles.text("\(unified)/cpu.stat")) else { return nil }
        return used * 1_000
    }

    var memoryPeak: Int64? {
        guard let memory else { return nil }
        return number(kind == .v2 ? "\(memory)/memory.peak" : "\(memory)/memory.max_usage_in_bytes")
    }

    /// The directories go; what is left says why.
    @discardableResult
    func remove() -> Errno? {
        var left: Errno?
        for path in unique where rmdir(path) != 0 && errno != ENOENT { left = .current }
        return left
    }

    private func number(_ path: String) -> Int64? {
        SystemFiles.text(path).flatMap { text in Int64(text.prefix { $0 != "\n" }) }
    }

    /// The number behind a name in a file of `name number` lines.
    static func field(_ name: String, _ text: String?) -> Int64? {
        for line in (text ?? "").split(separator: "\n") {
            let words = line.split(separator: " ")
            if words.count == 2, words[0] == name { return Int64(words[1]) }
        }
        return nil
    }
}
