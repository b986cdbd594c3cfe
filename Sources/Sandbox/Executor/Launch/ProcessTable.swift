import CLauncher
import Glibc

/// Looks through /proc. Blocks: only on a ``Lane``.
enum ProcessTable {
    /// Processes of this effective uid, those that wait to be reaped included.
    static func processes(of uid: UInt32) -> [Int32] {
        SystemFiles.names(in: "/proc").compactMap { name in
            guard let pid = Int32(name) else { return nil }
            var facts = stat()
            return stat("/proc/\(pid)", &facts) == 0 && facts.st_uid == uid ? pid : nil
        }
    }

    /// Whether a process of this uid still runs.
    static func hasProcess(of uid: UInt32) -> Bool {
        processes(of: uid).contains { SandboxName.Owner.start(of: $0) != nil }
    }

    /// Threads of all processes of this uid.
    static func threads(of uid: UInt32) -> Int {
        processes(of: uid).reduce(0) { $0 + SystemFiles.names(in: "/proc/\($1)/task").count }
    }

    /// Reaps what a sandbox left to its launcher.
    ///
    /// bubblewrap does not wait for the first process of the namespace it made, which then is an orphan. The launcher asks the
    /// kernel for its orphans (PR_SET_CHILD_SUBREAPER), as it would get them anyway as the first process of a container; a
    /// zombie would count against the limit of the uid's next sandbox. Returns whether none of ours is left.
    static func reapOrphans(of uid: UInt32) -> Bool {
        var isClean = true
        for pid in processes(of: uid) where waitpid(pid, nil, WNOHANG) == 0 { isClean = false }
        return isClean
    }
}
