internal import JSON
internal import NIOCore
internal import TransportWire

/// What a source writes one turn's events with: finished frames, without a tree of values in between.
public struct FeedWriter {
    private(set) var frames = ByteBuffer()
    private let namespace: String
    private let packets: PacketFrames
    private let limit: Int

    init(namespace: String, packets: PacketFrames, limit: Int) {
        self.namespace = namespace
        self.packets = packets
        self.limit = limit
    }

    /// True when the turn is over: nothing is lost if one more event is written, but no second one should be.
    public var isFull: Bool { frames.readableBytes >= limit }

    /// Writes an event of one argument, which is JSON text already.
    public mutating func emit(event: String, json: [UInt8]) {
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
}
