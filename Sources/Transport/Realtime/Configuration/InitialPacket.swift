/// A message that every session begins with, right behind the open packet (E10).
///
/// It is an Engine.IO message: an application with Socket.IO clients has to give it the form of a Socket.IO packet.
public enum InitialPacket: Sendable, Hashable {
    /// Without U+001E, which separates the packets of a polling body (E23).
    case text(String)
    case binary([UInt8])

    /// Bytes of its form in a polling body.
    var encodedLength: Int {
        switch self {
        case .text(let text): 1 + text.utf8.count
        case .binary(let bytes): 1 + (bytes.count + 2) / 3 * 4
        }
    }
}
