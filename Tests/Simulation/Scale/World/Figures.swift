/// What is measured. Latencies are kept one by one: there are at most a few millions.
struct Figures {
    var isCounting = false
    var delivered: Int64 = 0
    var refused = 0
    var refusedAtStart = 0
    /// Openings that were given up: 503.
    var unavailable = 0
    private(set) var failures = 0
    private(set) var timeouts = 0
    private(set) var rows = 0
    private(set) var rootRequests = 0
    private(set) var looks = 0
    private(set) var waits: [Int32] = []
    private var waited = 0
    private(set) var cuts: [Int32] = []
    private(set) var ends: [Int: WindowEnd] = [:]
    private(set) var live = 0
    private(set) var scripts: [Int] = []
    private(set) var repeats = 0
    private(set) var busy: [Int64] = []

    /// What a cap left when it ended the first stream, and when it ended the last, in the window's unit.
    struct WindowEnd {
        let cap: Int64
        var cuts = 0
        var first: Int64
        var last: Int64
        var firstAt: Int64
        var lastAt: Int64
    }

    mutating func waited(_ time: Int64) {
        waited += 1
        // One in eight is enough for percentiles.
        if waited % 8 == 0 { waits.append(Int32(clamping: time)) }
    }

    mutating func made(rows more: Int) { if isCounting { rows += more } }

    mutating func asked(_ times: Int = 1) { if isCounting { rootRequests += times } }

    /// A slot was looked at for another's sake.
    mutating func looked() { if isCounting { looks += 1 } }

    mutating func timedOut() { if isCounting { timeouts += 1 } }

    /// - Parameter left: what the cap leaves by the witness.
    mutating func cut(_ window: Int, cap: Int64, after time: Int64, left: Int64, at now: Int64) {
        cuts.append(Int32(clamping: time))
        var end = ends[window] ?? WindowEnd(cap: cap, first: left, last: left, firstAt: now, lastAt: now)
        end.cuts += 1
        end.last = left
        end.lastAt = now
        ends[window] = end
    }

    mutating func failed() { if isCounting { failures += 1 } }

    mutating func finish(_ world: World) {
        live = world.places.reduce(0) { $0 + ($1.machine == nil ? 0 : 1) }
        scripts = world.masters.map(\.scripts)
        repeats = world.masters.reduce(0) { $0 + $1.repeats }
        busy = world.masters.map(\.busy)
        waits.sort()
        cuts.sort()
    }
}
