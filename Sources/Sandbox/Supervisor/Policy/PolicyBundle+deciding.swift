internal import Cedar
internal import JSON

extension PolicyBundle {
    /// What some rules say, before it is put into a ruling.
    struct Judgement: Sendable {
        var verdict: Verdict
        var limits: [LimitDemand] = []
        var rules: [String] = []
        var errors: [String] = []
    }

    /// Decides. Pure: the same question has the same answer, on every server that has this version.
    ///
    /// 1. A caller without a role that the catalog asks for is refused. 2. A satisfied forbid denies. 3. An error that could hide a deny,
    /// or hides why there is one, denies with ``PolicyCode/error``. 4. Without a satisfied permit the answer is no. 5. The obligations
    /// of all satisfied permits apply.
    public func decide(_ request: DecisionRequest) -> Ruling {
        let inputs = PolicyInputs.json(of: request, withSession: looksAtSession)
        let judgement = judge(request, by: enforced)
        var shadow: ShadowRuling?
        if let tried {
            let other = ShadowRuling(judge(request, by: tried).verdict, version: version)
            if other != ShadowRuling(judgement.verdict, version: version) { shadow = other }
        }
        let basis = RulingBasis(version: version, rules: judgement.rules, errors: judgement.errors, inputs: inputs)
        return Ruling(judgement.verdict, limits: judgement.limits, basis: basis, shadow: shadow)
    }

    /// As the call would meet it: the tenant's boundary first, which no policy can move. For tests, explanations and replays; a call that
    /// is really made has passed the boundary before anybody decides.
    public func ruling(_ request: DecisionRequest) -> Ruling {
        if let refusal = Self.boundary(request) { return Ruling(.deny(refusal)) }
        return decide(request)
    }

    static func boundary(_ request: DecisionRequest) -> Refusal? {
        let caller = request.caller
        guard let error = request.tool.schema.boundaryViolation(request.arguments, org: caller.org, project: caller.project) else {
            return nil
        }
        let details = JSONObject([("path", .string(error.path)), ("rule", .string(error.rule))])
        return Refusal(code: RefusalCode.denied, message: error.message, rule: PolicyCode.tenantRule, details: details)
    }

    func judge(_ request: DecisionRequest, by deciding: Deciding) -> Judgement {
        if let refusal = AllowListDecider().refusal(of: request.tool, for: request.caller, source: request.source) {
            return Judgement(verdict: .deny(refusal))
        }
        guard let question = schema.question(request, reading: deciding.use) else {
            let message = "The call cannot be put to the policies."
            return Judgement(
                verdict: .deny(Refusal(code: PolicyCode.error, message: message, rule: PolicyCode.questionRule)))
        }
        return judge(request, deciding.authorizer.authorize(question.request, question.entities))
    }

    private func judge(_ request: DecisionRequest, _ response: Response) -> Judgement {
        func judgement(_ verdict: Verdict, limits: [LimitDemand] = [], rules: [String] = []) -> Judgement {
            Judgement(verdict: verdict, limits: limits, rules: rules, errors: response.errors)
        }
        if response.isForbidden, let first = response.reason.first {
            return judgement(.deny(forbidden(by: first)), rules: response.reason)
        }
        if let failure = response.decisiveFailures.first {
            let message = "A policy has no value for this call, so it is not made."
            return judgement(.deny(Refusal(code: PolicyCode.error, message: message, rule: failure.policy)))
        }
        guard let first = response.reason.first else {
            return judgement(.deny(Self.unpermitted(request.tool)))
        }
        var demand: ApprovalDemand?
        var limits: [LimitDemand] = []
        for id in response.reason {
            guard let rule = self[rule: id] else { continue }
            for limit in rule.bound[request.tool.name] ?? [] {
                switch limit.taking(request) {
                case .demand(let taken): if !limits.contains(where: { $0.id == taken.id }) { limits.append(taken) }
                case .negative:
                    let message = "A negative amount cannot be counted against the limit \(limit.limit.text)."
                    return judgement(.deny(Refusal(code: RefusalCode.denied, message: message, rule: id)), rules: [id])
                case .misfit:
                    let message = "The limit \(limit.limit.text) cannot be read for this call."
                    return judgement(.deny(Refusal(code: PolicyCode.error, message: message, rule: id)), rules: [id])
                }
            }
            if let approval = rule.approval?.demand(of: id) { demand = demand?.joined(with: approval) ?? approval }
        }
        return judgement(demand.map(Verdict.needsApproval) ?? .allow(rule: first), limits: limits, rules: response.reason)
    }

    private func forbidden(by id: String) -> Refusal {
        Refusal(code: RefusalCode.denied, message: self[rule: id]?.message ?? "The rule \(id) forbids this call.", rule: id)
    }

    private static func unpermitted(_ tool: ToolDefinition) -> Refusal {
        Refusal(code: RefusalCode.denied, message: "No policy allows this call of \(tool.name).", rule: PolicyCode.defaultRule)
    }

    // MARK: - By name alone

    /// Whether the name alone is forbidden: no permit's scope fits caller and tool, or a forbid without clauses does. Nil is no permission.
    public func refusal(of tool: ToolDefinition, for caller: CallerIdentity, source: CallSource) -> Refusal? {
        if let refusal = AllowListDecider().refusal(of: tool, for: caller, source: source) { return refusal }
        guard let known = schema.byName[tool.name], let question = schema.question(caller, action: known.action) else {
            return Self.unpermitted(tool)
        }
        let scope = scopes[tool.name] ?? NameScope()
        func fits(_ number: Int) -> Bool {
            let policy = rules[number].policy
            return policy.principal.admits(question.request.principal, question.entities)
                && policy.resource.admits(question.request.resource, question.entities)
        }
        if let forbid = scope.unconditionalForbids.first(where: fits) { return forbidden(by: rules[forbid].id) }
        return scope.permits.contains(where: fits) ? nil : Self.unpermitted(tool)
    }
}

extension ShadowRuling {
    init(_ verdict: Verdict, version: String) {
        switch verdict {
        case .allow(let rule): self.init(version: version, decision: .allow, rule: rule)
        case .deny(let refusal): self.init(version: version, decision: .deny, rule: refusal.rule)
        case .needsApproval(let demand): self.init(version: version, decision: .approval, rule: demand.rule)
        }
    }
}
