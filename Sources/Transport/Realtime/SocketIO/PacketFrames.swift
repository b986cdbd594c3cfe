package import JSON
package import NIOCore
package import TransportWire

/// Socket.IO packets as finished WebSocket frames: one text frame, then a binary frame for each attachment (S1, E28); or one binary frame
/// of MessagePack (S9).
package struct PacketFrames: Sendable {
    let parser: PacketParser

    package init(parser: PacketParser) { self.parser = parser }

    package func event(_ name: String, _ arguments: [JSONValue], namespace: String, ackID: UInt64? = nil) -> ByteBuffer {
        guard parser == .json else { return packed(.event, namespace, ackID, .array([.string(name)] + arguments)) }
        var writer = JSONWriter(reserving: 128)
        writer.beginArray()
        writer.value(name)
        for argument in arguments { writer.value(argument) }
        writer.endArray()
        return frames(.event, namespace: namespace, ackID: ackID, writer)
    }

    /// An event whose last argument is an offset (R2), and where that stands in the frames, to be written there later.
    func eventWithOffset(
        _ name: String, _ arguments: [JSONValue], _ form: RecoveryOffset.Form, namespace: String
    ) -> (frames: ByteBuffer, index: Int) {
        let arguments = arguments + [.string(form.placeholder)]
        guard parser == .json else {
            // A map whose last member is `nsp`: two strings, each with its length before it.
            let frames = packed(.event, namespace, nil, .array([.string(name)] + arguments))
            let bytes = namespace.utf8.count
            return (frames, frames.writerIndex - bytes - (bytes < 32 ? 1 : bytes < 256 ? 2 : 3) - 4 - form.length)
        }
        var writer = JSONWriter(reserving: 128)
        writer.beginArray()
        writer.value(name)
        for argument in arguments { writer.value(argument) }
        writer.endArray()
        let attached = writer.attachments.reduce(0) { $0 + WebSocketFrameWriter.headerLength(payload: $1.count) + $1.count }
        let frames = frames(.event, namespace: namespace, writer)
        return (frames, frames.writerIndex - attached - 2 - form.length)
    }

    func ack(_ id: UInt64, _ arguments: [JSONValue], namespace: String) -> ByteBuffer {
        guard parser == .json else { return packed(.ack, namespace, id, .array(arguments)) }
        var writer = JSONWriter(reserving: 128)
        writer.beginArray()
        for argument in arguments { writer.value(argument) }
        writer.endArray()
        return frames(.ack, namespace: namespace, ackID: id, writer)
    }

    /// The answer to a CONNECT: `sid`, and the secret by which the client may come back if it may (S11, R2). `socket` is nil for
    /// revision 3, whose clients know it (L5).
    func connect(socket: String?, pid: String? = nil, namespace: String) -> ByteBuffer {
        guard let socket else {
            guard parser == .json else { return packed(.connect, namespace, nil, nil) }
            return frames(.connect, namespace: namespace, JSONWriter(reserving: 0))
        }
        guard parser == .json else {
            var object = JSONObject([("sid", .string(socket))])
            object["pid"] = pid.map { .string($0) }
            return packed(.connect, namespace, nil, .object(object))
        }
        var writer = JSONWriter(reserving: 48)
        writer.beginObject()
        writer.member("sid", socket)
        if let pid { writer.member("pid", pid) }
        writer.endObject()
        return frames(.connect, namespace: namespace, writer)
    }

    /// An object with the message and the data; in revision 3 the data alone, or the message when there is none (L5).
    func connectError(_ refusal: ConnectRefusal, namespace: String, revision: EngineIORevision) -> ByteBuffer {
        if revision == .three {
            let content = refusal.data ?? .string(refusal.message)
            guard parser == .json else { return packed(.connectError, namespace, nil, content) }
            var writer = JSONWriter(reserving: 128)
            writer.value(content)
            return frames(.connectError, namespace: namespace, writer)
        }
        guard parser == .json else {
            var object = JSONObject([("message", .string(refusal.message))])
            object["data"] = refusal.data
            return packed(.connectError, namespace, nil, .object(object))
        }
        var writer = JSONWriter(reserving: 128)
        writer.beginObject()
        writer.member("message", refusal.message)
        if let data = refusal.data { writer.member("data", data) }
        writer.endObject()
        return frames(.connectError, namespace: namespace, writer)
    }

    func disconnect(namespace: String) -> ByteBuffer {
        guard parser == .json else { return packed(.disconnect, namespace, nil, nil) }
        return frames(.disconnect, namespace: namespace, JSONWriter(reserving: 0))
    }

    private func packed(_ kind: SocketIOPacket.Kind, _ namespace: String, _ id: UInt64?, _ data: JSONValue?) -> ByteBuffer {
        let packet = SocketIOPacket(kind: kind, namespace: namespace, ackID: id, data: data)
        return WebSocketFrameWriter.frame(.binary, payload: ByteBuffer(bytes: MessagePackPackets.encode(packet)))
    }

    private func frames(
        _ kind: SocketIOPacket.Kind, namespace: String, ackID: UInt64? = nil, _ json: JSONWriter
    ) -> ByteBuffer {
        let attachments = json.attachments
        var kind = kind
        if !attachments.isEmpty { kind = kind == .ack ? .binaryAck : .binaryEvent }
        var prefix: (count: UInt64?, id: UInt64?) = (nil, ackID)
        // Binary data in a refusal stays a placeholder: only events and acks carry attachments (S8).
        if kind == .binaryAck || kind == .binaryEvent { prefix.count = UInt64(attachments.count) }
        let isMain = namespace == "/"
        let length =
            2 + (prefix.count.map { decimalLength($0) + 1 } ?? 0) + (isMain ? 0 : namespace.utf8.count + 1)
            + (prefix.id.map(decimalLength) ?? 0) + json.bytes.count
        var output = ByteBuffer()
        output.reserveCapacity(
            attachments.reduce(length + 10) { $0 + $1.count + 10 })
        WebSocketFrameWriter.header(.text, length: length, into: &output)
        output.writeMultipleIntegers(UInt8(ascii: "4"), UInt8(ascii: "0") + kind.rawValue)
        if let count = prefix.count {
            writeDecimal(count, into: &output)
            output.writeInteger(UInt8(ascii: "-"))
        }
        if !isMain {
            output.writeString(namespace)
            output.writeInteger(UInt8(ascii: ","))
        }
        if let id = prefix.id { writeDecimal(id, into: &output) }
        output.writeBytes(json.bytes)
        for attachment in attachments {
            WebSocketFrameWriter.header(.binary, length: attachment.count, into: &output)
            output.writeBytes(attachment)
        }
        return output
    }

    private func decimalLength(_ number: UInt64) -> Int {
        var length = 1
        var rest = number / 10
        while rest > 0 {
            length += 1
            rest /= 10
        }
        return length
    }

    private func writeDecimal(_ number: UInt64, into output: inout ByteBuffer) {
        var divisor: UInt64 = 1
        while number / divisor >= 10 { divisor *= 10 }
        while divisor > 0 {
            output.writeInteger(UInt8(ascii: "0") + UInt8(number / divisor % 10))
            divisor /= 10
        }
    }
}
