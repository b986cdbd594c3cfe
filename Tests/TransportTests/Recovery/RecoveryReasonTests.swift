import JSON
import MessagePack
import NIOCore
import Synchronization
import Testing
import Transport
import TransportWire

/// Which ends of a connection a socket survives (R4).
@Suite("Socket.IO recovery: reasons", .timeLimit(.minutes(1))) struct RecoveryReasonTests {
    @Test("R4: not after either side has left the namespace, nor when the session is closed for it") func reasons() async throws {
        let last = Shared<Socket>()
        try await TestServer.recovering { server in
            RecoveryTests.serve(server.namespace("/"), last)
        } _: { server in
            for (index, leave) in ["client", "server", "session", "away"].enumerated() {
                let client = RecoveringClient(server)
                try await client.connect()
                _ = try await client.packet()
                let id = await client.id
                switch leave {
                case "client": await client.say("41")
                case "server": last.value?.disconnect()
                case "session": last.value?.disconnect(closingSession: true)
                default:
                    await client.drop()
                    #expect(try await server.shows("kdcube_sockets 0"))
                    // Who is thrown out while away does not come back.
                    last.value?.disconnect()
                    _ = await last.value?.rooms()
                }
                #expect(try await server.shows("kdcube_sockets 0"))
                await client.drop()
                try await client.connect()
                let isRecovered = await client.recovered
                let isNew = await client.id != id
                #expect(!isRecovered && isNew, "\(leave)")
                await client.drop()
                #expect(try await server.recoveries("unknown_socket", index + 1))
                #expect(try await server.shows("kdcube_sockets 0"))
            }
        }
    }

    @Test("R4: after a close packet and a forced close it comes back, after a packet that cannot be read it does not")
    func moreReasons() async throws {
        try await TestServer.recovering { server in
            RecoveryTests.serve(server.namespace("/"))
        } _: { server in
            for farewell in ["1", "44{}"] {
                let client = RecoveringClient(server)
                try await client.connect()
                _ = try await client.packet()
                await client.say(farewell)
                #expect(try await server.shows("kdcube_sockets 0"))
                await client.drop()
                try await client.connect()
                #expect(await client.recovered == true, "\(farewell)")
                await client.say("41")
                #expect(try await server.shows("kdcube_sockets 0"))
            }
            // A packet that cannot be read is nobody's connection that was lost.
            for rubbish in ["9", "42["] {
                let client = RecoveringClient(server)
                try await client.connect()
                await client.say(rubbish)
                #expect(try await server.shows("kdcube_sockets 0"))
                await client.drop()
                try await client.connect()
                #expect(await client.recovered == false, "\(rubbish)")
                await client.say("41")
                #expect(try await server.shows("kdcube_sockets 0"))
            }
        }
    }
}
