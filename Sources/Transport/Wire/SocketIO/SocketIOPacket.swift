public import JSON

/// One Socket.IO v5 packet, its attachments already in place as ``JSONValue/bytes(_:)`` (S1, S8).
public struct SocketIOPacket: Sendable, Equatable {
    /// The packet types of the wire (S1).
    ///
    /// The binary kinds exist on the wire alone: the decoder delivers `event` and `ack`, and the encoder chooses the
    /// binary twin when the data holds bytes.
    public enum Kind: UInt8, Sendable {
        case connect, disconnect, event, ack, connectError, binaryEvent, binaryAck
    }

    public var kind: Kind
    /// `/` is the main namespace.
    public var namespace: String
    /// At most 2^53 - 1 (S6). Every ACK has one; an EVENT that has one asks for an ACK (S7).
    public var ackID: UInt64?
    /// What S2 allows for this kind; nil when the packet carries nothing.
    public var data: JSONValue?

    public init(kind: Kind, namespace: String = "/", ackID: UInt64? = nil, data: JSONValue? = nil) {
        self.kind = kind
        self.namespace = namespace
        self.ackID = ackID
        self.data = data
    }

    /// The largest ack id that every implementation can hold: the largest integer a binary64 counts up to.
    public static let maximumAckID: UInt64 = 1 << 53 - 1

    /// True for the names that belong to the protocol and that no event may have, received or emitted (S3).
    public static func isReserved(eventName: String) -> Bool {
        switch eventName {
        case "connect", "connect_error", "disconnect", "disconnecting", "newListener", "removeListener": true
        default: false
        }
    }
}
