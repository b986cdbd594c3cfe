internal import Synchronization

/// The question whether a tool may be called now.
public struct ToolCall: Sendable, Hashable {
    public let path: TenancyPath
    /// The run that calls it, whose charges the call's stand among.
    public let run: String
    public let tool: ToolName
    /// What the call costs when it happens; zero for a tool without a price.
    public let cost: NanoUSD

    /// - Throws: ``AmountError`` for a cost that no budget could hold.
    public init(path: TenancyPath, run: String, tool: ToolName, cost: NanoUSD = NanoUSD(0)) throws(AmountError) {
        guard cost.rawValue >= 0 else { throw .negative }
        guard cost.rawValue <= AccountingLimits.amountMax else { throw .tooLarge }
        self.path = path
        self.run = run
        self.tool = tool
        self.cost = cost
    }
}

public enum CallOutcome: Sendable {
    case admitted(CallLease)
    case refused(CutCause)
    /// The counters, the ledger or the budgets cannot be asked: the tool must not be called.
    case unavailable
}

/// What became of a call that was admitted.
public struct CallSettlement: Sendable, Hashable {
    public let isCharged: Bool
    /// False when the store did not take it yet; the accountant goes on trying.
    public let isRecorded: Bool
    /// The windows that the call was held in, as they are now; empty when the store did not answer.
    public let windows: [WindowSnapshot]
}

/// One call of a tool, held in every window of its path: 1 call, and what it costs.
///
/// Exactly one of ``commit()`` and ``refund()`` decides; the first does, and later ones get its answer. A call that nobody decides may have
/// happened: it is charged when the last reference goes, and one whose process died stays in suspense. Safe to use from any task; state is
/// in a `Mutex`.
public final class CallLease: Sendable {
    public let call: ToolCall
    private let accountant: Accountant
    private let claim: LeaseClaim
    private let note: (any LeaseNote)?
    /// Among the accountant's settlements.
    private let number: Int
    private let settlement = Mutex<Task<CallSettlement, Never>?>(nil)

    init(call: ToolCall, claim: LeaseClaim, note: (any LeaseNote)?, accountant: Accountant, number: Int) {
        self.call = call
        self.claim = claim
        self.note = note
        self.accountant = accountant
        self.number = number
    }

    deinit {
        guard settlement.withLock({ $0 == nil }) else { return }
        accountant.chargeUndecided(number, pending(isCharged: true, estimated: true), call)
    }

    /// The call has happened, or nobody can say that it has not: it is charged.
    @discardableResult
    public func commit() async -> CallSettlement { await decide(isCharged: true) }

    /// The call has certainly had no effect: nothing is charged, and what was held is free.
    @discardableResult
    public func refund() async -> CallSettlement { await decide(isCharged: false) }

    private func decide(isCharged: Bool) async -> CallSettlement {
        let task = settlement.withLock { settlement -> Task<CallSettlement, Never> in
            if let settlement { return settlement }
            let enlisted = Accountant.Enlisted(settlement: pending(isCharged: isCharged, estimated: false), number: number)
            // A task of its own: the caller's may be cancelled, and a charge must be written all the same.
            let task = accountant.start { [accountant, call] in
                await accountant.settle(call, enlisted, isCharged: isCharged)
            }
            settlement = task
            return task
        }
        return await task.value
    }

    private func pending(isCharged: Bool, estimated: Bool) -> PendingSettlement {
        let spent = isCharged ? Spent(nanoUSD: call.cost.rawValue, calls: 1, estimated: estimated) : .zero
        return accountant.pending(claim, spent: spent, note: note)
    }
}

extension Accountant {
    /// Holds one call of the tool and its cost in every window that counts it, or refuses. Nothing may be called before.
    public func reserve(_ call: ToolCall) async -> CallOutcome {
        // A call that finds no place among the settlements could not be answered for when counters lose their data.
        guard state.withLock({ $0.settlements.count < pendingSettlements }) else { return .unavailable }
        guard let reading = await budgets(for: call.path)?.limiting(call.tool) else { return .unavailable }
        let attribution = Attribution(path: call.path, run: call.run, model: call.tool.subject, priceVersion: "")
        let amounts = Amounts(nanoUSD: call.cost.rawValue, calls: 1)
        for _ in 0..<AccountingLimits.openAttempts {
            // All of it is fixed; the one offer, which a lease has to have, is of nothing.
            let outcome = await openLease(
                attribution, reading: reading, fixed: amounts, offers: [Offer(tokens: 1, amounts: .zero)],
                shareFloor: AccountingLimits.shareFloorTokens, ttl: AccountingLimits.callTTL)
            switch outcome {
            case .unavailable: return .unavailable
            case .denied(let cause): return .refused(cause)
            case .opened(let grant, let note, let life):
                let charge = pending(grant.claim, spent: Spent(nanoUSD: call.cost.rawValue, calls: 1), note: note)
                if let number = enlist(charge, grantedIn: life) {
                    return .admitted(CallLease(call: call, claim: grant.claim, note: note, accountant: self, number: number))
                }
                abandon(grant.lease, note: note)
            }
        }
        return .unavailable
    }

    /// From now on this process answers for the call in every life of the counters, as for a settlement that is under way.
    ///
    /// - Returns: nil when the life in which it was granted is over: this process may have answered for all that it had by then.
    private func enlist(_ charge: PendingSettlement, grantedIn life: Epoch?) -> Int? {
        state.withLock { state in
            guard state.lives[charge.command.lease.org] == life else { return nil }
            state.lastSettlement += 1
            state.settlements[state.lastSettlement] = OpenSettlement(settlement: charge, phase: .underway)
            return state.lastSettlement
        }
    }

    func pending(_ claim: LeaseClaim, spent: Spent, note: (any LeaseNote)?) -> PendingSettlement {
        var claim = claim
        claim.settle(spent)
        return PendingSettlement(
            command: SettleLease(lease: claim.lease, holder: holder, sequence: 1, spent: spent), claim: claim, note: note)
    }

    /// Carries out what was decided about a call.
    fileprivate func settle(_ call: ToolCall, _ enlisted: Enlisted, isCharged: Bool) async -> CallSettlement {
        decided(enlisted.number, enlisted.settlement, .underway)
        let settled = await settle(enlisted)
        if isCharged { metrics?.charged(model: call.tool.subject, usage: .zero, cost: call.cost, estimated: false) }
        return CallSettlement(isCharged: isCharged, isRecorded: settled != nil, windows: settled?.windows ?? [])
    }

    fileprivate func chargeUndecided(_ number: Int, _ settlement: PendingSettlement, _ call: ToolCall) {
        decided(number, settlement, .postponed)
        metrics?.charged(model: call.tool.subject, usage: .zero, cost: call.cost, estimated: true)
    }

    /// On the board before anybody hears of it: whoever comes after this process settles it so.
    private func decided(_ number: Int, _ settlement: PendingSettlement, _ phase: OpenSettlement.Phase) {
        settlement.note?.note(settlement.progress)
        state.withLock { $0.settlements[number] = OpenSettlement(settlement: settlement, phase: phase) }
    }
}
