import Accounting

/// A node's way to more of a window than its counters may grant, as `Accountant.performWidening` and `gather` go it: first what the durable
/// root has not released, then what other slots of the org do not need.
struct Widening {
    enum Phase {
        /// Of a split org, for something that is needed: one node at a time, says the slot.
        case turn
        /// At the root: more, if there is any.
        case release
        case applying
        /// Of a split org: who has what, then one slot after another is looked at.
        case shares
        case looking
        /// From the slot that can spare most.
        case beginRecall
        case recalling
        case endRecall
        case lastRelease
        case lastApplying
    }

    enum Outcome {
        case more, notYet, exhausted
    }

    /// What waits for the outcome: a refusal of the counters that may not be final.
    struct Waiting {
        let flight: Flight
        let reply: CounterReply
    }

    let name: WideningName
    let slot: Int
    /// The first set of the org's slots.
    let firstSet: Int
    let slots: Int
    let need: Int64
    let cap: Int64
    let tranche: Int64
    var taken: Int64
    var released: Int64
    let turn: Int64
    var phase = Phase.release
    /// True while no other node may ask for this window of the slot.
    var hasTurn = false
    var waiting: [Waiting] = []
    var answer = RootAnswer()
    var isSecondLook = false
    /// By slot: what the root has released to each, and what each has taken.
    var shares: [Int64] = []
    var seen: [Int64] = []
    var unseen = 0
    var donors: [Int] = []
    var freed: Int64 = 0

    var target: Int64 { min(cap, min(taken, cap) + min(need, cap) + tranche) }
}

/// One question of a node about a window at a time.
struct WideningName: Hashable {
    let node: Int32
    let window: Int32
    let set: Int32
}

struct RootAnswer {
    var released: Int64 = 0
    var turn: Int64 = 0
}

/// The durable root's server: commits take turns.
struct RootServer {
    private var freeAt: Int64 = 0

    mutating func serve(_ costs: ScaleCosts, at now: Int64) -> Int64 {
        freeAt = max(now, freeAt) + costs.root
        return max(freeAt, now + costs.rootCommit)
    }
}
