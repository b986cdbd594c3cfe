import CLauncher
import Glibc

/// The limits of one process (rlimits) that come with a sandbox's limits: a second line behind cgroups. Pure.
enum LaunchLimits {
    /// bubblewrap's own two processes are in the sandbox's cgroup and have its uid.
    static let launcherProcesses = 2

    /// - Parameters:
    ///   - hasCgroup: whether a cgroup caps memory; without one each process gets an address space of that size.
    ///   - others: threads that the uid has besides the sandbox. The kernel counts a user's, so they come on top.
    static func rlimits(_ limits: SandboxLimits, hasCgroup: Bool, others: Int) -> [claunch_rlimit] {
        func limit(_ resource: __rlimit_resource, _ value: UInt64, hard: UInt64? = nil) -> claunch_rlimit {
            claunch_rlimit(resource: Int32(resource.rawValue), soft: value, hard: hard ?? value)
        }
        let seconds = UInt64(max(1, limits.cpu.components.seconds)) + 1
        var list = [
            limit(RLIMIT_CORE, 0),
            limit(RLIMIT_FSIZE, UInt64(max(0, limits.fileBytes))),
            limit(RLIMIT_NOFILE, UInt64(max(16, limits.openFiles))),
            // The job's own clock of CPU time is the cgroup's; this one stops a process when nobody looks. SIGXCPU, then SIGKILL.
            limit(RLIMIT_CPU, seconds, hard: seconds + 2),
            limit(__RLIMIT_NPROC, UInt64(max(1, limits.processes) + launcherProcesses + others)),
            limit(__RLIMIT_MEMLOCK, 0),
            limit(__RLIMIT_MSGQUEUE, 0),
            limit(RLIMIT_STACK, 8 << 20),
        ]
        if !hasCgroup { list.append(limit(RLIMIT_AS, UInt64(max(64 << 20, limits.memory)))) }
        return list
    }
}
