/// A seeded generator (SplitMix64): the only source of chance in a simulation.
public struct SeededGenerator: RandomNumberGenerator, Sendable {
    private var state: UInt64

    /// - Parameter stream: different streams of one seed are independent, so that a question more in one place does not
    ///   change the answers in another.
    public init(seed: UInt64, stream: UInt64 = 0) {
        state = seed &* 0x9E37_79B9_7F4A_7C15 ^ (stream &+ 1) &* 0xD1B5_4A32_D192_ED03
    }

    public mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }

    /// The bias of the remainder does not matter here, its speed in a debug build does.
    mutating func integer(_ range: ClosedRange<Int64>) -> Int64 {
        range.lowerBound + Int64(next() % UInt64(range.upperBound - range.lowerBound + 1))
    }

    mutating func index(_ count: Int) -> Int { count == 1 ? 0 : Int(next() % UInt64(count)) }

    mutating func chance(permille: Int64) -> Bool { permille > 0 && integer(0...999) < permille }

    mutating func pick<Element>(_ elements: [Element]) -> Element { elements[index(elements.count)] }
}
