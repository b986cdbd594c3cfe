internal import JSON
internal import TransportWire

/// An event on its way to sockets: encoded and framed once, whoever gets it. The name and the arguments are kept for
/// those who listen to what leaves (S18).
struct OutgoingEvent: Sendable {
    let name: String
    let arguments: [JSONValue]
    let frames: SharedFrames

    init(_ name: String, _ arguments: [JSONValue], in namespace: Namespace, ackID: UInt64? = nil) {
        self.name = name
        self.arguments = arguments
        let services = namespace.services
        frames = SharedFrames(
            services.packets.event(name, arguments, namespace: namespace.name, ackID: ackID), servesRevision3: services.servesRevision3)
    }
}
