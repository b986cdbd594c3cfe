/// Counts what clients received, and knows nothing of leases, counters or windows but their caps.
struct Witness {
    private(set) var delivered: [Int64]
    private let limits: [Int64]

    /// - Parameter loaded: what was used before, in nano-USD and tokens in turns, like `caps`.
    init(caps: [Int64], loaded: [Int64]) {
        delivered = Array(repeating: 0, count: caps.count)
        // Money is counted in pico-USD: nothing is rounded here.
        limits = caps.indices.map { (caps[$0] - loaded[$0]) * ($0 % 2 == 0 ? 1_000 : 1) }
    }

    /// - Returns: the window whose cap is exceeded now.
    mutating func count(_ path: WindowPath, prompt: Int64, output: Int64) -> Int? {
        let amounts = (prompt * Traffic.inputPrice + output * Traffic.outputPrice, prompt + output)
        var broken: Int?
        for window in path {
            delivered[window] += window % 2 == 0 ? amounts.0 : amounts.1
            if delivered[window] > limits[window] { broken = window }
        }
        return broken
    }

    /// What the cap still leaves, in nano-USD or tokens.
    func left(_ window: Int) -> Int64 { (limits[window] - delivered[window]) / (window % 2 == 0 ? 1_000 : 1) }
}
