import Testing

@testable import AccountingRedis
@testable import RedisClient

@Suite("RedisParser: replies out of bytes")
struct RedisParserTests {
    static let stream = Array("+OK\r\n:-7\r\n$5\r\nhe\r\no\r\n$-1\r\n-ERR no such\r\n*3\r\n:1\r\n*1\r\n$0\r\n\r\n*0\r\n*-1\r\n".utf8)
    static let replies: [RedisValue] = [
        .text("OK"), .integer(-7), .text("he\r\no"), .null, .error(RedisServerError("ERR no such")),
        .array([.integer(1), .array([.text("")]), .array([])]), .null,
    ]

    private func feed(_ parser: inout RedisParser, _ bytes: some Collection<UInt8>) throws -> [RedisValue] {
        var replies: [RedisValue] = []
        try Array(bytes).withUnsafeBytes { try parser.feed($0) }
        while let reply = try parser.next() { replies.append(reply) }
        return replies
    }

    @Test("Every split of a stream of replies gives the same replies", arguments: 0...RedisParserTests.stream.count)
    func splits(at index: Int) throws {
        var parser = try RedisParser()
        let first = try feed(&parser, Self.stream[..<index])
        let second = try feed(&parser, Self.stream[index...])
        #expect(first + second == Self.replies)
    }

    @Test("Byte by byte works too")
    func byteByByte() throws {
        var parser = try RedisParser()
        var replies: [RedisValue] = []
        for byte in Self.stream { replies += try feed(&parser, [byte]) }
        #expect(replies == Self.replies)
    }

    @Test("An error names its code")
    func errorCode() {
        let error = RedisServerError("WRONGPASS invalid username-password pair")
        #expect(error.code == "WRONGPASS" && error.message == "invalid username-password pair")
    }

    @Test(
        "Bytes that are not RESP are a typed error",
        arguments: [
            "HTTP/1.1 400 Bad Request\r\n", ":12x\r\n", "*x\r\n", "*65537\r\n", "*2147483647\r\n", "*99999999999\r\n",
            "$x\r\n", String(repeating: "*1\r\n", count: 12),
        ])
    func garbage(text: String) throws {
        var parser = try RedisParser()
        #expect(throws: RedisFault.self) { _ = try feed(&parser, text.utf8) }
    }

    @Test("The largest array that is allowed is read")
    func largestArray() throws {
        var parser = try RedisParser()
        let count = RedisLimits.replyElementsMax
        let replies = try feed(&parser, "*\(count)\r\n\(String(repeating: ":1\r\n", count: count))".utf8)
        #expect(replies.count == 1 && replies.first?.elements?.count == count)
    }

    @Test("An unfinished reply does not grow without end")
    func unfinished() throws {
        var parser = try RedisParser()
        let chunk = [UInt8](repeating: 65, count: 1 << 20)
        _ = try feed(&parser, "$999999999\r\n".utf8)
        #expect(throws: RedisFault.self) { for _ in 0..<9 { _ = try feed(&parser, chunk) } }
    }

    @Test("Text that is not UTF-8 is repaired, not trusted")
    func repaired() throws {
        var parser = try RedisParser()
        #expect(try feed(&parser, Array("$2\r\n".utf8) + [0xFF, 65, 13, 10]) == [.text("\u{FFFD}A")])
    }
}
