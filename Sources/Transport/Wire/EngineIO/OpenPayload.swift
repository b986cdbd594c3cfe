import JSON
public import NIOCore

/// What the open packet tells the client: exactly five keys, in the reference's order (E9).
public struct OpenPayload: Sendable, Hashable {
    public var sid: String
    /// Transports that the session may be upgraded to.
    public var upgrades: [String]
    /// Milliseconds.
    public var pingInterval: Int
    /// Milliseconds.
    public var pingTimeout: Int
    /// Bytes of one polling body or one message.
    public var maxPayload: Int

    public init(sid: String, upgrades: [String], pingInterval: Int, pingTimeout: Int, maxPayload: Int) {
        self.sid = sid
        self.upgrades = upgrades
        self.pingInterval = pingInterval
        self.pingTimeout = pingTimeout
        self.maxPayload = maxPayload
    }

    /// Reads the payload of an open packet, as a client does.
    public init(parsing payload: ByteBuffer) throws(WireError) {
        let parsed = payload.withUnsafeReadableBytes { bytes in
            Result { () throws(JSONError) in try JSONValue(parsing: bytes) }
        }
        let json: JSONValue
        do throws(JSONError) { json = try parsed.get() } catch { throw .invalidJSON(error) }
        guard let sid = json["sid"]?.stringValue, let upgrades = json["upgrades"]?.arrayValue,
            let pingInterval = json["pingInterval"]?.integerValue, let pingTimeout = json["pingTimeout"]?.integerValue,
            let maxPayload = json["maxPayload"]?.integerValue
        else { throw .invalidOpenPayload }
        self.init(
            sid: sid, upgrades: upgrades.compactMap(\.stringValue), pingInterval: Int(pingInterval),
            pingTimeout: Int(pingTimeout), maxPayload: Int(maxPayload))
    }

    /// The JSON text.
    public func encode() -> ByteBuffer {
        var writer = JSONWriter(reserving: 128)
        writer.beginObject()
        writer.member("sid", sid)
        writer.key("upgrades")
        writer.beginArray()
        for upgrade in upgrades { writer.value(upgrade) }
        writer.endArray()
        writer.member("pingInterval", pingInterval)
        writer.member("pingTimeout", pingTimeout)
        writer.member("maxPayload", maxPayload)
        writer.endObject()
        return ByteBuffer(bytes: writer.bytes)
    }
}
