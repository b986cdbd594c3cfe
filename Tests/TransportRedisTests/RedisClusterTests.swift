import JSON
import RedisClient
import Synchronization
import Testing
import Transport

@testable import TransportRedis

/// Three servers, and one that writes and reads what Node.js would, on a real Redis. What clients see of it is in
/// Tests/EndToEnd/test_socketio_cluster.py.
@Suite("A cluster on one Redis", .timeLimit(.minutes(2)))
struct RedisClusterTests {
    private func three(_ body: ([Node], RedisProcess) async throws -> Void) async throws {
        let redis = try await RedisProcess()
        let nodes = try ["one", "two", "three"].map { try Node($0, redis.url) }
        try await Node.running(nodes) { try await body(nodes, redis) }
    }

    @Test("S25: an event for servers reaches the others in order, never oneself, and each answers once") func serverSide() async throws {
        try await three { nodes, _ in
            for number in 0..<50 { try nodes[0].main.serverSideEmit("say", [.string("\(number)")]) }
            for node in nodes[1...] {
                #expect(await eventually { node.heard.withLock { $0.count } == 50 })
                #expect(node.heard.withLock { $0 } == (0..<50).map { "\($0)" })
            }
            #expect(nodes[0].heard.withLock { $0 }.isEmpty)
            let answers = try await nodes[1].main.serverSideEmitWithAck("say", [.bytes([1, 2])])
            #expect(answers.compactMap(\.stringValue).sorted() == ["one", "three"])
            await #expect(throws: IncompleteAnswers(.timedOut, missing: 2)) {
                try await nodes[0].main.serverSideEmitWithAck("unknown", timeout: .milliseconds(50))
            }
        }
    }

    @Test("S23, S24: nobody is there: all say so, at once") func nobody() async throws {
        try await three { nodes, _ in
            let answers = try await nodes[0].main.timeout(.seconds(60)).emitWithAck("question")
            #expect(answers.isEmpty)
            #expect(await nodes[0].main.timeout(.seconds(60)).fetchSockets().isEmpty)
            #expect(await nodes[0].main.to([]).fetchSockets().isEmpty)
            #expect(nodes[0].shows("kdcube_cluster_partial_answers_total 0"))
        }
    }

    @Test("§3.1: a server of Node.js has its answers where it looks for them") func peer() async throws {
        try await three { nodes, redis in
            let peer = try await Peer("abc123", redis.url)
            let request = "socket.io-request#/#"
            for (type, answer) in [(0, #""sockets":[]"#), (1, #""rooms":[]"#), (5, #""sockets":[]"#)] {
                try await peer.publish(#"{"uid":"abc123","requestId":"r\#(type)","type":\#(type),"opts":{},"rooms":[]}"#, to: request)
                let answers = await peer.next(3, with: #"{"requestId":"r\#(type)","#)
                #expect(answers == Array(repeating: #"{"requestId":"r\#(type)",\#(answer)}"#, count: 3))
            }
            let packet = #""packet":{"type":2,"data":["x"],"nsp":"/"},"opts":{"rooms":[],"except":[],"flags":{"timeout":1000}}"#
            try await peer.publish(#"{"uid":"abc123","requestId":"r7","type":7,\#(packet)}"#, to: request)
            #expect(
                await peer.next(3, with: #""type":8"#)
                    == Array(repeating: #"{"type":8,"requestId":"r7","clientCount":0}"#, count: 3))
            try await peer.publish(#"{"uid":"abc123","requestId":"r6","type":6,"data":["say","hi"]}"#, to: request)
            #expect(
                await peer.next(3, with: #""data""#).filter { $0.contains(#""type":6,"requestId":"r6","data""#) }.count >= 2)
            await peer.close()
        }
    }

    @Test("a server of Node.js is counted and waited for, and its answer is one of them") func asked() async throws {
        try await three { nodes, redis in
            let peer = try await Peer("abc123", redis.url)
            let asking = Task { try await nodes[0].main.serverSideEmitWithAck("say", ["hi"], timeout: .seconds(60)) }
            let asked = try JSONValue(parsing: try #require(await peer.next(1, with: #""data":["say","hi"]"#).first))
            #expect(asked["uid"]?.stringValue == nodes[0].cluster.uid && asked["type"] == 6)
            let id = try #require(asked["requestId"]?.stringValue)
            try await peer.publish(#"{"type":6,"requestId":"\#(id)","data":"node"}"#, to: "socket.io-response#/#")
            #expect(try await asking.value.compactMap(\.stringValue).sorted() == ["node", "three", "two"])
            let fetching = Task { await nodes[0].main.timeout(.seconds(60)).fetchSockets() }
            let fetch = try JSONValue(parsing: try #require(await peer.next(1, with: #""type":5"#).first))
            let socket = #"{"id":"s","handshake":{"headers":{},"auth":{"a":1}},"rooms":["s","r"],"data":{}}"#
            try await peer.publish(
                #"{"requestId":"\#(fetch["requestId"]?.stringValue ?? "")","sockets":[\#(socket)]}"#, to: "socket.io-response#/#")
            let found = await fetching.value
            #expect(found.map(\.id) == ["s"] && found.first?.rooms == ["s", "r"] && found.first?.handshake.auth["a"] == 1)
            await peer.close()
        }
    }

    @Test("a server that goes while it is asked is not waited for") func death() async throws {
        try await three { nodes, redis in
            let peer = try await Peer("abc123", redis.url)
            let asking = Task { await nodes[0].main.timeout(.seconds(3_600)).fetchSockets() }
            _ = await peer.next(1, with: #""type":5"#)
            await peer.close()
            #expect(await asking.value.isEmpty)
        }
    }

    private final class Roll: ClusterRoll {
        let alive = Mutex<Set<String>>([])
        var uids: Set<String> { alive.withLock { $0 } }
    }

    @Test("a server that the roll says is down is not waited for, although Redis counts it") func roll() async throws {
        let redis = try await RedisProcess()
        let roll = Roll()
        let nodes = [try Node("one", redis.url, roll: roll), try Node("two", redis.url)]
        let uids = Set(nodes.map(\.cluster.uid))
        try await Node.running(nodes) {
            let zombie = try await Peer("kdc-zombie", redis.url)
            roll.alive.withLock { $0 = uids.union(["kdc-zombie"]) }
            #expect(await nodes[0].cluster.ask(.fetchSockets(.init()), namespace: "/", timeout: .milliseconds(50)).missing >= 1)
            roll.alive.withLock { $0 = uids }
            #expect(await nodes[0].cluster.ask(.fetchSockets(.init()), namespace: "/", timeout: .seconds(3_600)).missing == 0)
            await zombie.close()
        }
    }

    @Test("a Redis that dies and comes back: questions end, the gap is told, and the cluster is whole again") func loss() async throws {
        try await three { nodes, redis in
            redis.end()
            #expect(await eventually { nodes.allSatisfy { $0.shows("kdcube_cluster_connected 0") } })
            #expect(await nodes[0].cluster.ask(.fetchSockets(.init()), namespace: "/", timeout: .seconds(3_600)).missing == 1)
            try nodes[0].main.serverSideEmit("say", ["lost"])
            #expect(await eventually { nodes[0].shows(#"kdcube_cluster_unsent_total{reason="unreachable"} 2"#) })
            try await redis.launch()
            #expect(await eventually { nodes.allSatisfy { $0.cluster.takesPart(in: "/") && $0.cluster.publisher.health == .ready } })
            #expect(nodes.allSatisfy { $0.shows("kdcube_cluster_gaps_total 1") && $0.cluster.status.gaps == 1 })
            #expect(try await nodes[2].main.serverSideEmitWithAck("say", ["again"]).count == 2)
            #expect(nodes[1].heard.withLock { $0 } == ["again"])
        }
    }

    @Test("a namespace is listened to while it is there") func namespaces() async throws {
        try await three { nodes, _ in
            #expect(!nodes[0].cluster.takesPart(in: "/late"))
            for node in nodes {
                node.server.namespace("/late").onServerSide("say") { _ in .string(node.name) }
                #expect(await eventually { node.cluster.takesPart(in: "/late") })
            }
            #expect(try await nodes[0].server.namespace("/late").serverSideEmitWithAck("say").count == 2)
            nodes[1].cluster.closed(namespace: "/late")
            #expect(await eventually { !nodes[1].cluster.takesPart(in: "/late") })
            let answers = try await nodes[0].server.namespace("/late").serverSideEmitWithAck("say", timeout: .seconds(3_600))
            #expect(answers == ["three"])
        }
    }

    @Test("what is too large does not leave, and what nobody can read is counted") func limits() async throws {
        try await three { nodes, redis in
            let large = JSONValue.bytes([UInt8](repeating: 0, count: ClusterLimits.messageBytesMax))
            nodes[0].main.emit("large", [large])
            #expect(nodes[0].shows(#"kdcube_cluster_unsent_total{reason="too_long"} 1"#))
            let peer = try await Peer("abc123", redis.url)
            try await peer.publish("\u{1}", to: "socket.io#/#")
            try await peer.publish("{", to: "socket.io-request#/#")
            try await peer.publish("{", to: "socketio")
            for node in nodes { #expect(await eventually { node.shows(#"kdcube_cluster_refused_total{reason="malformed"} 2"#) }) }
            await peer.close()
        }
    }
}
