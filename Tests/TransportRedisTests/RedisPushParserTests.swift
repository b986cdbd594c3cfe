import NIOCore
import Testing

@testable import RedisClient

@Suite("What Redis says to a subscriber")
struct RedisPushParserTests {
    private func read(_ text: String, bytesMax: Int = 64, piece: Int = .max) throws(RedisFault) -> [RedisPush] {
        var parser = RedisPushParser(bytesMax: bytesMax)
        var input = ByteBuffer()
        var found: [RedisPush] = []
        var rest = Array(text.utf8)[...]
        while !rest.isEmpty {
            input.writeBytes(rest.prefix(piece))
            rest = rest.dropFirst(piece)
            while let push = try parser.next(&input) { found.append(push) }
        }
        return found
    }

    private let stream =
        "+OK\r\n*3\r\n$9\r\nsubscribe\r\n$1\r\nc\r\n:1\r\n*3\r\n$10\r\npsubscribe\r\n$2\r\np*\r\n:2\r\n+PONG\r\n"
        + "*3\r\n$7\r\nmessage\r\n$1\r\nc\r\n$4\r\n\r\n\r\n\r\n*4\r\n$8\r\npmessage\r\n$2\r\np*\r\n$2\r\npq\r\n$0\r\n\r\n"
        + "*2\r\n$4\r\npong\r\n$0\r\n\r\n*3\r\n$11\r\nunsubscribe\r\n$1\r\nc\r\n:1\r\n-NOPERM no way\r\n"

    private var meanings: [RedisPush] {
        [
            .done, .subscribed(.channel("c")), .subscribed(.pattern("p*")), .pong,
            .message(RedisMessage(topic: .channel("c"), channel: "c", payload: ByteBuffer(string: "\r\n\r\n"))),
            .message(RedisMessage(topic: .pattern("p*"), channel: "pq", payload: ByteBuffer())), .pong, .unsubscribed(.channel("c")),
            .failed(RedisServerError("NOPERM no way")),
        ]
    }

    @Test("every kind is understood, however it is split", arguments: [1, 2, 3, 5, 7, 11, 1_000]) func split(_ piece: Int) throws {
        #expect(try read(stream, piece: piece) == meanings)
    }

    @Test("a message that is too long is skipped, and the next one read", arguments: [1, 13, 1_000]) func tooLong(_ piece: Int) throws {
        let long = "*3\r\n$7\r\nmessage\r\n$1\r\nc\r\n$65\r\n\(String(repeating: "x", count: 65))\r\n"
        let short = "*3\r\n$7\r\nmessage\r\n$1\r\nc\r\n$64\r\n\(String(repeating: "x", count: 64))\r\n"
        let kept = RedisMessage(topic: .channel("c"), channel: "c", payload: ByteBuffer(repeating: 0x78, count: 64))
        #expect(try read(long + short, piece: piece) == [.refused(.tooLong), .message(kept)])
    }

    @Test("a channel that is no text is left out") func channel() throws {
        var parser = RedisPushParser()
        var input = ByteBuffer(string: "*4\r\n$8\r\npmessage\r\n$2\r\np*\r\n$1\r\n")
        input.writeBytes([0xFF, 0x0D, 0x0A])
        input.writeString("$1\r\nx\r\n")
        #expect(try parser.next(&input) == .refused(.channelIsNoText))
    }

    @Test(
        "what a subscription never says is a fault",
        arguments: [
            ":1\r\n", "$1\r\nx\r\n", "*0\r\n", "*-1\r\n", "*9\r\n", "*1\r\n$4\r\nwhat\r\n", "*1\r\n*1\r\n", "$600000000\r\n", "$-1\r\n",
            "x\r\n",
            "\r\n", "+OK\n", "*3\r\n$7\r\nmessage\r\n$1\r\nc\r\n:1\r\n", "*2\r\n$7\r\nmessage\r\n$1\r\nc\r\n", "$1\r\nxyz\r\n",
            "+" + String(repeating: "x", count: 5_000),
        ])
    func malformed(_ text: String) { #expect(throws: RedisFault.self) { try read(text) } }

    @Test("the characters of a glob mean themselves in a name") func glob() {
        #expect(RedisTopic.matchingNames(beginningWith: "a*?[b]\\#") == RedisTopic.pattern("a\\*\\?\\[b\\]\\\\#*"))
    }
}
