import Testing

@testable import TransportWire

@Suite("UTF-8 in pieces")
struct UTF8ValidatorTests {
    private func isValid(_ pieces: [[UInt8]]) -> Bool {
        var validator = UTF8Validator()
        for piece in pieces {
            guard piece.withUnsafeBytes({ validator.consume($0) }) else { return false }
        }
        return validator.isComplete
    }

    /// The octets at which the rules of RFC 3629 §4 change, and their neighbours.
    private static let edges: [UInt8] = [
        0x00, 0x41, 0x7F, 0x80, 0x8F, 0x90, 0x9F, 0xA0, 0xBF, 0xC0, 0xC1, 0xC2, 0xDF, 0xE0, 0xE1, 0xEC, 0xED, 0xEE, 0xEF, 0xF0, 0xF1,
        0xF3, 0xF4, 0xF5, 0xF7, 0xF8, 0xFF,
    ]

    @Test("every sequence of up to two octets agrees with the standard library")
    func allPairs() {
        for first in UInt8.min...UInt8.max {
            #expect(isValid([[first]]) == (String(validating: [first], as: UTF8.self) != nil))
            for second in UInt8.min...UInt8.max
            where isValid([[first, second]]) != (String(validating: [first, second], as: UTF8.self) != nil) {
                Issue.record("\(first) \(second)")
            }
        }
    }

    @Test("every sequence of three and four edge octets agrees with the standard library")
    func edgeSequences() {
        for first in Self.edges where first >= 0xC0 {
            for second in Self.edges {
                for third in Self.edges {
                    let three = [first, second, third]
                    if isValid([three]) != (String(validating: three, as: UTF8.self) != nil) { Issue.record("\(three)") }
                    for fourth in Self.edges where first >= 0xF0 {
                        let four = three + [fourth]
                        if isValid([four]) != (String(validating: four, as: UTF8.self) != nil) { Issue.record("\(four)") }
                    }
                }
            }
        }
    }

    @Test("pieces make no difference, wherever the text is cut")
    func everySplit() {
        let text = [UInt8]("aé水😀 plain text that is longer than a word, then \u{10FFFF}\u{800}z".utf8)
        for cut in 0...text.count { #expect(isValid([[UInt8](text[..<cut]), [UInt8](text[cut...])])) }
        #expect(isValid(text.map { [$0] }))
    }

    @Test("random damage is found in text cut at random")
    func randomDamage() {
        let seed = randomSeed()
        var random = SeededGenerator(seed: seed)
        for _ in 0..<2_000 {
            var octets = [UInt8](random.text(12).utf8)
            if Bool.random(using: &random), !octets.isEmpty {
                octets[Int.random(in: 0..<octets.count, using: &random)] = UInt8.random(in: 0...255, using: &random)
            }
            let expected = String(validating: octets, as: UTF8.self) != nil
            #expect(isValid(random.chop(octets)) == expected, "seed \(seed), octets \(octets)")
        }
    }

    @Test(
        "the first octet that cannot stand fails, before the character is complete",
        arguments: [
            [0xC0], [0xC1], [0xF5], [0xFF], [0x80], [0xE0, 0x9F], [0xED, 0xA0], [0xF0, 0x8F], [0xF4, 0x90], [0xE1, 0x41],
            [0xF1, 0x80, 0x41],
        ])
    func failsAtFirstOctet(octets: [UInt8]) {
        var validator = UTF8Validator()
        for (index, octet) in octets.enumerated() {
            let passes = [octet].withUnsafeBytes { validator.consume($0) }
            #expect(passes == (index < octets.count - 1))
        }
    }
}
