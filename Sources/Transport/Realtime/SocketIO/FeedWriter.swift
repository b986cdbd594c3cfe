internal import JSON
internal import NIOCore
internal import TransportWire

/// What a source writes one turn's events with: finished frames, without a tree of values in between.
public struct FeedWriter {
    private(set) var frames = ByteBuffer()
    private let namespace: String
    private let packets: PacketFrames
    private let limit: Int
    private let recovery: CoreRecovery?

    init(namespace: String, packets: PacketFrames, limit: Int, recovery: CoreRecovery?) {
        self.recovery = recovery
        self.namespace = namespace
        self.packets = packets
        self.limit = limit
    }

    /// True when the turn is over: nothing is lost if one more event is written, but no second one should be.
    public var isFull: Bool { frames.readableBytes >= limit }

    /// Writes an event of one argument, which is JSON text already. It is not kept for a client that has lost its
    /// connection: the source keeps its data anyway, and the client asks it.
    public mutating func emit(event: String, json: [UInt8]) {
        if let recovery, json.first == UInt8(ascii: "\"") { return emit(event, text: json, recovery.current()) }
        guard packets.parser == .json else {
            let argument = (try? JSONValue(parsing: json)) ?? .null
            frames.writeImmutableBuffer(packets.event(event, [argument], namespace: namespace))
            return
        }
        let name = JSONValue.string(event).jsonBytes
        let isMain = namespace == "/"
        let length = 2 + (isMain ? 0 : namespace.utf8.count + 1) + 1 + name.count + 1 + json.count + 1
        frames.reserveCapacity(minimumWritableBytes: length + 10)
        WebSocketFrameWriter.header(.text, length: length, into: &frames)
        frames.writeMultipleIntegers(UInt8(ascii: "4"), UInt8(ascii: "2"))
        if !isMain {
            frames.writeString(namespace)
            frames.writeInteger(UInt8(ascii: ","))
        }
        frames.writeInteger(UInt8(ascii: "["))
        frames.writeBytes(name)
        frames.writeInteger(UInt8(ascii: ","))
        frames.writeBytes(json)
        frames.writeInteger(UInt8(ascii: "]"))
    }

    /// Clients take a last argument that is a string for an offset (R7): so they are given one.
    private mutating func emit(_ event: String, text json: [UInt8], _ offset: RecoveryOffset) {
        let text = (try? JSONValue(parsing: json)) ?? .null
        frames.writeImmutableBuffer(packets.event(event, [text, .string(offset.text)], namespace: namespace))
    }
}
