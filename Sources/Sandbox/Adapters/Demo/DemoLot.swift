/// Made-up facts about an id: drawn from its hash, so that they are the same in every process.
struct DemoLot {
    static let firstNames = ["Ada", "Alan", "Barbara", "Edsger", "Grace", "Leslie", "Margaret", "Tony"]
    static let lastNames = ["Abel", "Berg", "Costa", "Dubois", "Eriksen", "Fischer", "Green", "Haas"]

    private var hash: UInt64

    init(_ id: String) {
        // FNV-1a: `Hasher` is seeded anew in each process.
        hash = id.utf8.reduce(0xCBF2_9CE4_8422_2325) { ($0 ^ UInt64($1)) &* 0x100_0000_01B3 }
    }

    /// One of the values; there has to be one.
    mutating func pick(_ values: [String]) -> String { values[number(below: values.count)] }

    /// From 0 up to `limit`, which is above 0.
    mutating func number(below limit: Int) -> Int {
        defer { hash /= UInt64(limit) }
        return Int(hash % UInt64(limit))
    }
}
