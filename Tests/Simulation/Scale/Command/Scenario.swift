import ScaleWorld

/// The worlds of docs/scale.md.
enum Scenario {
    /// What sixteen masters carry, with one set of counters for each organisation, with the hot one split, and with all large ones split. Then a
    /// million streams: on the same masters, with longer slices, and with masters enough.
    static func large(seed: UInt64) -> [ScaleSettings] {
        var plain = ScaleSettings()
        plain.seed = seed
        var carried = plain
        carried.streams = 90_000
        var hotSplit = carried
        hotSplit.hotSlots = 16
        hotSplit.isBalanced = true
        var allSplit = hotSplit
        allSplit.streamsPerSlot = 1_500
        var split = plain
        split.hotSlots = 64
        split.streamsPerSlot = 5_000
        split.isBalanced = true
        var longer = split
        longer.streamsPerSlot = 2_500
        longer.masters = 100
        longer.sliceSeconds = 10
        longer.warmUp = 20
        var enough = split
        enough.streamsPerSlot = 2_500
        enough.masters = 256
        var near = enough
        near.isNearCap = true
        near.seconds = 6
        return [carried, hotSplit, allSplit, plain, split, longer, enough, near]
    }

    /// Smaller worlds that are played until the last stream under the hot organisation's cap is cut: split over more and more slots.
    static func atTheCap(seed: UInt64) -> [ScaleSettings] {
        [1, 4, 16, 64].map { slots in
            var settings = ScaleSettings()
            settings.seed = seed
            settings.streams = 18_000
            settings.masters = 16
            settings.hotSlots = slots
            settings.isBalanced = true
            settings.isNearCap = true
            settings.warmUp = 1
            settings.seconds = 59
            return settings
        }
    }
}
