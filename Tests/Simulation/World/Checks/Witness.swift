import Accounting

/// Counts what reaches the clients, knowing nothing of windows and leases. Confined to the loop's thread.
final class Witness: @unchecked Sendable {
    enum Ending {
        case refused(AdmissionOutcome)
        case settled(Settlement, CutCause?)
        /// No process was there to take it.
        case notStarted
    }

    struct Run {
        var isAdmitted = false
        var delivered: Int64 = 0
        var reported: FinalUsage?
        var isSettledEarly = false
        var ending: Ending?
        /// Its process died before all of it was known to be in the store.
        var hasCrashed = false
    }

    struct Delivery {
        let run: Int
        /// By the store's clock, which is the one that windows follow.
        let at: Int64
        let tokens: Int64
        /// Of a run that was reserved: the windows that hold it. What they were asked for is theirs, however late it comes.
        let heldIn: [WindowKey]
    }

    private unowned let world: World
    private(set) var runs: [Run]
    private(set) var deliveries: [Delivery] = []

    init(_ world: World) {
        self.world = world
        runs = Array(repeating: Run(), count: world.plan.runs.count)
    }

    func admitted(_ run: Int) { runs[run].isAdmitted = true }

    /// The first settlement decides.
    func settledEarly(_ run: Int) { runs[run].isSettledEarly = runs[run].reported == nil }

    func reports(_ run: Int, _ usage: FinalUsage) { runs[run].reported = usage }

    func crashed(_ run: Int) { runs[run].hasCrashed = true }

    func delivered(_ run: Int, _ tokens: Int64) {
        runs[run].delivered += tokens
        deliveries.append(Delivery(run: run, at: world.store.now.rawValue, tokens: tokens, heldIn: world.windowsHolding(run)))
        world.trace.note(.deliver, at: world.loop.now, Int64(run), tokens, say: "r\(run) gets \(tokens)")
        world.checkPurse(of: run)
    }

    private static func brief(_ ending: Ending) -> String {
        switch ending {
        case .settled(let settlement, let cut):
            "settled \(settlement.usage.total)\(settlement.isRecorded ? "" : " not recorded") \(cut.map { "cut: \($0.reason)" } ?? "")"
        case .refused(.refused(let cause)): "refused: \(cause.reason)"
        case .refused(.unavailable): "refused: unavailable"
        case .refused(let outcome): "\(outcome)"
        case .notStarted: "not started"
        }
    }

    func ended(_ run: Int, _ ending: Ending) {
        guard runs[run].ending == nil else { return world.fail("one outcome", "r\(run) ended twice") }
        runs[run].ending = ending
        world.runEnded()
        var word: Int64 = 0
        switch ending {
        case .settled(let settlement, let cut): word = settlement.usage.total &* 7 &+ (cut == nil ? 1 : 2)
        case .refused(.unavailable): word = -1
        case .refused: word = -2
        case .notStarted: word = -3
        }
        world.trace.note(.outcome, at: world.loop.now, Int64(run), word, say: "r\(run) ends: \(Self.brief(ending))")
    }
}
