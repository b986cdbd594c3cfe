import Accounting

/// Deterministic simulation of Accounting (metering.md §4.6): the real ``Accountant``, ``StreamLease`` and ``CounterMachine``
/// on virtual time and a virtual network, from one seed.
public enum Simulation {
    /// Plays one seed. One that fails is played again to tell what happened.
    ///
    /// - Parameter profile: nil lets the seed choose among ``Profile/all``.
    public static func play(seed: UInt64, profile: Profile? = nil, defect: Defect? = nil) -> SimulationReport {
        let profile = profile ?? Profile.all[Int(seed % UInt64(Profile.all.count))]
        let report = play(seed, profile, defect, kept: 0)
        return report.violation == nil ? report : play(seed, profile, defect, kept: linesAfterFailure)
    }

    private static let linesAfterFailure = 40

    /// Plays one seed and keeps its trace in words even when nothing is wrong.
    public static func tell(seed: UInt64, profile: Profile? = nil, defect: Defect? = nil) -> SimulationReport {
        play(seed, profile ?? Profile.all[Int(seed % UInt64(Profile.all.count))], defect, kept: 100_000)
    }

    private static func play(_ seed: UInt64, _ profile: Profile, _ defect: Defect?, kept: Int) -> SimulationReport {
        let world = World(seed: seed, profile: profile, defect: defect, kept: kept)
        world.run()
        return SimulationReport(
            seed: seed, profile: profile.name, defect: defect, digest: world.trace.digest, events: world.trace.events,
            violation: world.violation, lines: world.trace.lines, counts: world.counts)
    }
}

/// What became of one seed.
public struct SimulationReport: Sendable {
    /// How often something happened: a simulation in which nothing happens proves nothing.
    public struct Counts: Sendable {
        public var commands = 0
        public var faults = 0
        public var granted = 0
        public var denied = 0
        public var rolled = 0
        public var suspended = 0
        public var stale = 0
        /// Commands of a life that had ended, lives that began, leases that were brought into one, lives that were cleared.
        public var lost = 0
        public var begun = 0
        public var asserted = 0
        public var cleared = 0
        /// How often a slot gave something back for another one.
        public var recalled = 0

        public init() {}

        mutating func note(_ command: CounterCommand, _ reply: CounterReply) {
            commands += 1
            switch reply {
            case .granted: granted += 1
            case .denied: denied += 1
            case .wrongSpan: rolled += 1
            case .suspended: suspended += 1
            case .staleFence, .staleSequence, .unknownLease: stale += 1
            case .lost: lost += 1
            default: break
            }
            switch (command, reply) {
            case (.begin, .done): begun += 1
            case (.assert, .done): asserted += 1
            case (.clear, .done): cleared += 1
            case (.recall, .windows): recalled += 1
            default: break
            }
        }

        public static func + (left: Counts, right: Counts) -> Counts {
            var sum = left
            sum.commands += right.commands
            sum.faults += right.faults
            sum.granted += right.granted
            sum.denied += right.denied
            sum.rolled += right.rolled
            sum.suspended += right.suspended
            sum.stale += right.stale
            sum.lost += right.lost
            sum.begun += right.begun
            sum.asserted += right.asserted
            sum.cleared += right.cleared
            sum.recalled += right.recalled
            return sum
        }
    }

    public let seed: UInt64
    public let profile: String
    public let defect: Defect?
    /// Of the whole trace: equal for equal seeds, on any machine.
    public let digest: UInt64
    public let events: Int
    public let violation: Violation?
    /// The last lines of the trace, when it was told.
    public let lines: [String]
    public let counts: Counts

    /// The command that plays this seed again.
    public var replay: String {
        "make simulate SEED=\(seed) PROFILE=\(profile)\(defect.map { " DEFECT=\($0.rawValue)" } ?? "")"
    }

    /// For a person who has to find the defect.
    public var text: String {
        guard let violation else { return "seed \(seed) (\(profile)): \(events) events, digest \(String(digest, radix: 16))" }
        return
            (lines.map { "  \($0)" } + ["seed \(seed), profile \(profile): \(violation.rule): \(violation.detail)", "replay: \(replay)"])
            .joined(separator: "\n")
    }
}
