import JSON
import NIOHTTP1
import Testing
import Transport

@testable import TransportRedis

@Suite("Sockets as servers show them to each other (S24)")
struct SnapshotTests {
    /// As a server of Node.js with its default options writes it.
    private let node = """
        {"id":"AbCdEfGhIjKlMnOpQrSt","handshake":{"headers":{"host":"h","x-list":"a, b","set":["1","2"]},
        "time":"Mon Nov 23 2026 22:34:54 GMT+0000 (Coordinated Universal Time)","address":"::1","xdomain":false,"secure":true,
        "issued":1795473294000,"url":"/socket.io/?EIO=4","query":{"EIO":"4","n":1},"auth":{"token":"t"}},
        "rooms":["AbCdEfGhIjKlMnOpQrSt","r"],"data":{"name":"ann"}}
        """

    @Test("what a server of Node.js says is read") func read() throws {
        let snapshot = try #require(SnapshotJSON.snapshot(try JSONValue(parsing: node)))
        #expect(snapshot.id == "AbCdEfGhIjKlMnOpQrSt" && snapshot.rooms == ["AbCdEfGhIjKlMnOpQrSt", "r"])
        #expect(snapshot.data["name"] == "ann")
        let handshake = snapshot.handshake
        #expect(handshake.address == "::1" && handshake.secure && handshake.issued == 1_795_473_294_000)
        #expect(handshake.url == "/socket.io/?EIO=4" && handshake.auth["token"] == "t")
        #expect(handshake.headers["set"] == ["1", "2"] && handshake.headers.first(name: "host") == "h")
        #expect(handshake.query.contains { $0.name == "n" && $0.value == "1" })
    }

    @Test("what is written can be read, and nobody is made up") func both() throws {
        let snapshot = try #require(SnapshotJSON.snapshot(try JSONValue(parsing: node)))
        let again = try #require(SnapshotJSON.snapshot(SnapshotJSON.value(snapshot)))
        #expect(again.id == snapshot.id && again.rooms == snapshot.rooms && again.data == snapshot.data)
        #expect(again.handshake.headers.first(name: "x-list") == "a, b" && again.handshake.auth == snapshot.handshake.auth)
        for text in ["null", "1", "{}", #"{"id":1}"#, "[]"] { #expect(SnapshotJSON.snapshot(try JSONValue(parsing: text)) == nil) }
        #expect(SnapshotJSON.snapshot(["id": "x"])?.rooms == [])
    }
}
