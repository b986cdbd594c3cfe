/// SplitMix64: the same seed gives the same run on every machine.
struct SeededGenerator: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }

    mutating func bytes(_ count: Int) -> [UInt8] { (0..<count).map { _ in UInt8.random(in: 0...255, using: &self) } }

    /// Text with characters of every UTF-8 length.
    mutating func text(_ count: Int) -> String {
        let alphabet: [Character] = [
            "a", "Z", "0", " ", "\"", "\\", "\n", "é", "ß", "水", "\u{FFFF}", "😀", "\u{10FFFF}", "\u{7FF}", "\u{800}",
        ]
        return String((0..<count).map { _ in alphabet[Int.random(in: 0..<alphabet.count, using: &self)] })
    }

    /// Cuts `bytes` at random places; pieces may be empty.
    mutating func chop(_ bytes: [UInt8]) -> [[UInt8]] {
        var pieces: [[UInt8]] = []
        var start = 0
        while start < bytes.count {
            let end = min(bytes.count, start + Int.random(in: 0...max(1, min(40, bytes.count)), using: &self))
            pieces.append([UInt8](bytes[start..<end]))
            start = end
        }
        return pieces
    }
}

/// A fresh seed, printed by the test's failure message.
func randomSeed() -> UInt64 { UInt64.random(in: 0...UInt64.max) }
