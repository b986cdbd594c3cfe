import Glibc

/// The name of a sandbox, of its directory and of its cgroups: it tells which process made it, so that what a crashed server
/// left can be told from what a live one uses.
struct SandboxName: Sendable, Hashable, CustomStringConvertible {
    /// The process, as unique as the kernel makes it: its pid, when it started (clock ticks after boot), its pid namespace.
    struct Owner: Sendable, Hashable {
        let namespace: UInt64
        let pid: Int32
        let started: UInt64

        /// This process.
        static func current() -> Owner {
            let pid = getpid()
            return Owner(namespace: pidNamespace(), pid: pid, started: Self.start(of: pid) ?? 0)
        }

        /// Whether the process still is. One of another pid namespace cannot be asked after and counts as alive.
        func isAlive() -> Bool { namespace != Self.pidNamespace() || Self.start(of: pid) == started }

        private static func pidNamespace() -> UInt64 {
            var facts = stat()
            return stat("/proc/self/ns/pid", &facts) == 0 ? UInt64(facts.st_ino) : 0
        }

        /// Field 22 of /proc/PID/stat; nil for a process that is gone or waits to be reaped.
        static func start(of pid: Int32) -> UInt64? {
            guard let text = SystemFiles.text("/proc/\(pid)/stat"), let end = text.lastIndex(of: ")") else { return nil }
            let fields = text[text.index(after: end)...].split(separator: " ")
            guard fields.count > 19, fields[0] != "Z", fields[0] != "X" else { return nil }
            return UInt64(fields[19])
        }
    }

    static let prefix = "kdcube-sandbox-"

    let owner: Owner
    /// Which launcher of the process, and which launch of it.
    let launcher: Int
    let number: Int

    init(owner: Owner, launcher: Int, number: Int) {
        self.owner = owner
        self.launcher = launcher
        self.number = number
    }

    /// Nil for what is no name of ours.
    init?(_ text: some StringProtocol) {
        guard text.hasPrefix(Self.prefix) else { return nil }
        let parts = text.dropFirst(Self.prefix.count).split(separator: "-", omittingEmptySubsequences: false)
        guard parts.count == 5, let namespace = UInt64(parts[0]), let pid = Int32(parts[1]), pid > 0, let started = UInt64(parts[2]),
            let launcher = Int(parts[3]), let number = Int(parts[4])
        else { return nil }
        self.init(owner: Owner(namespace: namespace, pid: pid, started: started), launcher: launcher, number: number)
        guard description == text else { return nil }
    }

    var description: String { "\(Self.prefix)\(owner.namespace)-\(owner.pid)-\(owner.started)-\(launcher)-\(number)" }
}
