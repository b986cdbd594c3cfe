internal import Accounting
internal import Engine

/// Meets the engine's ``UsageMeter`` with Accounting.
struct MeterBinding: UsageMeter {
    let accountant: Accountant

    func open(_ admission: RunAdmission) async -> Engine.AdmissionOutcome {
        let path: TenancyPath
        do {
            let tenant = admission.tenant
            path = try TenancyPath(org: tenant.org, project: tenant.project, user: tenant.user, key: tenant.key)
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
        case .admitted(let lease): return .admitted(LeaseBinding(lease))
        case .refused(let cause): return .refused(CutDescription(cause))
        case .priceUnknown(let model):
            return .failed(
                code: StartFailure.Code.priceUnknown.rawValue,
                message: "There is no price for the model \(model), and a money budget applies. Add one to the price file.")
        case .unavailable: return .refused(CutDescription(.unavailable))
        }
    }
}

/// One run's lease in the engine's words.
final class LeaseBinding: RunLease {
    private let lease: StreamLease

    init(_ lease: StreamLease) { self.lease = lease }

    var outputTokensMax: Int? { lease.outputTokensMax.map(Int.init) }

    func take(outputTokens: Int, reasoning: Bool) -> Engine.TakeOutcome {
        Engine.TakeOutcome(lease.take(outputTokens: outputTokens, reasoning: reasoning))
    }

    func awaitGrant() async -> Engine.TakeOutcome { Engine.TakeOutcome(await lease.awaitGrant()) }

    func settle(_ usage: Engine.FinalUsage) async -> SettledUsage {
        let final: Accounting.FinalUsage =
            switch usage.evidence {
            case .nothingBilled: .nothing
            case .reserved: .assumed(UsageClasses(usage.usage))
            case .upstream: .exact(UsageClasses(usage.usage))
            // A provider whose own counts are exact has told what was used, token by token.
            case .counted where !usage.usage.isEstimated: .exact(UsageClasses(usage.usage))
            case .counted: .counted(inputTokens: Int64(usage.usage.inputTokens))
            }
        let settlement = await lease.settle(final)
        return SettledUsage(
            inputTokens: Int(settlement.usage.input), outputTokens: Int(settlement.usage.output), costUSD: settlement.cost.decimalText,
            isEstimated: settlement.estimated)
    }

    func report() -> Engine.UsageReport {
        let report = lease.report
        return Engine.UsageReport(
            inputTokens: Int(report.usage.input), outputTokens: Int(report.usage.output), costUSD: report.cost.decimalText,
            windows: report.windows.map(WindowReport.init), warning: report.warning)
    }
}

extension UsageClasses {
    init(_ usage: ModelUsage) {
        self.init(
            inputFresh: Int64(usage.inputFresh), inputCacheRead: Int64(usage.inputCacheRead), inputCacheWrite: Int64(usage.inputCacheWrite),
            outputVisible: Int64(usage.outputVisible), outputReasoning: Int64(usage.outputReasoning))
    }
}

extension Engine.TakeOutcome {
    init(_ outcome: Accounting.TakeOutcome) {
        switch outcome {
        case .paid: self = .paid
        case .awaitGrant: self = .awaitGrant
        case .cut(let cause): self = .cut(CutDescription(cause))
        }
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
