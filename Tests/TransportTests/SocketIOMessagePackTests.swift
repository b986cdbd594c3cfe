import JSON
import MessagePack
import NIOCore
import Testing

@testable import Transport
@testable import TransportWire

/// S9: every packet as one MessagePack value.
@Suite("Socket.IO in MessagePack", .timeLimit(.minutes(1))) struct SocketIOMessagePackTests {
    private static func packet(_ value: JSONValue) -> ByteBuffer { ByteBuffer(bytes: MessagePackWriter.bytes(of: value)) }

    private static func decode(_ value: JSONValue) -> Result<SocketIOPacket, WireError> {
        Result { () throws(WireError) in try MessagePackPackets.decode(packet(value)) }
    }

    @Test("S9: what the reference's parser takes")
    func taken() throws {
        #expect(try Self.decode(["type": 0, "nsp": "/"]).get() == SocketIOPacket(kind: .connect))
        #expect(try Self.decode(["type": 0, "nsp": "/a", "data": .null]).get() == SocketIOPacket(kind: .connect, namespace: "/a"))
        let options: JSONValue = ["type": 2, "data": ["x", .bytes([1])], "options": ["compress": true], "id": 7, "nsp": "/"]
        #expect(try Self.decode(options).get() == SocketIOPacket(kind: .event, ackID: 7, data: ["x", .bytes([1])]))
        #expect(try Self.decode(["type": 3, "nsp": "/", "id": 0, "data": []]).get() == SocketIOPacket(kind: .ack, ackID: 0, data: []))
    }

    @Test(
        "S2, S3, S4, S6: what it refuses, and what is refused of every parser",
        arguments: [
            ["nsp": "/", "data": ["x"]], ["type": 5, "nsp": "/", "data": ["x"]], ["type": -1, "nsp": "/"], ["type": "2", "nsp": "/"],
            ["type": 2, "data": ["x"]], ["type": 2, "nsp": "a", "data": ["x"]], ["type": 2, "nsp": "/", "data": []],
            ["type": 2, "nsp": "/", "data": [.null]], ["type": 2, "nsp": "/", "data": ["connect"]], ["type": 2, "nsp": "/"],
            ["type": 2, "nsp": "/", "data": ["x"], "id": -1], ["type": 2, "nsp": "/", "data": ["x"], "id": .number("1.5")],
            ["type": 3, "nsp": "/", "data": []], ["type": 1, "nsp": "/", "data": [:]], ["type": 0, "nsp": "/", "data": "x"],
            ["type": 0, "nsp": "/", "id": 1], ["type": 0, "nsp": .string("/" + String(repeating: "n", count: 255))], [], .null,
        ] as [JSONValue])
    func refused(value: JSONValue) {
        #expect(throws: WireError.self) { try Self.decode(value).get() }
    }

    @Test("S9: a session of events, binary, acknowledgements and namespaces; text closes it")
    func session() async throws {
        let configuration = try TransportConfiguration(pingInterval: .seconds(30), origins: .any, parser: .msgpack)
        try await TestServer.socketIO(configuration) { server in
            server.namespace("/room").onConnect { $0.emit("auth", [$0.handshake.auth]) }
            server.namespace("/").on("echo") { socket, arguments, acknowledge in
                if let acknowledge { acknowledge.send(arguments) } else { socket.emit("back", arguments) }
            }
        } _: { server in
            let socket = try await server.openWebSocket()
            _ = try await socket.text()
            func say(_ value: JSONValue) { socket.send(frame: .binary, Self.packet(value)) }
            func hear() async throws -> JSONValue {
                guard case .binary(let message)? = try await socket.event() else { throw TestConnection.Ended() }
                return try message.withUnsafeReadableBytes { bytes in try MessagePackReader.read(bytes) }
            }
            say(["type": 0, "nsp": "/"])
            let connected = try await hear()
            #expect(connected["type"] == 0 && connected["nsp"] == "/" && connected["data"]?["sid"]?.stringValue?.count == 20)
            say(["type": 2, "nsp": "/", "data": ["echo", 1, .bytes([0, 255])]])
            #expect(try await hear() == ["type": 2, "data": ["back", 1, .bytes([0, 255])], "nsp": "/"])
            say(["type": 2, "nsp": "/", "data": ["echo", "a"], "id": 12])
            #expect(try await hear() == ["type": 3, "data": ["a"], "nsp": "/", "id": 12])
            say(["type": 0, "nsp": "/room", "data": ["token": "t"]])
            #expect(try await hear()["nsp"] == "/room")
            #expect(try await hear() == ["type": 2, "data": ["auth", ["token": "t"]], "nsp": "/room"])
            say(["type": 0, "nsp": "/none"])
            #expect(try await hear() == ["type": 4, "data": ["message": "Invalid namespace"], "nsp": "/none"])
            socket.say("42[\"echo\"]")
            #expect(try await socket.closes())
        }
    }
}
