/// Which nodes are gone: those whose count of signs of life has stood still for too long, by this node's own clock. Pure.
///
/// No two clocks are compared, and a store that was emptied has no nodes rather than dead ones.
struct NodeWatch: Sendable {
    private struct Sighting {
        var beats: Int64
        var at: ContinuousClock.Instant
    }

    private let own: String
    private let silence: Duration
    private var sightings: [String: Sighting] = [:]

    init(own: String, silence: Duration = RunLogLimits.silence) {
        self.own = own
        self.silence = silence
    }

    /// - Returns: those that have been silent for so long.
    mutating func look(_ beats: [String: Int64], at now: ContinuousClock.Instant) -> [String] {
        sightings = sightings.filter { beats[$0.key] != nil }
        for (node, count) in beats where node != own {
            if sightings[node]?.beats != count { sightings[node] = Sighting(beats: count, at: now) }
        }
        return sightings.filter { now - $0.value.at >= silence }.map(\.key).sorted()
    }
}
