internal import Accounting
internal import Logging
internal import Supervisor

/// Meets the supervisor's ``LimitCounter`` with the durable counters: one transaction takes all limits of a call or none.
struct LimitBinding: LimitCounter {
    let store: any LimitStore
    let logger: Logger

    func reserve(_ demands: [LimitDemand], as reservation: String, for caller: CallerIdentity) async -> LimitAnswer {
        do {
            let takes = demands.map { LimitTake(id: $0.id, amount: $0.amount, cap: $0.cap, period: Period($0.period)) }
            switch try await store.reserve(org: caller.org, reservation: reservation, takes: takes) {
            case .reserved(let uses): return .reserved(zip(demands, uses).map { LimitReading($0, $1) })
            case .exceeded(let use):
                guard let demand = demands.first(where: { $0.id == use.id }) else { return .unavailable }
                return .exceeded(LimitReading(demand, use))
            }
        } catch {
            logger.error(
                "a policy's limits cannot be counted; the call is denied", metadata: ["fault": "\(error)", "run.id": "\(caller.run)"])
            return .unavailable
        }
    }

    func refund(_ reservation: String, for caller: CallerIdentity) async {
        do { try await store.refund(org: caller.org, reservation: reservation) } catch {
            // It stays counted: who cannot be asked whether something was given back has not given it back.
            logger.error("a limit's reservation cannot be given back", metadata: ["fault": "\(error)", "run.id": "\(caller.run)"])
        }
    }
}

extension LimitReading {
    fileprivate init(_ demand: LimitDemand, _ use: LimitUse) {
        self.init(demand: demand, used: use.used, resetsAt: use.resetsAt?.rawValue)
    }
}

extension Period {
    fileprivate init(_ period: LimitDemand.Period) {
        switch period {
        case .minute: self = .minute
        case .hour: self = .hour
        case .day: self = .day
        case .week: self = .week
        case .month: self = .month
        case .ever: self = .total
        }
    }
}
