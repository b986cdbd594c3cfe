/// What one sandbox may use, and what it is told when it wants more.
///
/// The numbers are those of a small agent script; an operator changes the few that `sandbox:` names. Every one has a defined
/// outcome: an error inside the sandbox, or the end of the job with a ``SandboxExit``.
public struct SandboxLimits: Sendable, Hashable {
    /// Of a whole job, waits for tools excluded (``toolWaitMax``). Reaching it is ``SandboxExit/timeout``.
    public var wall: Duration = .seconds(30)
    /// All waits for tools of a job together; beyond it they count as the job's own time.
    public var toolWaitMax: Duration = .seconds(600)
    /// CPU time of all processes; reaching it is ``SandboxExit/cpuLimit``.
    public var cpu: Duration = .seconds(20)
    /// Bytes of memory with the files of `/w` and `/tmp`, which are memory; reaching it is ``SandboxExit/outOfMemory``.
    public var memory: Int64 = 256 << 20
    /// Processes and threads together; one more is `EAGAIN` inside.
    public var processes = 64
    /// Open descriptors of a process; one more is `EMFILE` inside.
    public var openFiles = 128
    /// Bytes of one file; beyond is `EFBIG` inside.
    public var fileBytes: Int64 = 64 << 20
    /// Bytes and names of `/w`; beyond is `ENOSPC` inside.
    public var workBytes: Int64 = 256 << 20
    public var workNames = 4_096
    /// Bytes of stdout and stderr, each, that are kept: the head and the tail.
    public var outputKept = 1 << 20
    /// Bytes of stdout and stderr together; beyond it the job is killed with ``SandboxExit/outputLimit``.
    public var outputMax = 8 << 20
    /// Artefacts that are listed, and bytes of each; others are listed as refused.
    public var artefacts = 20
    public var artefactBytes: Int64 = 32 << 20

    public init() {}
}

/// How a job ended. The raw values are those of `chat_step` (contract, section 3).
public enum SandboxExit: String, Sendable, Hashable, CaseIterable {
    /// The code ran to its end.
    case ok
    /// The code raised, or left with another status than zero.
    case error
    case timeout
    case cpuLimit = "cpu_limit"
    case outOfMemory = "oom"
    case outputLimit = "output_limit"
    case protocolLimit = "protocol_limit"
    case forbiddenSyscall = "forbidden_syscall"
    /// By whoever asked for the job, or because the server stops.
    case killed
}
