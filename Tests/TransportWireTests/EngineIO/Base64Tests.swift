import NIOCore
import Testing

@testable import TransportWire

@Suite("Base64")
struct Base64Tests {
    private func encode(_ bytes: [UInt8]) -> String {
        var output = ByteBuffer()
        Base64.encode(ByteBuffer(bytes: bytes), into: &output)
        return output.text
    }

    @Test(
        "the vectors of RFC 4648 §10 go both ways",
        arguments: [
            ("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foob", "Zm9vYg=="), ("fooba", "Zm9vYmE="), ("foobar", "Zm9vYmFy"),
        ])
    func vectors(plain: String, encoded: String) {
        #expect(encode(Array(plain.utf8)) == encoded)
        #expect(Base64.decode(ByteBuffer(encoded))?.text == plain)
        #expect(Base64.encodedLength(of: plain.utf8.count) == encoded.utf8.count)
    }

    @Test("every byte and random lengths survive")
    func roundTrip() {
        let seed = randomSeed()
        var random = SeededGenerator(seed: seed)
        let all = [UInt8](0...255)
        #expect(Base64.decode(ByteBuffer(encode(all)))?.array == all)
        for length in 0..<300 {
            let bytes = random.bytes(length)
            #expect(Base64.decode(ByteBuffer(encode(bytes)))?.array == bytes, "seed \(seed), length \(length)")
        }
    }

    @Test(
        "what is not canonical is refused",
        arguments: [
            "A", "AA", "AAA", "AAAAA", "AA=A", "A===", "====", "=AAA", "AAA=AAAA", "AA==AAAA", "AB==", "AAB=", "AA-_", "AA A", "AAA\n",
            "AAÿ",
            "AQIDBA", "AQID BA=", "\u{0}AAA",
        ])
    func refusals(text: String) {
        #expect(Base64.decode(ByteBuffer(text)) == nil)
    }

    @Test("every octet outside the alphabet is refused at every place of a group")
    func alphabet() {
        let alphabet = Set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)
        for octet in UInt8.min...UInt8.max where !alphabet.contains(octet) {
            for place in 0..<8 {
                var text = [UInt8](repeating: UInt8(ascii: "A"), count: 8)
                text[place] = octet
                // Padding at the end is the one exception.
                if octet == UInt8(ascii: "="), place == 7 { continue }
                if Base64.decode(ByteBuffer(bytes: text)) != nil { Issue.record("\(octet) at \(place)") }
            }
        }
    }
}
