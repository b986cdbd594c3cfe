internal import JSON
internal import Synchronization

/// The denials that no policy can remove: switched-off tools, code inside code, code that is shut in too badly, and what belongs to another
/// tenant.
struct BuiltInRules: Sendable {
    let killSwitch: KillSwitch
    let isolation: @Sendable () -> IsolationStanding?

    func refusal(of tool: ToolDefinition, source: CallSource) -> Refusal? {
        if killSwitch.isOff(tool.name) {
            return Refusal(code: RefusalCode.toolDisabled, message: "\(tool.name) is switched off.", rule: RuleID.disabled)
        }
        if source == .code, tool.adapter == .builtin(Self.code) {
            return Refusal(code: RefusalCode.denied, message: "Code cannot run code.", rule: RuleID.code)
        }
        if tool.adapter == .builtin(Self.code), let standing = isolation(), !standing.isEnough {
            let message = "Code is not run: its isolation is \(standing.level), and has to be \(standing.minimum)."
            return Refusal(code: RefusalCode.isolationTooLow, message: message, rule: RuleID.isolation)
        }
        return nil
    }

    /// Whether the arguments name what belongs to another tenant.
    func refusal(of tool: ToolDefinition, _ arguments: JSONObject, for caller: CallerIdentity) -> Refusal? {
        guard let error = tool.schema.boundaryViolation(arguments, org: caller.org, project: caller.project) else { return nil }
        let details = JSONObject([("path", .string(error.path)), ("rule", .string(error.rule))])
        return Refusal(code: RefusalCode.denied, message: error.message, rule: RuleID.tenant, details: details)
    }

    /// The builtin that runs code.
    static let code = "run_code"
}

/// The tools that an operator has switched off, as of now. Safe to use from any thread; a `Mutex` held for a look-up.
public final class KillSwitch: Sendable {
    private let off: Mutex<Set<String>>

    public init(off: Set<String> = []) { self.off = Mutex(off) }

    /// Calls that are in flight go on; no other begins.
    public func switchOff(_ tool: String) { off.withLock { _ = $0.insert(tool) } }
    public func switchOn(_ tool: String) { off.withLock { _ = $0.remove(tool) } }
    public func isOff(_ tool: String) -> Bool { off.withLock { $0.contains(tool) } }
    public var tools: Set<String> { off.withLock { $0 } }
}
