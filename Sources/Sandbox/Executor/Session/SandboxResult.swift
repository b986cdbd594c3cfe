public import JSON

/// How a job ended and what it left. The sandbox is gone when the caller has this.
public struct SandboxResult: Sendable {
    public let exit: SandboxExit
    /// A short code of what led to `exit`: the limit (`wall`, `cpu`, `memory`, `output`), the channel violation's code, or the
    /// status of the process (`status 1`, `signal 11`). Nil when the code ran to its end.
    public let detail: String?
    /// Of the process; nil when it could not be waited for.
    public let status: SandboxRemains.Status?
    public let stdout: KeptOutput
    public let stderr: KeptOutput
    /// What the code gave as its result; nil when it gave none.
    public let value: JSONValue?
    /// The files of `/w`, by name.
    public let artefacts: [SandboxArtefact]
    /// From the moment the sandbox got the code to the end of its processes.
    public let wall: Duration
    /// Of all processes from their start, the interpreter's own included; nil without a cgroup.
    public let cpu: Duration?
    /// Bytes; nil without a cgroup.
    public let memoryPeak: Int64?
    public let level: IsolationLevel
    /// The sandbox waited in the pool for this job.
    public let wasWarm: Bool

    init(_ end: JobSession.End, artefacts: [SandboxArtefact], level: IsolationLevel, wasWarm: Bool) {
        exit = end.outcome.exit
        detail = end.outcome.detail
        status = end.remains.status
        stdout = end.stdout
        stderr = end.stderr
        value = end.value
        self.artefacts = artefacts
        wall = end.wall
        cpu = end.remains.cpuNanoseconds.map { .nanoseconds($0) }
        memoryPeak = end.remains.memoryPeak
        self.level = level
        self.wasWarm = wasWarm
    }

    /// The job was cancelled before a sandbox was there for it.
    static func cancelled(level: IsolationLevel) -> SandboxResult {
        let outcome = JobMachine.Outcome(exit: .killed, detail: "cancelled")
        let end = JobSession.End(
            outcome: outcome, remains: .unknown, value: nil, stdout: .empty, stderr: .empty, wall: .zero)
        return SandboxResult(end, artefacts: [], level: level, wasWarm: false)
    }
}

extension SandboxRemains {
    /// Of a sandbox that nobody could look at.
    static let unknown = SandboxRemains(
        status: nil, wasOutOfMemory: false, cpuNanoseconds: nil, memoryPeak: nil, isUndead: false)
}

/// What is kept of a stream: its head and its tail.
public struct KeptOutput: Sendable, Hashable {
    /// Valid UTF-8, with a line that says how much is missing where it was cut. NULs are U+FFFD; escape sequences stay as they are.
    public let text: String
    /// All that was written, kept or not.
    public let bytes: Int64
    public let isTruncated: Bool

    static let empty = KeptOutput(text: "", bytes: 0, isTruncated: false)
}

/// A file that the code left in `/w`.
public enum SandboxArtefact: Sendable, Hashable {
    /// `name` is its path below `/w`, `bytes` its size, `sha256` its digest in lower-case hexadecimal.
    case file(name: String, bytes: Int64, sha256: String)
    /// `name` is safe to show: bytes that are not are escaped, and long ones are cut.
    case refused(name: String, reason: Refusal)

    public enum Refusal: String, Sendable, Hashable, CaseIterable {
        case symbolicLink = "symbolic_link"
        /// A FIFO, a socket or a device.
        case notAFile = "not_a_file"
        /// Another name of a file that has a name already.
        case hardLink = "hard_link"
        case unsafeName = "unsafe_name"
        case tooLarge = "too_large"
        case tooMany = "too_many"
        case tooDeep = "too_deep"
        case unreadable
    }
}
