internal import NIOCore

/// Reads what Redis says on a connection that subscribes. A pure value; fed with bytes as they come.
///
/// Not hiredis: payloads are binary and are handed on without a copy, and a message that is too long is skipped, where hiredis could
/// only give the connection up. Nothing nests on such a connection, so the grammar is small.
///
/// Source: the Redis serialisation protocol, version 2; *Pub/Sub*, "Format of pushed messages".
struct RedisPushParser {
    private enum Part {
        case bulk(ByteBuffer)
        case line(String)
        case error(String)
        case number
        case tooLong
    }

    /// Of a line that gives a length, a status or an error.
    private static let lineBytesMax = 4_096
    /// Redis' own limit of a value (`proto-max-bulk-len`).
    private static let declaredBytesMax = 512 << 20
    /// A message has four.
    private static let partsMax = 8

    private let bytesMax: Int
    private var parts: [Part] = []
    /// Elements of the array at hand that have not come.
    private var missing = 0
    /// Bytes of a value that is too long which are still to be skipped.
    private var skipping = 0

    init(bytesMax: Int = RedisLimits.messageBytesMax) { self.bytesMax = bytesMax }

    /// The next complete one, or nil when more bytes are needed. After a throw the parser is of no more use.
    mutating func next(_ input: inout ByteBuffer) throws(RedisFault) -> RedisPush? {
        while true {
            guard skip(&input) else { return nil }
            if missing == 0, !parts.isEmpty {
                defer { parts.removeAll(keepingCapacity: true) }
                return try Self.meaning(of: parts)
            }
            guard try step(&input) else { return nil }
        }
    }

    /// False when more bytes are to be skipped.
    private mutating func skip(_ input: inout ByteBuffer) -> Bool {
        guard skipping > 0 else { return true }
        let count = min(skipping, input.readableBytes)
        input.moveReaderIndex(forwardBy: count)
        skipping -= count
        return skipping == 0
    }

    /// Takes one element, or the head of an array; false when it is not whole.
    private mutating func step(_ input: inout ByteBuffer) throws(RedisFault) -> Bool {
        let start = input.readerIndex
        guard let line = try Self.line(&input) else { return false }
        let rest = line.dropFirst()
        switch line.utf8.first {
        case UInt8(ascii: "*"):
            guard missing == 0, let count = Int(rest), (1...Self.partsMax).contains(count) else { throw Self.malformed(line) }
            missing = count
            return true
        case UInt8(ascii: "$"):
            guard let length = Int(rest), (0...Self.declaredBytesMax).contains(length) else { throw Self.malformed(line) }
            if length > bytesMax {
                skipping = length + 2
                add(.tooLong)
                return true
            }
            guard input.readableBytes >= length + 2, let bulk = input.readSlice(length: length) else {
                input.moveReaderIndex(to: start)
                return false
            }
            guard input.readInteger(as: UInt16.self) == 0x0D0A else { throw .malformed("a value has no end") }
            add(.bulk(bulk))
        case UInt8(ascii: "+"): add(.line(String(rest)))
        case UInt8(ascii: "-"): add(.error(String(rest)))
        case UInt8(ascii: ":"): add(.number)
        default: throw Self.malformed(line)
        }
        return true
    }

    private mutating func add(_ part: Part) {
        parts.append(part)
        if missing > 0 { missing -= 1 }
    }

    private static func line(_ input: inout ByteBuffer) throws(RedisFault) -> String? {
        let view = input.readableBytesView.prefix(lineBytesMax)
        guard let end = view.firstIndex(of: 0x0A) else {
            guard view.count < lineBytesMax else { throw .malformed("a line is too long") }
            return nil
        }
        let length = end - view.startIndex
        guard length > 1, view[end - 1] == 0x0D, let text = input.readString(length: length - 1) else {
            throw .malformed("a line has no end")
        }
        input.moveReaderIndex(forwardBy: 2)
        return text
    }

    private static func malformed(_ line: String) -> RedisFault { .malformed("not expected of a subscription: \(line.prefix(40))") }

    private static func meaning(of parts: [Part]) throws(RedisFault) -> RedisPush {
        switch parts[0] {
        case .error(let line): return .failed(RedisServerError(line))
        case .line("PONG"): return .pong
        case .line: return .done
        case .number, .tooLong: throw .malformed("a reply that no command asked for")
        case .bulk(let kind): return try meaning(of: String(buffer: kind), Array(parts.dropFirst()))
        }
    }

    private static func meaning(of kind: String, _ parts: [Part]) throws(RedisFault) -> RedisPush {
        func isPattern() -> Bool { kind.utf8.first == UInt8(ascii: "p") }
        switch (kind, parts.count) {
        case ("pong", _): return .pong
        case ("message", 2), ("pmessage", 3):
            guard let payload = parts.last, let place = parts.dropLast().last else { break }
            if case .tooLong = payload { return .refused(.tooLong) }
            guard let channel = text(place), let topic = text(parts[0]) else { return .refused(.channelIsNoText) }
            guard case .bulk(let bytes) = payload else { break }
            return .message(RedisMessage(topic: isPattern() ? .pattern(topic) : .channel(topic), channel: channel, payload: bytes))
        case ("subscribe", 2), ("psubscribe", 2):
            guard let topic = text(parts[0]) else { break }
            return .subscribed(isPattern() ? .pattern(topic) : .channel(topic))
        case ("unsubscribe", 2), ("punsubscribe", 2):
            guard let topic = text(parts[0]) else { break }
            return .unsubscribed(isPattern() ? .pattern(topic) : .channel(topic))
        default: break
        }
        throw .malformed("not expected of a subscription: \(kind.prefix(40))")
    }

    private static func text(_ part: Part) -> String? {
        guard case .bulk(let bytes) = part else { return nil }
        return String(validating: bytes.readableBytesView, as: UTF8.self)
    }
}
