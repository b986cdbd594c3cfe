internal import CHiredis
internal import NIOCore

/// hiredis' incremental reply parser, owned.
///
/// The only code that touches hiredis. Each finished reply is copied to a ``RedisValue`` and freed before the next one is looked at.
/// Confined to whoever owns it (a channel handler, hence one event loop). hiredis 0.14 bounds the nesting itself (7 levels); the
/// number of elements of an array and the bytes of an unfinished reply are bounded here, because hiredis would allocate whatever
/// the length line declares.
struct RedisParser: ~Copyable {
    private let reader: UnsafeMutablePointer<redisReader>
    /// hiredis' own constructors with ours in place of the one for arrays.
    private let functions: UnsafeMutablePointer<redisReplyObjectFunctions>

    init() throws(RedisFault) {
        guard let reader = redisReaderCreate(), let original = reader.pointee.fn else {
            throw .malformed("no memory for the reply parser")
        }
        self.reader = reader
        self.functions = .allocate(capacity: 1)
        functions.initialize(to: original.pointee)
        // A C function cannot capture, so the original table travels in the reader's user pointer, which hiredis hands to each task.
        reader.pointee.privdata = UnsafeMutableRawPointer(original)
        functions.pointee.createArray = { task, elements in
            guard let task, Int(elements) <= RedisLimits.replyElementsMax else { return nil }
            let original = task.pointee.privdata?.assumingMemoryBound(to: redisReplyObjectFunctions.self)
            return original?.pointee.createArray?(task, elements)
        }
        reader.pointee.fn = functions
    }

    deinit {
        redisReaderFree(reader)
        functions.deinitialize(count: 1)
        functions.deallocate()
    }

    /// Takes bytes from the wire.
    mutating func feed(_ bytes: UnsafeRawBufferPointer) throws(RedisFault) {
        guard let start = bytes.baseAddress, !bytes.isEmpty else { return }
        guard reader.pointee.len - reader.pointee.pos + bytes.count <= RedisLimits.replyBytesMax else {
            throw .malformed("a reply is larger than \(RedisLimits.replyBytesMax) bytes")
        }
        guard redisReaderFeed(reader, start.assumingMemoryBound(to: CChar.self), bytes.count) == REDIS_OK else { throw fault() }
    }

    /// The next complete reply, or nil when more bytes are needed. After a throw the parser is of no more use.
    mutating func next() throws(RedisFault) -> RedisValue? {
        var raw: UnsafeMutableRawPointer?
        guard redisReaderGetReply(reader, &raw) == REDIS_OK else { throw fault() }
        guard let raw else { return nil }
        defer { freeReplyObject(raw) }
        return try Self.copy(raw.assumingMemoryBound(to: redisReply.self), depth: 0)
    }

    private func fault() -> RedisFault {
        let text = withUnsafeBytes(of: reader.pointee.errstr) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
        return .malformed(text)
    }

    private static func copy(_ reply: UnsafeMutablePointer<redisReply>, depth: Int) throws(RedisFault) -> RedisValue {
        guard depth <= RedisLimits.replyDepthMax else { throw .malformed("a reply is nested too deeply") }
        switch reply.pointee.type {
        case REDIS_REPLY_INTEGER: return .integer(reply.pointee.integer)
        case REDIS_REPLY_STRING, REDIS_REPLY_STATUS: return .text(text(reply))
        case REDIS_REPLY_ERROR: return .error(RedisServerError(text(reply)))
        case REDIS_REPLY_ARRAY:
            var elements: [RedisValue] = []
            elements.reserveCapacity(reply.pointee.elements)
            for index in 0..<reply.pointee.elements {
                guard let element = reply.pointee.element?[index] else { throw .malformed("an element of a reply is missing") }
                elements.append(try copy(element, depth: depth + 1))
            }
            return .array(elements)
        default: return .null
        }
    }

    private static func text(_ reply: UnsafeMutablePointer<redisReply>) -> String {
        guard let start = reply.pointee.str else { return "" }
        let bytes = UnsafeRawBufferPointer(start: start, count: reply.pointee.len)
        return String(decoding: bytes, as: UTF8.self)
    }
}
