public import JSON

/// Writes JSON values as MessagePack, each in the shortest format that holds it, as notepack does.
///
/// Numbers that are no `Int64` become binary fractions, which is what JavaScript has them as. Confined to whoever holds it.
public struct MessagePackWriter: Sendable {
    public private(set) var bytes: [UInt8] = []

    public init(reserving capacity: Int = 256) { bytes.reserveCapacity(capacity) }

    public static func bytes(of value: JSONValue) -> [UInt8] {
        var writer = MessagePackWriter()
        writer.value(value)
        return writer.bytes
    }

    /// Depth is that of a parsed value, so the recursion is bounded by `JSONLimits`.
    public mutating func value(_ json: JSONValue) {
        switch json {
        case .null: bytes.append(0xC0)
        case .bool(let flag): bytes.append(flag ? 0xC3 : 0xC2)
        case .integer(let integer): value(integer)
        case .number(let text): number(text)
        case .string(let text): value(text)
        case .array(let elements):
            beginArray(elements.count)
            for element in elements { value(element) }
        case .object(let object):
            beginMap(object.count)
            for member in object.members {
                value(member.key)
                value(member.value)
            }
        case .bytes(let data): value(data)
        }
    }

    /// The elements follow.
    public mutating func beginArray(_ count: Int) { head(count, short: 0x90...0x9F, eight: nil, sixteen: 0xDC, thirtyTwo: 0xDD) }

    /// As many pairs of a key and a value follow.
    public mutating func beginMap(_ count: Int) { head(count, short: 0x80...0x8F, eight: nil, sixteen: 0xDE, thirtyTwo: 0xDF) }

    public mutating func value(_ text: String) {
        head(text.utf8.count, short: 0xA0...0xBF, eight: 0xD9, sixteen: 0xDA, thirtyTwo: 0xDB)
        bytes.append(contentsOf: text.utf8)
    }

    public mutating func value(_ data: [UInt8]) {
        head(data.count, short: nil, eight: 0xC4, sixteen: 0xC5, thirtyTwo: 0xC6)
        bytes.append(contentsOf: data)
    }

    public mutating func value(_ integer: Int64) {
        switch integer {
        case 0...0x7F: bytes.append(UInt8(integer))
        case -32..<0: bytes.append(UInt8(bitPattern: Int8(integer)))
        case 0...0xFF: append(0xCC, UInt8(integer))
        case 0...0xFFFF: append(0xCD, UInt16(integer))
        case 0...0xFFFF_FFFF: append(0xCE, UInt32(integer))
        case 0...: append(0xCF, UInt64(integer))
        case (-0x80)...: append(0xD0, UInt8(bitPattern: Int8(integer)))
        case (-0x8000)...: append(0xD1, UInt16(bitPattern: Int16(integer)))
        case (-0x8000_0000)...: append(0xD2, UInt32(bitPattern: Int32(integer)))
        default: append(0xD3, UInt64(bitPattern: integer))
        }
    }

    private mutating func number(_ text: String) {
        if let integer = UInt64(text) { return append(0xCF, integer) }
        append(0xCB, (Double(text) ?? .nan).bitPattern)
    }

    /// The head of a value of `count` parts.
    private mutating func head(_ count: Int, short: ClosedRange<UInt8>?, eight: UInt8?, sixteen: UInt8, thirtyTwo: UInt8) {
        if let short, count < short.count {
            bytes.append(short.lowerBound + UInt8(count))
        } else if let eight, count <= 0xFF {
            append(eight, UInt8(count))
        } else if count <= 0xFFFF {
            append(sixteen, UInt16(count))
        } else {
            // Nothing that this process holds has 2^32 parts.
            append(thirtyTwo, UInt32(clamping: count))
        }
    }

    private mutating func append<Number: FixedWidthInteger & UnsignedInteger>(_ format: UInt8, _ number: Number) {
        bytes.append(format)
        withUnsafeBytes(of: number.bigEndian) { bytes.append(contentsOf: $0) }
    }
}
