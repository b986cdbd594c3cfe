/// A parameter of a statement, sent in Postgres' binary format: no quoting, and no text that could end early.
enum PostgresValue: Sendable {
    case int(Int64?)
    case text(String?)
    case bool(Bool?)
    case bytes([UInt8])
    case ints([Int64])
    case texts([String?])
    case bools([Bool])

    /// The object id of the type (pg_type.h; these never change).
    var type: UInt32 {
        switch self {
        case .bool: 16
        case .bytes: 17
        case .int: 20
        case .text: 25
        case .bools: 1000
        case .texts: 1009
        case .ints: 1016
        }
    }

    /// Appends the value; false when it is null.
    func encode(into bytes: inout [UInt8]) -> Bool {
        switch self {
        case .int(let value):
            guard let value else { return false }
            Self.append(value, to: &bytes)
        case .text(let value):
            guard let value else { return false }
            bytes.append(contentsOf: value.utf8)
        case .bool(let value):
            guard let value else { return false }
            bytes.append(value ? 1 : 0)
        case .bytes(let value):
            bytes.append(contentsOf: value)
        case .ints(let values):
            Self.appendHead(count: values.count, element: 20, to: &bytes)
            for value in values {
                Self.append(Int32(8), to: &bytes)
                Self.append(value, to: &bytes)
            }
        case .texts(let values):
            Self.appendHead(count: values.count, element: 25, to: &bytes)
            for value in values {
                guard let value else {
                    Self.append(Int32(-1), to: &bytes)
                    continue
                }
                Self.append(Int32(value.utf8.count), to: &bytes)
                bytes.append(contentsOf: value.utf8)
            }
        case .bools(let values):
            Self.appendHead(count: values.count, element: 16, to: &bytes)
            for value in values {
                Self.append(Int32(1), to: &bytes)
                bytes.append(value ? 1 : 0)
            }
        }
        return true
    }

    /// Dimensions, whether there are nulls (an allowance, not a claim), element type, then length and lower bound.
    private static func appendHead(count: Int, element: Int32, to bytes: inout [UInt8]) {
        append(Int32(count == 0 ? 0 : 1), to: &bytes)
        append(Int32(1), to: &bytes)
        append(element, to: &bytes)
        guard count > 0 else { return }
        append(Int32(count), to: &bytes)
        append(Int32(1), to: &bytes)
    }

    private static func append(_ value: some FixedWidthInteger, to bytes: inout [UInt8]) {
        withUnsafeBytes(of: value.bigEndian) { bytes.append(contentsOf: $0) }
    }
}
