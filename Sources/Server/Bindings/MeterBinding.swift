internal import Accounting
internal import Engine
internal import JSON
internal import Synchronization

/// Meets the engine's ``UsageMeter`` with Accounting.
///
/// Each admission is in the decision log before anything is called upstream, and each cut before its run's last event.
struct MeterBinding: UsageMeter {
    let accountant: Accountant
    let trail: AuditTrail

    func open(_ admission: RunAdmission) async -> Engine.AdmissionOutcome {
        let path: TenancyPath
        do {
            path = try TenancyPath(of: admission.tenant)
        } catch {
            return .failed(code: "invalid_tenant", message: "The credential's tenant has a name that cannot be accounted.")
        }
        let prompt: PromptTokens =
            switch admission.promptTokens {
            case .exact(let count): .exact(Int64(count))
            case .atMost(let bound, _): .atMost(Int64(bound))
            }
        let question = Admission(
            path: path, run: admission.run.text, model: admission.model, prompt: prompt,
            maxOutput: admission.outputTokensMax.map(Int64.init), minimumOutput: Int64(admission.outputTokensMin),
            mode: admission.metering == .reserve ? .reserve : .slices, countsRequest: admission.attempt == 1)
        switch await accountant.open(question) {
        case .admitted(let lease):
            let act = AuditTrail.Act(admission, path)
            // A later attempt belongs to the request that was admitted.
            if admission.attempt == 1, await trail.record(act) == nil {
                _ = await lease.settle(.nothing)
                return .failed(
                    code: StartFailure.Code.logUnavailable.rawValue,
                    message: "The admission cannot be recorded, so nothing is called. Try again.")
            }
            return .admitted(LeaseBinding(lease, act, trail))
        case .refused(let cause): return .refused(refusal(CutDescription(cause), of: admission, path))
        case .priceUnknown(let model):
            return .failed(
                code: StartFailure.Code.priceUnknown.rawValue,
                message: "There is no price for the model \(model), and a money budget applies. Add one to the price file.")
        case .unavailable: return .refused(refusal(CutDescription(.unavailable), of: admission, path))
        }
    }

    private func refusal(_ cut: CutDescription, of admission: RunAdmission, _ path: TenancyPath) -> CutDescription {
        var act = AuditTrail.Act(admission, path)
        act.refuse(cut)
        return cut.decided(by: trail.note(act).id)
    }
}

extension TenancyPath {
    /// - Throws: ``ScopeError`` for a name that cannot be accounted.
    init(of tenant: Tenant) throws(ScopeError) {
        try self.init(org: tenant.org, project: tenant.project, user: tenant.user, key: tenant.key)
    }
}

extension AuditTrail.Act {
    init(_ admission: RunAdmission, _ path: TenancyPath) {
        self.init(kind: .admission, path: path, action: "run.admission", run: admission.run.text, subject: admission.model)
        source = .caller
        rule = "accounting.budgets"
        if admission.attempt > 1 { details["attempt"] = .integer(Int64(admission.attempt)) }
    }

    /// Accounting, or an operator, said no.
    mutating func refuse(_ cut: CutDescription) {
        (decision, code, rule, message) = (.deny, cut.reason.rawValue, "accounting.limit", cut.sentence(isRefusal: kind == .admission))
        details["cut"] = cut.json
    }
}

/// One run's lease in the engine's words. Safe to use from any task; the cut that it told of is in a `Mutex`.
final class LeaseBinding: RunLease {
    private struct Cut {
        let description: CutDescription
        let writing: Task<Bool, Never>
    }

    private let lease: StreamLease
    private let act: AuditTrail.Act
    private let trail: AuditTrail
    private let cut = Mutex<Cut?>(nil)

    /// - Parameter act: the admission.
    init(_ lease: StreamLease, _ act: AuditTrail.Act, _ trail: AuditTrail) {
        self.lease = lease
        self.act = act
        self.trail = trail
    }

    var outputTokensMax: Int? { lease.outputTokensMax.map(Int.init) }

    func take(outputTokens: Int, reasoning: Bool) -> Engine.TakeOutcome {
        outcome(lease.take(outputTokens: outputTokens, reasoning: reasoning))
    }

    func awaitGrant() async -> Engine.TakeOutcome { outcome(await lease.awaitGrant()) }

    private func outcome(_ outcome: Accounting.TakeOutcome) -> Engine.TakeOutcome {
        switch outcome {
        case .paid: .paid
        case .awaitGrant: .awaitGrant
        case .cut(let cause): .cut(decided(CutDescription(cause)))
        }
    }

    /// Nothing more is forwarded from here on. The record is written meanwhile, and ``settle(_:)`` waits for it.
    private func decided(_ description: CutDescription) -> CutDescription {
        cut.withLock { cut in
            if let cut { return cut.description }
            var act = act
            (act.kind, act.action, act.source) = (.cut, "run.cut", .server)
            act.refuse(description)
            let (id, writing) = trail.note(act)
            let decided = description.decided(by: id)
            cut = Cut(description: decided, writing: writing)
            return decided
        }
    }

    func settle(_ usage: Engine.FinalUsage) async -> SettledUsage {
        let final: Accounting.FinalUsage =
            switch usage.evidence {
            case .nothingBilled: .nothing
            case .reserved: .assumed(UsageClasses(usage.usage))
            case .upstream: .exact(UsageClasses(usage.usage))
            // A provider whose own counts are exact has told what was used, token by token.
            case .counted where !usage.usage.isEstimated: .exact(UsageClasses(usage.usage))
            // Counted output beside a prompt of which the upstream has told what its cache took and gave.
            case .counted where usage.usage.hasCachedInput: .assumed(UsageClasses(usage.usage))
            case .counted: .counted(inputTokens: Int64(usage.usage.inputTokens))
            }
        let settlement = await lease.settle(final)
        _ = await cut.withLock { $0?.writing }?.value
        var settled = SettledUsage(
            inputTokens: Int(settlement.usage.input), outputTokens: Int(settlement.usage.output), costUSD: settlement.cost.decimalText,
            isEstimated: settlement.estimated)
        settled.details.cacheRead = Int(settlement.usage.inputCacheRead)
        settled.details.cacheWrite = Int(settlement.usage.inputCacheWrite)
        settled.details.reasoning = Int(settlement.usage.outputReasoning)
        return settled
    }

    func report() -> Engine.UsageReport {
        let report = lease.report
        return Engine.UsageReport(
            inputTokens: Int(report.usage.input), outputTokens: Int(report.usage.output), costUSD: report.cost.decimalText,
            windows: report.windows.map(WindowReport.init), warning: report.warning)
    }
}

extension ModelUsage {
    fileprivate var hasCachedInput: Bool { inputCacheRead > 0 || inputCacheWrite > 0 }
}

extension UsageClasses {
    init(_ usage: ModelUsage) {
        self.init(
            inputFresh: Int64(usage.inputFresh), inputCacheRead: Int64(usage.inputCacheRead), inputCacheWrite: Int64(usage.inputCacheWrite),
            outputVisible: Int64(usage.outputVisible), outputReasoning: Int64(usage.outputReasoning))
    }
}

extension CutDescription {
    init(_ cause: CutCause) {
        let reason: Engine.CutReason =
            switch cause.reason {
            case .budgetExceeded: .budgetExceeded
            case .rateLimited: .rateLimited
            case .policyDenied: .policyDenied
            case .killed: .killed
            case .accountingUnavailable: .accountingUnavailable
            }
        guard let window = cause.window else {
            self.init(reason: reason)
            return
        }
        let unit = window.key.unit
        self.init(
            reason: reason, scopeKind: window.key.scope.kind.rawValue, scopeID: window.key.scope.id, model: window.key.modelName,
            tool: window.key.tool?.text, unit: unit.rawValue, window: window.key.period.rawValue, zone: window.key.zone,
            limit: unit.text(window.cap),
            used: unit.text(window.used),
            resetsAt: window.resetsAt?.rawValue)
    }
}

extension WindowReport {
    init(_ window: WindowSnapshot) {
        let unit = window.key.unit
        self.init(
            scope: window.key.scope.text, unit: unit.rawValue, window: window.key.period.rawValue, zone: window.key.zone,
            limit: unit.text(window.cap),
            used: unit.text(window.used), held: unit.text(window.held), suspense: unit.text(window.suspense),
            resetsAt: window.resetsAt?.rawValue)
    }
}
