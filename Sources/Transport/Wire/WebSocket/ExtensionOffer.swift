/// One element of `Sec-WebSocket-Extensions` (RFC 6455 §9.1): a name, and parameters with or without a value.
struct ExtensionOffer: Sendable {
    let name: String
    let parameters: [(name: String, value: String?)]

    /// All elements of the fields, in their order; nil when one of them breaks the grammar. Linear in the length (attack 13).
    static func parse(_ fields: [String]) -> [ExtensionOffer]? {
        var offers: [ExtensionOffer] = []
        for field in fields {
            var scanner = Scanner(bytes: Array(field.utf8))
            repeat {
                scanner.skipBlanks()
                // A list may have empty elements (RFC 9110 §5.6.1.2).
                if scanner.isAtEnd || scanner.peek == UInt8(ascii: ",") { continue }
                guard let offer = scanner.offer() else { return nil }
                offers.append(offer)
            } while scanner.skip(",")
            guard scanner.isAtEnd else { return nil }
        }
        return offers
    }

    private struct Scanner {
        let bytes: [UInt8]
        var index = 0

        init(bytes: [UInt8]) { self.bytes = bytes }

        var isAtEnd: Bool { index == bytes.count }
        var peek: UInt8? { index < bytes.count ? bytes[index] : nil }

        mutating func skipBlanks() {
            while let byte = peek, byte == 0x20 || byte == 0x09 { index += 1 }
        }

        mutating func skip(_ mark: Unicode.Scalar) -> Bool {
            skipBlanks()
            guard peek == UInt8(ascii: mark) else { return false }
            index += 1
            return true
        }

        mutating func token() -> String? {
            skipBlanks()
            let start = index
            while let byte = peek, HTTPListItem.isTokenByte(byte) { index += 1 }
            return index > start ? String(decoding: bytes[start..<index], as: UTF8.self) : nil
        }

        /// What is quoted must be a token once the quotes are gone (§9.1).
        mutating func value() -> String? {
            guard skip("\"") else { return token() }
            var value: [UInt8] = []
            while let byte = peek, byte != UInt8(ascii: "\"") {
                index += 1
                var character = byte
                if byte == UInt8(ascii: "\\") {
                    guard let escaped = peek else { return nil }
                    index += 1
                    character = escaped
                }
                guard HTTPListItem.isTokenByte(character) else { return nil }
                value.append(character)
            }
            guard skip("\""), !value.isEmpty else { return nil }
            return String(decoding: value, as: UTF8.self)
        }

        mutating func offer() -> ExtensionOffer? {
            guard let name = token() else { return nil }
            var parameters: [(name: String, value: String?)] = []
            while skip(";") {
                guard let parameter = token() else { return nil }
                var value: String?
                if skip("=") {
                    guard let text = self.value() else { return nil }
                    value = text
                }
                parameters.append((parameter, value))
            }
            return ExtensionOffer(name: name, parameters: parameters)
        }
    }
}
