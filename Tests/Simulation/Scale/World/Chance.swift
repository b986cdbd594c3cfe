#if canImport(Darwin)
internal import Darwin
#else
internal import Glibc
#endif

/// A seeded generator (SplitMix64), and the distributions of traffic.
struct Chance {
    private var state: UInt64

    init(seed: UInt64, stream: UInt64 = 0) { state = seed &* 0x9E37_79B9_7F4A_7C15 ^ (stream &+ 1) &* 0xD1B5_4A32_D192_ED03 }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }

    /// In 0..<1.
    mutating func unit() -> Double { Double(next() >> 11) * 0x1p-53 }

    mutating func uniform(_ range: ClosedRange<Double>) -> Double { range.lowerBound + unit() * (range.upperBound - range.lowerBound) }

    mutating func below(_ count: Int64) -> Int64 { count <= 1 ? 0 : Int64(next() % UInt64(count)) }

    mutating func exponential(mean: Int64) -> Int64 { Int64(-log(1 - unit()) * Double(mean)) }

    /// - Parameter bias: 1 draws what is found under way at some moment (long ones are found more often), 0 what begins.
    mutating func logNormal(_ shape: (median: Double, sigma: Double, max: Double), bias: Double = 0) -> Int64 {
        let normal = (-2 * log(1 - unit())).squareRoot() * cos(2 * Double.pi * unit())
        return Int64(min(shape.max, max(1, exp(log(shape.median) + bias * shape.sigma * shape.sigma + shape.sigma * normal))))
    }

    /// Microseconds a token. Speeds are log-uniform; under way, slow ones are found more often.
    mutating func pace(isUnderWay: Bool) -> Int64 {
        let (slow, fast) = (Traffic.rate.lowerBound, Traffic.rate.upperBound)
        if isUnderWay { return Int64(1e6 * uniform(1 / fast...1 / slow)) }
        return Int64(1e6 / (slow * exp(unit() * log(fast / slow))))
    }
}

/// Which of the 16,384 hash slots of a Redis Cluster a name is in: CRC-16/XMODEM, as `RedisSlots`.
func hashSlot(_ name: String) -> Int {
    var crc: UInt16 = 0
    for byte in name.utf8 {
        crc ^= UInt16(byte) << 8
        for _ in 0..<8 { crc = crc & 0x8000 == 0 ? crc << 1 : crc << 1 ^ 0x1021 }
    }
    return Int(crc) % 16_384
}

/// FNV-1a, folded: by it the slot of a user is chosen.
func fnv(_ name: String) -> UInt64 {
    var hash: UInt64 = 0xCBF2_9CE4_8422_2325
    for byte in name.utf8 { hash = (hash ^ UInt64(byte)) &* 0x0000_0100_0000_01B3 }
    return hash ^ hash >> 32
}
