/// Why a job was not started. Nothing ran.
public enum SandboxRefusal: Error, Sendable {
    /// The machine cannot shut a sandbox in as well as the operator demands; the report names the probes that failed.
    case belowMinimum(IsolationReport, minimum: IsolationLevel)
    /// As many sandboxes as the machine may have are at work.
    case tooMany(retryAfter: Duration)
    /// A sandbox could not be started; the text is for the operator's log.
    case launch(String)
    /// The server stops, or the host was not started.
    case stopping
}

/// What an operator counts. Called from several tasks; must not block.
public protocol SandboxObserver: Sendable {
    /// A job got its sandbox, from the pool or not.
    func started(warm: Bool)
    /// A job ended otherwise than by its own end.
    func killed(_ exit: SandboxExit)
    func probed(_ report: IsolationReport)
    /// Something of a sandbox is left after every attempt to kill or to remove it, also of an earlier server's: a person must look.
    func undead(sandbox: String)
}
