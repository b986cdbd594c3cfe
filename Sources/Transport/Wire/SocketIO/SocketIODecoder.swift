package import JSON
public import NIOCore

/// Turns Engine.IO messages into Socket.IO packets, and holds a packet back until its attachments have come.
///
/// A plain value, confined to its session. Every error is final for the connection (S4). Beyond the reference it is
/// strict where leniency only helps an attacker (S6): digits are digits, an ACK has its id, and an attachment is used
/// once, so that no few bytes of placeholders multiply a large attachment.
public struct SocketIODecoder: Sendable {
    private struct Pending: Sendable {
        var packet: SocketIOPacket
        let expected: Int
        var attachments: [[UInt8]] = []
        var bytes = 0
    }

    private let limits: WireLimits
    private var pending: Pending?

    public init(limits: WireLimits = WireLimits()) {
        self.limits = limits
    }

    /// Bytes of attachments held for a packet that is not complete (attack 11).
    public var pendingBytes: Int { pending?.bytes ?? 0 }

    /// Takes one text message; nil when the packet waits for attachments.
    public mutating func text(_ buffer: ByteBuffer) throws(WireError) -> SocketIOPacket? {
        guard pending == nil else {
            pending = nil
            throw .textWhileAttachmentsPending
        }
        let limits = limits
        let result = buffer.withUnsafeReadableBytes { bytes in
            Result { () throws(WireError) in
                var parser = SocketIOTextParser(bytes, limits: limits)
                return try parser.parse()
            }
        }
        let (packet, attachments) = try result.get()
        guard attachments > 0 else { return packet }
        pending = Pending(packet: packet, expected: attachments)
        return nil
    }

    /// Takes one binary message; nil when more attachments are to come.
    public mutating func binary(_ buffer: ByteBuffer) throws(WireError) -> SocketIOPacket? {
        guard var pending else { throw .unexpectedBinary }
        // Taken out while it changes: a second reference would copy the attachments so far.
        self.pending = nil
        pending.bytes += buffer.readableBytes
        guard pending.bytes <= limits.attachmentBytes else { throw .attachmentsTooLarge }
        pending.attachments.append(buffer.withUnsafeReadableBytes { [UInt8]($0) })
        guard pending.attachments.count == pending.expected else {
            self.pending = pending
            return nil
        }
        pending.packet.data = pending.packet.data.map { SocketIOPlaceholder.fill($0, from: pending.attachments) }
        return pending.packet
    }
}

/// The objects that stand for attachments in a JSON payload (S5).
package enum SocketIOPlaceholder {
    /// The index that `object` names; nil when it is an ordinary object, that is unless `_placeholder` is `true`.
    private static func isPlaceholder(_ object: JSONObject) -> Bool { object["_placeholder"] == .bool(true) }

    /// Throws unless every placeholder names its own attachment below `count`. Depth is that of a parsed text.
    package static func check(_ value: JSONValue, count: Int) throws(WireError) {
        // The limit on attachments may be configured above the bits of a word.
        var used = [Bool](repeating: false, count: count)
        try check(value, used: &used)
    }

    private static func check(_ value: JSONValue, used: inout [Bool]) throws(WireError) {
        switch value {
        case .array(let elements):
            for element in elements { try check(element, used: &used) }
        case .object(let object) where isPlaceholder(object):
            guard case .integer(let index)? = object["num"], used.indices.contains(Int(index)), !used[Int(index)] else {
                throw .invalidPlaceholder
            }
            used[Int(index)] = true
        case .object(let object):
            for member in object.members { try check(member.value, used: &used) }
        default:
            break
        }
    }

    /// Puts the attachments in place. The placeholders have been checked.
    package static func fill(_ value: JSONValue, from attachments: [[UInt8]]) -> JSONValue {
        switch value {
        case .array(let elements):
            return .array(elements.map { fill($0, from: attachments) })
        case .object(let object) where isPlaceholder(object):
            guard let index = object["num"]?.integerValue, attachments.indices.contains(Int(index)) else { return value }
            return .bytes(attachments[Int(index)])
        case .object(let object):
            return .object(JSONObject(object.members.map { ($0.key, fill($0.value, from: attachments)) }))
        default:
            return value
        }
    }
}
