/// A sandbox that runs: an interpreter that waits for its first frame.
///
/// The descriptors are the receiver's to close; they are non-blocking and close-on-exec.
public struct LaunchedSandbox: Sendable {
    /// Unique among all sandboxes of all processes of this machine; the name of its directory and its cgroup.
    public let id: String
    /// Of the outermost process (bubblewrap).
    public let pid: Int32
    /// The host's uid that only this sandbox has.
    public let uid: UInt32
    /// The host's path of the sandbox's `/w`.
    public let work: String
    /// The supervisor's end of the socket pair that is the sandbox's descriptor 3.
    public let channel: Int32
    public let stdout: Int32
    public let stderr: Int32

    init(id: String, pid: Int32, uid: UInt32, work: String, channel: Int32, stdout: Int32, stderr: Int32) {
        self.id = id
        self.pid = pid
        self.uid = uid
        self.work = work
        self.channel = channel
        self.stdout = stdout
        self.stderr = stderr
    }
}

/// What the kernel says of a sandbox after its death.
public struct SandboxRemains: Sendable, Hashable {
    public enum Status: Sendable, Hashable {
        case exited(Int32)
        case signalled(Int32)
    }

    /// Nil when the process could not be waited for.
    public let status: Status?
    /// The kernel killed a process of it for want of memory. Status 137 alone does not say so.
    public let wasOutOfMemory: Bool
    /// All processes together; nil without a cgroup.
    public let cpuNanoseconds: Int64?
    public let memoryPeak: Int64?
    /// Processes were left after every attempt: an operator must look.
    public let isUndead: Bool
}
