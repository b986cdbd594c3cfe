public import JSON

/// Why bytes are no MessagePack value that we take, and at which byte.
public struct MessagePackError: Error, Sendable, Hashable {
    public enum Reason: String, Sendable {
        case unexpectedEnd = "the bytes end too early"
        case unknownFormat = "no value begins with this byte"
        case invalidUTF8 = "the string is not UTF-8"
        case keyIsNoString = "the key of a map is no string"
        case unknownExtension = "this extension is unknown"
        case tooDeep = "arrays and maps nest too deeply"
        case tooManyMembers = "the map has too many members"
        case trailingBytes = "something follows the value"
    }

    public let reason: Reason
    public let offset: Int
}

/// Reads one MessagePack value as the JSON value that JavaScript's notepack means by it.
///
/// A declared length never reserves memory: what is read is what is there. Of the extensions those of notepack are known: a date (its
/// milliseconds), `undefined` (null) and an ArrayBuffer (bytes), and the specification's own date. A pure value; any thread.
///
/// Source: the MessagePack specification, *Formats*; notepack.io for the extensions.
public struct MessagePackReader {
    /// What a date becomes.
    public enum Dates: Sendable {
        case milliseconds
        /// What JavaScript's `toJSON` writes: `2026-11-28T16:00:00.000Z`. What no calendar has is null there too.
        case text
    }

    private let bytes: UnsafeRawBufferPointer
    private let limits: JSONLimits
    private let dates: Dates
    private var position = 0

    /// - Throws: ``MessagePackError`` for anything but exactly one value.
    public static func read(
        _ bytes: UnsafeRawBufferPointer, limits: JSONLimits = JSONLimits(), dates: Dates = .milliseconds
    ) throws(MessagePackError) -> JSONValue {
        var reader = MessagePackReader(bytes: bytes, limits: limits, dates: dates)
        let value = try reader.value(depth: 0)
        guard reader.position == bytes.count else { throw reader.failure(.trailingBytes) }
        return value
    }

    private init(bytes: UnsafeRawBufferPointer, limits: JSONLimits, dates: Dates) {
        self.bytes = bytes
        self.limits = limits
        self.dates = dates
    }

    private func failure(_ reason: MessagePackError.Reason) -> MessagePackError { MessagePackError(reason: reason, offset: position) }

    private mutating func value(depth: Int) throws(MessagePackError) -> JSONValue {
        let format = try integer(UInt8.self)
        switch format {
        case 0x00...0x7F: return .integer(Int64(format))
        case 0x80...0x8F: return try map(Int(format & 0x0F), depth)
        case 0x90...0x9F: return try array(Int(format & 0x0F), depth)
        case 0xA0...0xBF: return .string(try text(Int(format & 0x1F)))
        case 0xC0: return .null
        case 0xC2, 0xC3: return .bool(format == 0xC3)
        case 0xC4: return .bytes(try data(Int(try integer(UInt8.self))))
        case 0xC5: return .bytes(try data(Int(try integer(UInt16.self))))
        case 0xC6: return .bytes(try data(Int(try integer(UInt32.self))))
        case 0xC7: return try ext(Int(try integer(UInt8.self)))
        case 0xC8: return try ext(Int(try integer(UInt16.self)))
        case 0xC9: return try ext(Int(try integer(UInt32.self)))
        case 0xCA: return Self.number(Double(Float(bitPattern: try integer(UInt32.self))))
        case 0xCB: return Self.number(Double(bitPattern: try integer(UInt64.self)))
        case 0xCC: return .integer(Int64(try integer(UInt8.self)))
        case 0xCD: return .integer(Int64(try integer(UInt16.self)))
        case 0xCE: return .integer(Int64(try integer(UInt32.self)))
        case 0xCF:
            let number = try integer(UInt64.self)
            return Int64(exactly: number).map { .integer($0) } ?? .number(String(number))
        case 0xD0: return .integer(Int64(Int8(bitPattern: try integer(UInt8.self))))
        case 0xD1: return .integer(Int64(Int16(bitPattern: try integer(UInt16.self))))
        case 0xD2: return .integer(Int64(Int32(bitPattern: try integer(UInt32.self))))
        case 0xD3: return .integer(Int64(bitPattern: try integer(UInt64.self)))
        case 0xD4...0xD8: return try ext(1 << Int(format - 0xD4))
        case 0xD9: return .string(try text(Int(try integer(UInt8.self))))
        case 0xDA: return .string(try text(Int(try integer(UInt16.self))))
        case 0xDB: return .string(try text(Int(try integer(UInt32.self))))
        case 0xDC: return try array(Int(try integer(UInt16.self)), depth)
        case 0xDD: return try array(Int(try integer(UInt32.self)), depth)
        case 0xDE: return try map(Int(try integer(UInt16.self)), depth)
        case 0xDF: return try map(Int(try integer(UInt32.self)), depth)
        case 0xE0...0xFF: return .integer(Int64(Int8(bitPattern: format)))
        default:
            position -= 1
            throw failure(.unknownFormat)
        }
    }

    private mutating func integer<Number: FixedWidthInteger & UnsignedInteger>(_: Number.Type) throws(MessagePackError) -> Number {
        let size = MemoryLayout<Number>.size
        guard bytes.count - position >= size else { throw failure(.unexpectedEnd) }
        let number = Number(bigEndian: bytes.loadUnaligned(fromByteOffset: position, as: Number.self))
        position += size
        return number
    }

    private mutating func slice(_ length: Int) throws(MessagePackError) -> UnsafeRawBufferPointer {
        guard bytes.count - position >= length else { throw failure(.unexpectedEnd) }
        defer { position += length }
        return UnsafeRawBufferPointer(rebasing: bytes[position..<position + length])
    }

    private mutating func text(_ length: Int) throws(MessagePackError) -> String {
        let start = position
        guard let text = String(validating: try slice(length), as: UTF8.self) else {
            throw MessagePackError(reason: .invalidUTF8, offset: start)
        }
        return text
    }

    private mutating func data(_ length: Int) throws(MessagePackError) -> [UInt8] { [UInt8](try slice(length)) }

    private mutating func array(_ count: Int, _ depth: Int) throws(MessagePackError) -> JSONValue {
        guard depth < limits.depth else { throw failure(.tooDeep) }
        // Each element has a byte at least: what cannot be whole is not begun.
        guard count <= bytes.count - position else { throw failure(.unexpectedEnd) }
        var elements: [JSONValue] = []
        for _ in 0..<count { elements.append(try value(depth: depth + 1)) }
        return .array(elements)
    }

    private mutating func map(_ count: Int, _ depth: Int) throws(MessagePackError) -> JSONValue {
        guard depth < limits.depth else { throw failure(.tooDeep) }
        guard count <= limits.members else { throw failure(.tooManyMembers) }
        var object = JSONObject()
        for _ in 0..<count {
            guard case .string(let key) = try value(depth: depth + 1) else { throw failure(.keyIsNoString) }
            object[key] = try value(depth: depth + 1)
        }
        return .object(object)
    }

    private mutating func ext(_ length: Int) throws(MessagePackError) -> JSONValue {
        let start = position
        let kind = try integer(UInt8.self)
        let payload = try slice(length)
        if kind == Self.timestamp, [4, 8, 12].contains(length) { return date(Self.milliseconds(of: payload)) }
        guard kind == 0 else { throw MessagePackError(reason: .unknownExtension, offset: start) }
        switch length {
        case 1: return .null
        case 8: return date(Int64(bigEndian: payload.loadUnaligned(as: Int64.self)))
        default: return .bytes([UInt8](payload))
        }
    }

    /// −1: the specification's own date, as other libraries than notepack write it.
    private static let timestamp: UInt8 = 0xFF

    private func date(_ milliseconds: Int64?) -> JSONValue {
        guard let milliseconds else { return .null }
        guard case .text = dates else { return .integer(milliseconds) }
        return DateText.text(milliseconds: milliseconds).map { .string($0) } ?? .null
    }

    /// Seconds in 4 bytes; 30 bits of nanoseconds and 34 of seconds; or 4 bytes of nanoseconds and 8 of seconds. Nil beyond `Int64`.
    private static func milliseconds(of payload: UnsafeRawBufferPointer) -> Int64? {
        let seconds: Int64
        let nanoseconds: Int64
        switch payload.count {
        case 4: (seconds, nanoseconds) = (Int64(UInt32(bigEndian: payload.loadUnaligned(as: UInt32.self))), 0)
        case 8:
            let both = UInt64(bigEndian: payload.loadUnaligned(as: UInt64.self))
            (seconds, nanoseconds) = (Int64(both & 0x3_FFFF_FFFF), Int64(both >> 34))
        default:
            nanoseconds = Int64(UInt32(bigEndian: payload.loadUnaligned(as: UInt32.self)))
            seconds = Int64(bigEndian: payload.loadUnaligned(fromByteOffset: 4, as: Int64.self))
        }
        let (product, isTooLarge) = seconds.multipliedReportingOverflow(by: 1_000)
        let (sum, carries) = product.addingReportingOverflow(nanoseconds / 1_000_000)
        return isTooLarge || carries ? nil : sum
    }

    /// What JavaScript would print: no fraction where there is none, and null for what JSON has no number for.
    private static func number(_ double: Double) -> JSONValue {
        if let integer = Int64(exactly: double) { return .integer(integer) }
        return double.isFinite ? .number("\(double)") : .null
    }
}
