import Accounting

/// A client's place: one stream after another, each with the product's own lease.
struct Place {
    enum Phase: UInt8 {
        /// Has nothing: refused, or cut by a cap, which ends the place.
        case away
        case opening
        case live
        /// A take found nothing left and waits for the answer.
        case waiting
        case ending
    }

    var machine: LeaseMachine?
    var phase = Phase.away
    let user: Int32
    /// A `take` that was scheduled under an older one is out of date.
    var generation: UInt32 = 0
    /// Microseconds a token.
    var pace: Int32 = 0
    var length: Int32 = 0
    var taken: Int32 = 0
    var prompt: Int32 = 0
    /// Tokens that the waiting take asked for, and since when.
    var pending: Int32 = 0
    var exhaustedAt: Int64 = 0
    /// When the first token would have been paid if every other had come in time.
    var origin: Int64 = 0
    var failures: Int32 = 0
    var isCut = false

    init(user: Int32) { self.user = user }

    func time(of token: Int32) -> Int64 { origin + Int64(token) * Int64(pace) }
}

/// A command on its way to a master and back.
struct Flight {
    var command: CounterCommand
    var place: Int32
    var set: Int32
    var sent: Int64
    var reply: CounterReply?
    /// The widening that it is part of.
    var widening: Int32 = -1
    /// A refusal that the root could not change: the stream is told.
    var isJudged = false
    /// Sent before, and not answered in time.
    var isRepeat = false
}

/// A master: one server, in the order of arrival, each script in its measured time.
struct Master {
    private(set) var freeAt: Int64 = 0
    /// While it is counted.
    var scripts = 0
    var repeats = 0
    var busy: Int64 = 0

    /// - Returns: when the script is decided, and when it is answered.
    mutating func serve(_ cost: Int64, at now: Int64) -> (start: Int64, end: Int64) {
        let start = max(now, freeAt)
        freeAt = start + cost
        return (start, freeAt)
    }
}
