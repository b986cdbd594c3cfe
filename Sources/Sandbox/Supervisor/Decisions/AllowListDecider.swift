/// Allows each tool to the roles that the catalog names, and to everyone where it names none.
public struct AllowListDecider: Decider {
    public init() {}

    public func decide(_ request: DecisionRequest) async -> Ruling {
        if let refusal = refusal(of: request.tool, for: request.caller, source: request.source) { return Ruling(.deny(refusal)) }
        return Ruling(.allow(rule: request.tool.roles == nil ? RuleID.catalog : RuleID.roles))
    }

    public func refusal(of tool: ToolDefinition, for caller: CallerIdentity, source: CallSource) -> Refusal? {
        guard let roles = tool.roles, roles.isDisjoint(with: caller.roles) else { return nil }
        return Refusal(code: RefusalCode.denied, message: "\(tool.name) is for other roles.", rule: RuleID.roles)
    }
}
