public import JSON

/// Why bytes are no Engine.IO or Socket.IO packet, or cannot be written as an event stream.
///
/// Each of them means "parse error" to the session that owns the connection: it closes (E23, S4).
public enum WireError: Error, Sendable, Hashable {
    // MARK: Engine.IO

    /// A message, or a segment of a polling body, without a type byte.
    case emptyPacket
    /// The first byte is no Engine.IO packet type (E11).
    case unknownPacketType(UInt8)
    /// A close, upgrade or noop packet carries data.
    case unexpectedPayload
    /// A binary packet that is not canonical, padded base64 (E23).
    case invalidBase64
    /// A text packet of a polling body that is not UTF-8.
    case invalidUTF8
    /// A polling body with more packets than ``WireLimits/pollingPackets`` (E26).
    case tooManyPackets
    /// A length of a revision 3 polling body that is no number, is more than what is left, or cuts a character (L3).
    case invalidLength
    /// An open packet that lacks one of its five keys (E9).
    case invalidOpenPayload

    // MARK: Socket.IO

    /// The first byte is no Socket.IO packet type (S1).
    case unknownKind(UInt8)
    /// The attachment count of a binary packet is missing or not a number followed by `-` (S4).
    case invalidAttachmentCount
    /// More attachments announced than ``WireLimits/attachments`` (S5).
    case tooManyAttachments
    /// Attachments exceed ``WireLimits/attachmentBytes`` together.
    case attachmentsTooLarge
    /// The namespace exceeds ``WireLimits/namespaceBytes``.
    case namespaceTooLong
    /// The ack id exceeds 2^53 - 1, is missing in an ACK, or stands in a packet that takes none (S6).
    case invalidAckID
    /// The payload is not JSON, or exceeds the JSON limits.
    case invalidJSON(JSONError)
    /// The payload is JSON, but not what this kind of packet carries (S2).
    case invalidPayload
    /// The event has one of the names that belong to the protocol (S3).
    case reservedEvent
    /// A text packet arrived while attachments were pending (S4).
    case textWhileAttachmentsPending
    /// A binary message arrived that no packet announced (S4).
    case unexpectedBinary
    /// A placeholder whose `num` is no index of an attachment, or that names an attachment a second time (S5).
    case invalidPlaceholder

    // MARK: Event stream

    /// The event name or id holds a line break or a NUL, which an event stream cannot carry.
    case invalidEventField
}
