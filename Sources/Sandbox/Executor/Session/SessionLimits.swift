/// The limits of a session that no operator changes. Those of a job are ``SandboxLimits``.
enum SessionLimits {
    /// Of the kept output, what is its head: a traceback's cause is mostly at the top, its end at the bottom.
    static let outputHead = 64 << 10
    /// Bytes read from a descriptor at once: a pipe holds as many.
    static let chunk = 64 << 10
    /// Bytes that wait for a job's task before its descriptors are no longer read. With a pipe's own 64 KiB it is what a slow
    /// handler can make the supervisor hold.
    static let inbox = 1 << 20
    /// Between two looks at a job's CPU time: the overshoot of its limit.
    static let cpuPoll: Duration = .milliseconds(250)
    /// Between a job's result and the end of its process, for what Python does at exit.
    static let exitGrace: Duration = .milliseconds(500)
    /// From the start of a sandbox to its hello; a cold start takes 0.1 s, on a machine with a load of 30 a few seconds.
    static let boot: Duration = .seconds(15)
    /// Bytes read from a dead sandbox's descriptor: more than a pipe or a socket can hold.
    static let afterDeath = 1 << 20
    /// Bytes of what a sandbox said before it failed to start, for the operator.
    static let bootText = 2 << 10
    /// What a refused job is told to wait: a job takes seconds.
    static let retry: Duration = .seconds(2)
}
