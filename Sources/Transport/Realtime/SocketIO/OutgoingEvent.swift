internal import JSON
internal import TransportWire

/// An event on its way to sockets: encoded and framed once, whoever gets it. The name and the arguments are kept for
/// those who listen to what leaves (S18).
struct OutgoingEvent: Sendable {
    let name: String
    let arguments: [JSONValue]
    private(set) var frames: SharedFrames
    /// Where the offset stands in the frames; nil where none does: without recovery, and when an answer is asked for (R2).
    private let offsetIndex: Int?
    private let servesRevision3: Bool
    private(set) var offset: RecoveryOffset?

    /// - Parameter isRecoverable: false for a socket that cannot come back.
    init(_ name: String, _ arguments: [JSONValue], in namespace: Namespace, ackID: UInt64? = nil, isRecoverable: Bool = true) {
        self.init(
            name, arguments, in: namespace.name, services: namespace.services, ackID: ackID, isRecoverable: isRecoverable)
    }

    /// The same for a namespace that may not be there now.
    init(
        _ name: String, _ arguments: [JSONValue], in namespace: String, services: SocketServices, ackID: UInt64? = nil,
        isRecoverable: Bool = true
    ) {
        self.name = name
        self.arguments = arguments
        servesRevision3 = services.servesRevision3
        let packets = services.packets
        if let recovery = services.recovery, ackID == nil, isRecoverable {
            let (frames, index) = packets.eventWithOffset(name, arguments, recovery.form, namespace: namespace)
            self.frames = SharedFrames(
                frames, servesRevision3: servesRevision3,
                insteadForRevision3: packets.event(name, arguments, namespace: namespace))
            offsetIndex = index
        } else {
            frames = SharedFrames(
                packets.event(name, arguments, namespace: namespace, ackID: ackID), servesRevision3: servesRevision3)
            offsetIndex = nil
        }
    }

    /// Writes the offset into the finished frames.
    mutating func stamp(_ offset: RecoveryOffset) {
        guard let offsetIndex else { return }
        self.offset = offset
        frames.write(offset, at: offsetIndex, servesRevision3: servesRevision3)
    }
}
