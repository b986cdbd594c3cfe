/// Why no sandbox was launched: the step that failed and what the kernel said. The launch is undone.
public struct LaunchError: Error, Sendable, Hashable, CustomStringConvertible {
    /// In the order in which a launch takes them.
    public enum Step: String, Sendable, Hashable, CaseIterable {
        /// The directory of the sandboxes, or the files in it.
        case directory
        /// The interpreter or its libraries.
        case interpreter
        /// The machine lacks what the configured level needs.
        case isolation
        /// As many sandboxes as `most` run, or no uid is free.
        case slot
        /// The server stops.
        case stopping
        case mount
        case descriptors
        case clone, signals, session, cgroup, limits, groups, user, capabilities, privileges, parent, seccomp, exec
        /// Inside the sandbox, before any code is run.
        case landlock
    }

    public let step: Step
    /// 0 when it was our own judgement.
    public let errno: Int32
    public let detail: String

    init(_ step: Step, errno: Int32 = 0, _ detail: String = "") {
        self.step = step
        self.errno = errno
        self.detail = detail
    }

    public var description: String {
        let reason = errno == 0 ? "" : " (\(describe(errno)))"
        return "sandbox not launched at \(step.rawValue)\(reason)\(detail.isEmpty ? "" : ": \(detail)")"
    }
}
