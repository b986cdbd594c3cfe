import ScaleWorld

/// The command line of `scale`: `--name value` pairs over the defaults.
struct Arguments {
    var settings = ScaleSettings()
    /// Without any argument about the world the whole table is printed.
    private(set) var isTable = true

    /// - Returns: false when something is not understood.
    mutating func read(_ words: ArraySlice<String>) -> Bool {
        var words = words
        while let word = words.popFirst() {
            guard let text = words.popFirst(), let value = Int(text), (0...10_000_000).contains(value), take(word, value) else {
                return false
            }
        }
        return settings.streams >= 100 && settings.nodes > 0 && settings.masters > 0 && settings.hotSlots > 0 && settings.hotShare < 1_000
            && settings.seconds > 0
    }

    private mutating func take(_ word: String, _ value: Int) -> Bool {
        if word == "--seed" {
            settings.seed = UInt64(value)
            return true
        }
        isTable = false
        switch word {
        case "--streams": settings.streams = value
        case "--nodes": settings.nodes = value
        case "--masters": settings.masters = value
        case "--share": settings.hotShare = value * 10
        case "--slots": settings.hotSlots = value
        case "--streams-a-slot": settings.streamsPerSlot = value
        case "--balanced": settings.isBalanced = value > 0
        case "--slice": settings.sliceSeconds = max(1, value)
        case "--near": settings.isNearCap = value > 0
        case "--warm-up": settings.warmUp = value
        case "--seconds": settings.seconds = value
        case "--open": settings.costs.open = Int64(value)
        case "--step": settings.costs.step = Int64(value)
        case "--settle": settings.costs.settle = Int64(value)
        default: return false
        }
        return true
    }
}
