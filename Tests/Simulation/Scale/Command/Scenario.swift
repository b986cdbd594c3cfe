import ScaleWorld

/// The worlds of docs/scale.md.
enum Scenario {
    /// A million streams: as they come, with the hot organisation split, and with masters and slots enough.
    static func large(seed: UInt64) -> [ScaleSettings] {
        var plain = ScaleSettings()
        plain.seed = seed
        var split = plain
        split.hotSlots = 16
        var enough = plain
        enough.masters = 200
        enough.hotSlots = 64
        enough.streamsPerSlot = 5_000
        enough.isBalanced = true
        var near = enough
        near.isNearCap = true
        near.seconds = 6
        return [plain, split, enough, near]
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
