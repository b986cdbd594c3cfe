/// A header field that a hook adds to an answer. Valid by construction: nothing in it can end the field or begin another
/// one (RFC 9110 §5.1, §5.5).
public struct ResponseField: Sendable, Hashable {
    /// Why a name and a value are no field of a header.
    public enum Failure: Error, Sendable, Hashable {
        /// The name is not a token of visible ASCII characters.
        case invalidName
        /// The field steers the connection, the WebSocket or the length and form of the body, which are the server's.
        case reservedName
        /// The value has something else than visible ASCII characters with spaces and tabs between them.
        case invalidValue
        /// Name and value exceed ``TransportLimits/hookFieldBytesMax``.
        case tooLong
    }

    /// A token of HTTP (RFC 9110 §5.6.2).
    public let name: String
    /// Without line breaks.
    public let value: String

    /// - Throws: when the field may not be sent. Both may hold text from outside: it is checked here.
    public init(_ name: String, _ value: String) throws(Failure) {
        guard name.utf8.count + value.utf8.count <= TransportLimits.hookFieldBytesMax else { throw .tooLong }
        guard !name.isEmpty, name.utf8.allSatisfy(Self.isTokenByte) else { throw .invalidName }
        guard !Self.isReserved(name.lowercased()) else { throw .reservedName }
        guard Self.isValue(value.utf8) else { throw .invalidValue }
        self.name = name
        self.value = value
    }

    private static func isTokenByte(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "0")...UInt8(ascii: "9"): true
        default: "!#$%&'*+-.^_`|~".utf8.contains(byte)
        }
    }

    private static func isValue(_ bytes: String.UTF8View) -> Bool {
        let isBlank: (UInt8?) -> Bool = { $0 == 0x20 || $0 == 0x09 }
        return !isBlank(bytes.first) && !isBlank(bytes.last) && bytes.allSatisfy { (0x20...0x7E).contains($0) || $0 == 0x09 }
    }

    private static func isReserved(_ name: String) -> Bool {
        switch name {
        case "connection", "content-encoding", "content-length", "content-type", "date", "keep-alive", "proxy-connection", "te", "trailer",
            "transfer-encoding", "upgrade", "x-request-id":
            true
        default:
            name.hasPrefix("sec-websocket-")
        }
    }
}
