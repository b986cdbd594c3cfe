import JSON

/// Parses `<type>[<n>-][/namespace,][<ack id>][JSON]` (S1) over bytes that somebody else keeps alive.
struct SocketIOTextParser {
    private let bytes: UnsafeRawBufferPointer
    private let limits: WireLimits
    private var position = 0

    init(_ bytes: UnsafeRawBufferPointer, limits: WireLimits) {
        self.bytes = bytes
        self.limits = limits
    }

    /// The packet, and how many attachments it waits for.
    mutating func parse() throws(WireError) -> (SocketIOPacket, attachments: Int) {
        let (kind, attachments) = try parseKind()
        var packet = SocketIOPacket(kind: kind)
        packet.namespace = try parseNamespace()
        packet.ackID = try parseAckID(of: kind)
        packet.data = try parsePayload(of: kind)
        if attachments > 0, let data = packet.data { try SocketIOPlaceholder.check(data, count: attachments) }
        return (packet, attachments)
    }

    private func peek() -> UInt8? { position < bytes.count ? bytes[position] : nil }

    /// The kind with binary folded into its plain twin, and the attachment count.
    private mutating func parseKind() throws(WireError) -> (SocketIOPacket.Kind, attachments: Int) {
        guard let byte = peek() else { throw .emptyPacket }
        guard let kind = SocketIOPacket.Kind(rawValue: byte &- UInt8(ascii: "0")) else { throw .unknownKind(byte) }
        position += 1
        switch kind {
        case .binaryEvent: return (.event, try parseAttachmentCount())
        case .binaryAck: return (.ack, try parseAttachmentCount())
        default: return (kind, 0)
        }
    }

    private mutating func parseAttachmentCount() throws(WireError) -> Int {
        let start = position
        var count = 0
        while let byte = peek(), byte &- 0x30 < 10 {
            count = count * 10 + Int(byte &- 0x30)
            // Checked at every digit: the count never grows towards overflow.
            guard count <= limits.attachments else { throw .tooManyAttachments }
            position += 1
        }
        guard position > start, peek() == UInt8(ascii: "-") else { throw .invalidAttachmentCount }
        position += 1
        return count
    }

    private mutating func parseNamespace() throws(WireError) -> String {
        guard peek() == UInt8(ascii: "/") else { return "/" }
        let rest = UnsafeRawBufferPointer(rebasing: bytes[position...])
        // One byte more than allowed is looked at, so a comma can end the longest name.
        let window = UnsafeRawBufferPointer(rebasing: rest.prefix(limits.namespaceBytes + 1))
        let comma = ByteScan.firstIndex(of: UInt8(ascii: ","), in: window)
        let length = comma ?? rest.count
        guard length <= limits.namespaceBytes else { throw .namespaceTooLong }
        guard let name = String(validating: rest.prefix(length), as: UTF8.self) else { throw .invalidUTF8 }
        position += length + (comma == nil ? 0 : 1)
        return name
    }

    private mutating func parseAckID(of kind: SocketIOPacket.Kind) throws(WireError) -> UInt64? {
        let start = position
        var id: UInt64 = 0
        while let byte = peek(), byte &- 0x30 < 10 {
            id = id * 10 + UInt64(byte &- 0x30)
            guard id <= SocketIOPacket.maximumAckID else { throw .invalidAckID }
            position += 1
        }
        let isPresent = position > start
        switch kind {
        case .event, .binaryEvent: break
        case .ack, .binaryAck: guard isPresent else { throw .invalidAckID }
        case .connect, .disconnect, .connectError: guard !isPresent else { throw .invalidAckID }
        }
        return isPresent ? id : nil
    }

    private func parsePayload(of kind: SocketIOPacket.Kind) throws(WireError) -> JSONValue? {
        guard let first = peek() else {
            guard kind == .connect || kind == .disconnect else { throw .invalidPayload }
            return nil
        }
        // The first byte decides the JSON type, so the wrong type costs no parsing.
        switch (kind, first) {
        case (.connect, UInt8(ascii: "{")), (.connectError, UInt8(ascii: "{")), (.connectError, UInt8(ascii: "\"")),
            (.event, UInt8(ascii: "[")), (.ack, UInt8(ascii: "[")):
            break
        default:
            throw .invalidPayload
        }
        let value: JSONValue
        do throws(JSONError) {
            value = try JSONValue(parsing: UnsafeRawBufferPointer(rebasing: bytes[position...]), limits: limits.json)
        } catch {
            throw .invalidJSON(error)
        }
        if kind == .event { try checkEvent(value) }
        return value
    }

    /// An event is a non-empty array that begins with a name or a number (S2), and no reserved name (S3).
    private func checkEvent(_ value: JSONValue) throws(WireError) {
        switch value.arrayValue?.first {
        case .string(let name): guard !SocketIOPacket.isReserved(eventName: name) else { throw .reservedEvent }
        case .integer, .number: break
        default: throw .invalidPayload
        }
    }
}
