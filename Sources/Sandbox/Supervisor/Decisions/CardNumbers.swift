internal import JSON

/// Finds what looks like a payment card's number in a text: 13 to 19 digits (ISO/IEC 7812-1), in groups with single spaces or dashes
/// between them, with a valid check digit. Pure, and linear in the text.
enum CardNumbers {
    private static let digits = 13...19

    /// The text with each such number replaced; nil when there is none.
    static func masked(_ text: String) -> String? {
        let bytes = Array(text.utf8)
        guard bytes.count >= digits.lowerBound else { return nil }
        var kept: [UInt8] = []
        var position = 0
        var isMasked = false
        while position < bytes.count {
            if isGroupStart(bytes, position), let end = end(of: bytes, from: position) {
                kept += Redaction.mark.utf8
                position = end
                isMasked = true
            } else {
                kept.append(bytes[position])
                position += 1
            }
        }
        return isMasked ? String(decoding: kept, as: UTF8.self) : nil
    }

    static func masked(_ value: JSONValue) -> JSONValue {
        switch value {
        case .string(let text): return masked(text).map { .string($0) } ?? value
        case .array(let elements): return .array(elements.map { masked($0) })
        case .object(let object): return .object(JSONObject(object.members.map { ($0.key, masked($0.value)) }))
        case .null, .bool, .integer, .number, .bytes: return value
        }
    }

    private static func isGroupStart(_ bytes: [UInt8], _ position: Int) -> Bool {
        SafeText.isDigit(bytes[position]) && (position == 0 || !SafeText.isDigit(bytes[position - 1]))
    }

    /// Where the longest number that begins here ends.
    private static func end(of bytes: [UInt8], from start: Int) -> Int? {
        var number: [UInt8] = []
        var end: Int?
        var position = start
        while position < bytes.count {
            let byte = bytes[position]
            if SafeText.isDigit(byte) {
                number.append(byte - UInt8(ascii: "0"))
                guard number.count <= digits.upperBound else { break }
                let isGroupEnd = position + 1 == bytes.count || !SafeText.isDigit(bytes[position + 1])
                if isGroupEnd, digits.contains(number.count), isValid(number) { end = position + 1 }
            } else if byte != UInt8(ascii: " ") && byte != UInt8(ascii: "-") || !SafeText.isDigit(bytes[position - 1]) {
                break
            }
            position += 1
        }
        return end
    }

    /// ISO/IEC 7812-1, annex B (Luhn).
    private static func isValid(_ number: [UInt8]) -> Bool {
        var sum = 0
        for (place, digit) in number.reversed().enumerated() {
            let value = place.isMultiple(of: 2) ? Int(digit) : Int(digit) * 2
            sum += value > 9 ? value - 9 : value
        }
        return sum.isMultiple(of: 10) && number.contains { $0 != 0 }
    }
}
