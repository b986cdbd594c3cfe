/// What an operator decides about sandboxes: where they live, what they may use, and how weak a machine may be.
public struct SandboxSettings: Sendable, Hashable {
    /// Below this level no code is run.
    public var minimum: IsolationLevel = .full
    /// The interpreter. Its standard library and shared libraries are found from it; nothing else of the host is shown.
    public var python = "/usr/bin/python3"
    public var bubblewrap = "/usr/bin/bwrap"
    /// The program that puts Landlock around an interpreter; nil: `sandbox-init` beside the program that runs. Where it or the
    /// kernel's Landlock is missing, sandboxes run without, and the probe `landlock` says so.
    public var initProgram: String?
    /// A private directory for the sandboxes' mounts; each of its parents must be open to other users for passing through.
    public var directory: String
    public var limits = SandboxLimits()
    /// Sandboxes that are ready before anyone asks.
    public var warm = 2
    /// Sandboxes at once, ready ones included. Each is about 5 MB before it runs anything.
    public var most = 20
    /// The host's uids that sandboxes get, one each. The default lies in a range that neither distributions nor systemd nor
    /// `/etc/subuid` give away.
    public var uidBase: UInt32 = 1_900_000_000
    public var uidCount: UInt32 = 256
    /// Where locks say which uid is taken, for all servers of the machine.
    public var slots = "/run/kdcube-uids"
    /// Where the kernel's cgroups are mounted.
    public var cgroups = "/sys/fs/cgroup"
    /// Bytes and names of `/tmp` and `/dev/shm` together.
    public var temporaryBytes: Int64 = 64 << 20
    public var temporaryNames = 4_096

    public init(directory: String) { self.directory = directory }
}
