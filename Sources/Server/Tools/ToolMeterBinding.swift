internal import Accounting
internal import JSON
internal import Supervisor

/// Meets the supervisor's ``CallMeter`` with Accounting: a call and its cost are held in every window before the tool is called.
struct ToolMeterBinding: CallMeter {
    let accountant: Accountant

    func reserve(tool: String, cost: Int64, caller: CallerIdentity) async -> MeterAnswer {
        guard let name = ToolName(tool), let path = try? TenancyPath(of: caller),
            let call = try? ToolCall(path: path, run: caller.run, tool: name, cost: NanoUSD(cost))
        else { return .unavailable }
        switch await accountant.reserve(call) {
        case .admitted(let lease): return .admitted(Reservation(lease: lease))
        case .refused(let cause): return .refused(MeterRefusal(cause))
        case .unavailable: return .unavailable
        }
    }

    private struct Reservation: CallReservation {
        let lease: CallLease

        func commit() async { await lease.commit() }
        func refund() async { await lease.refund() }
    }
}

extension MeterRefusal {
    /// A window, or an operator, said no.
    fileprivate init(_ cause: CutCause) {
        var details = JSONObject()
        if let window = cause.window {
            let unit = window.key.unit
            details = JSONObject([
                ("scope", ["kind": .string(window.key.scope.kind.rawValue), "id": .string(window.key.scope.id)]),
                ("unit", .string(unit.rawValue)), ("window", .string(window.key.period.rawValue)),
                ("limit", .string(unit.text(window.cap))), ("used", .string(unit.text(window.used))),
            ])
            if let resets = window.resetsAt {
                details["resets_at"] = .integer(resets.rawValue)
                details["retry_after"] = .integer(max(1, (resets.rawValue - WallClock.now().rawValue + 999) / 1_000))
            }
            if let tool = cause.tool { details["tool"] = .string(tool.text) }
        }
        let what = cause.scope.map { "\($0.kind.rawValue) \($0.id)" } ?? "the caller"
        self.init(
            kind: cause.reason == .budgetExceeded ? .budgetExceeded : .rateLimited,
            message: "The limit of \(what) does not allow this call now.", details: details)
    }
}
