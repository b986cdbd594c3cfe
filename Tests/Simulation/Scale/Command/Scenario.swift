import ScaleWorld

/// The worlds of docs/scale.md.
enum Scenario {
    /// A million streams: as they come, with the hot organisation split, with longer slices, and with masters enough. Before them what the same
    /// sixteen masters carry.
    static func large(seed: UInt64) -> [ScaleSettings] {
        var plain = ScaleSettings()
        plain.seed = seed
        var carried = plain
        carried.streams = 90_000
        var carriedSplit = carried
        carriedSplit.hotSlots = 16
        carriedSplit.isBalanced = true
        var split = plain
        split.hotSlots = 16
        var longer = plain
        longer.hotSlots = 64
        longer.streamsPerSlot = 5_000
        longer.isBalanced = true
        longer.sliceSeconds = 20
        var enough = longer
        enough.masters = 200
        enough.sliceSeconds = 2
        var enoughLonger = longer
        enoughLonger.masters = 80
        var near = enough
        near.isNearCap = true
        near.seconds = 6
        return [carried, carriedSplit, plain, split, longer, enoughLonger, enough, near]
    }

    /// Smaller worlds that are played until the last stream under the hot organisation's cap is cut: split over more and more slots, and
    /// once more with a single node asking for all (``ScaleSettings/asksOnce``).
    static func atTheCap(seed: UInt64) -> [ScaleSettings] {
        [(1, false), (4, false), (16, false), (64, false), (4, true), (16, true), (64, true)].map { slots, asksOnce in
            var settings = ScaleSettings()
            settings.seed = seed
            settings.streams = 18_000
            settings.masters = 16
            settings.hotSlots = slots
            settings.asksOnce = asksOnce
            settings.isBalanced = true
            settings.isNearCap = true
            settings.warmUp = 1
            settings.seconds = 59
            return settings
        }
    }
}
