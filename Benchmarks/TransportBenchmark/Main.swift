// What the transport's hot path costs: `transport-benchmark parse | encode | deliver COUNT` does the operation so many times, for
// bench_instructions.py to count the instructions of. The difference of two counts leaves out the start, the connections and the end.
internal import Glibc
internal import JSON
internal import NIOCore
internal import Transport
internal import TransportWire

@main
struct TransportBenchmark {
    /// Not `async`: valgrind does not survive how such a main thread waits.
    static func main() throws {
        let arguments = CommandLine.arguments
        guard arguments.count == 3, let count = Int(arguments[2]), count > 0 else { usage() }
        switch arguments[1] {
        case "parse": print(try parse(count))
        case "encode": print(encode(count))
        case "deliver": print(try Room().deliver(count))
        default: usage()
        }
        fflush(nil)
        // Without the servers' goodbye: it does not belong to what is counted.
        exit(0)
    }

    private static func usage() -> Never {
        print("usage: transport-benchmark parse | encode | deliver COUNT")
        fflush(nil)
        exit(64)
    }

    /// One masked text frame of a client, an event with 32 characters: from the bytes of a read to the message.
    private static func parse(_ count: Int) throws -> Int {
        let text = ByteBuffer(string: "42[\"message\",\"\(String(repeating: "x", count: 32))\"]")
        let frame = WebSocketFrameWriter.clientFrame(.text, payload: text, key: 0x1234_5678)
        var parser = WebSocketParser()
        var input = ByteBuffer()
        var bytes = 0
        for _ in 0..<count {
            // As in a read: one buffer that nobody else holds.
            input.clear(minimumCapacity: 256)
            input.writeImmutableBuffer(frame)
            if case .text(let message)? = try parser.next(&input) { bytes += message.readableBytes }
        }
        return bytes
    }

    /// One event of a name, a text and an object, as the frame that leaves.
    private static func encode(_ count: Int) -> Int {
        let packets = PacketFrames(parser: .json)
        let arguments: [JSONValue] = [
            .string(String(repeating: "x", count: 32)), ["seq": 17, "ok": true, "of": ["a", "b"]],
        ]
        var bytes = 0
        for _ in 0..<count { bytes += packets.event("message", arguments, namespace: "/").readableBytes }
        return bytes
    }
}
