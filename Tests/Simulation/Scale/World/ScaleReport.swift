import Accounting

/// What became of one world.
public struct ScaleReport: Sendable {
    public let settings: ScaleSettings
    /// The rule that was broken, in words.
    public let violation: String?
    /// Places that have a lease at the end.
    public let live: Int
    /// Scripts a second that each master was asked for, ascending, and what part of its time they are.
    public let scripts: [Int]
    public let utilisation: [Double]
    /// Commands a second that were sent again because no answer came in time.
    public let repeats: Int
    /// µs in a master's queue.
    public let waits: [Int32]
    /// µs from the token that finds nothing left to the cut.
    public let cuts: [Int32]
    public let rows: Int
    public let tokens: Int
    public let rootRequests: Int
    /// Looks at other slots a second, each a script.
    public let looks: Int
    public let timeouts: Int
    /// Runs that were cut because their master did not answer, and openings refused for that.
    public let failures: Int
    public let unavailable: Int
    public let refused: Int
    public let stranded: [Stranded]
    public let events: Int

    public var isHolding: Bool { timeouts == 0 }

    /// A window of tokens that ended streams.
    public struct Stranded: Sendable {
        public let name: String
        public let slots: Int
        public let cap: Int64
        public let cuts: Int
        /// Left of the cap when the first stream was cut, and when the last was.
        public let first: Int64
        public let last: Int64
        /// Seconds from the first cut to the last.
        public let lasted: Double
    }

    init(_ world: World, events: Int) {
        let figures = world.figures
        let seconds = max(1, world.settings.seconds)
        settings = world.settings
        violation = world.violation
        live = figures.live
        scripts = figures.scripts.map { $0 / seconds }.sorted()
        utilisation = figures.busy.map { Double($0) / Double(seconds) / 1e6 }.sorted()
        repeats = figures.repeats / seconds
        waits = figures.waits
        cuts = figures.cuts
        rows = figures.rows / seconds
        tokens = Int(figures.delivered) / seconds
        rootRequests = figures.rootRequests / seconds
        looks = figures.looks / seconds
        timeouts = figures.timeouts / seconds
        failures = figures.failures / seconds
        unavailable = figures.unavailable / seconds
        refused = figures.refused + figures.refusedAtStart
        stranded = figures.ends.filter { $0.key % 2 == 1 && $0.value.cuts > 1 }.sorted { $0.key < $1.key }.map { window, end in
            Stranded(
                name: world.names.key(window).scope.text, slots: Int(world.budgets.slots[window]), cap: end.cap, cuts: end.cuts,
                first: end.first, last: end.last,
                lasted: Double(end.lastAt - end.firstAt) / 1e6)
        }
        self.events = events
    }

    /// The element at this part of a sorted list.
    static func quantile<Value>(_ sorted: [Value], _ part: Double) -> Value? {
        sorted.isEmpty ? nil : sorted[min(sorted.count - 1, Int(Double(sorted.count) * part))]
    }
}

public enum Scale {
    /// Plays one world. The same settings give the same report, to the last number.
    public static func play(_ settings: ScaleSettings) -> ScaleReport {
        let world = World(settings)
        world.play()
        return ScaleReport(world, events: world.events)
    }
}
