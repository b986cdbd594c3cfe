internal import Accounting
internal import JSON
internal import Logging
internal import Supervisor
internal import Synchronization

/// Which tools an operator has switched off, kept for every server that shares the store.
///
/// One task follows the store; what it saw last is in a `Mutex` held for a copy. A store that does not answer leaves the switches as they
/// are: a tool that is off stays off.
final class SwitchWatch: Sendable {
    /// How long a switch may take to reach every server.
    private static let interval = Duration.seconds(1)

    private let store: any ToolSwitches
    private let log: ChangeLog
    private let killSwitch: KillSwitch
    private let logger: Logger
    private struct State {
        var tools: [String]
        /// Nil before the switches were read.
        var seen: [String: ToolSwitch]?
    }

    private let state: Mutex<State>
    private let isDown = Atomic(false)

    /// - Parameter tools: the names of the catalog. They are off until the switches were read for the first time.
    init(_ store: any ToolSwitches, tools: [String], log: ChangeLog, killSwitch: KillSwitch, logger: Logger) {
        self.store = store
        state = Mutex(State(tools: tools))
        self.log = log
        self.killSwitch = killSwitch
        self.logger = logger
        for tool in tools { killSwitch.switchOff(tool) }
    }

    /// The switch of a tool that is off.
    func off(_ tool: String) -> ToolSwitch? { state.withLock { $0.seen?[tool] }.flatMap { $0.isOff ? $0 : nil } }

    /// There are other tools from now on: one that was switched off under its name is off.
    func follow(_ tools: [String]) {
        state.withLock { state in
            state.tools = tools
            for tool in tools { apply(state.seen, to: tool) }
        }
    }

    /// Until the task is cancelled.
    func run() async {
        while !Task.isCancelled {
            try? await Task.sleep(for: Self.interval)
            await look()
        }
    }

    /// Once before the first call is made, and then by ``run()``.
    func look() async {
        do {
            take(try await store.all())
            isDown.store(false, ordering: .relaxed)
        } catch {
            // What a shutdown interrupts is no fault.
            guard !Task.isCancelled, !isDown.exchange(true, ordering: .relaxed) else { return }
            logger.error("switches of tools cannot be read; they stay as they are", metadata: ["fault": "\(error)"])
        }
    }

    /// Here at once, elsewhere within a second. To switch off is never held up by a log that does not work; to switch on is.
    func set(_ tool: String, isOff: Bool, by author: String, reason: String) async throws {
        if isOff { killSwitch.switchOff(tool) }
        let details = JSONObject([("tool", .string(tool)), ("disabled", .bool(isOff)), ("reason", .string(reason))])
        do { try await log.record("tool.switch", in: AuditAuthor.noOrg, kind: isOff ? .kill : .change, details) } catch {
            guard isOff else { throw error }
            logger.error("a switched-off tool is not in the decision log", metadata: ["tool": "\(tool)", "fault": "\(error)"])
        }
        try await store.set(tool, isOff: isOff, by: author, reason: reason, at: WallClock.now())
        take(try await store.all())
    }

    private func take(_ switches: [ToolSwitch]) {
        let known = Dictionary(switches.map { ($0.tool, $0) }, uniquingKeysWith: { _, last in last })
        state.withLock { state in
            state.seen = known
            for tool in state.tools { apply(known, to: tool) }
        }
    }

    /// Under the lock: what is switched here must not be older than what was seen.
    private func apply(_ known: [String: ToolSwitch]?, to tool: String) {
        if known.map({ $0[tool]?.isOff ?? false }) ?? true { killSwitch.switchOff(tool) } else { killSwitch.switchOn(tool) }
    }
}
