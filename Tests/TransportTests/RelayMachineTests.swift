import NIOHTTP1
import Testing

@testable import Transport

@Suite("A relayed request, decided")
struct RelayMachineTests {
    private func waiting(isUpgrade: Bool = false) -> RelayStateMachine {
        var machine = RelayStateMachine(isUpgrade: isUpgrade)
        #expect(machine.connected() == [.sendRequest])
        return machine
    }

    @Test func anAnswerGoesThroughAndTheConnectionIsKeptFirst() {
        var machine = waiting()
        #expect(machine.head(status: 200, keepsPeer: true) == [.sendHead])
        #expect(machine.body() == [.sendBody])
        #expect(machine.body() == [.sendBody])
        #expect(machine.end() == [.count(.answered), .keepPeer, .sendEnd])
        #expect(machine.hasEnded)
    }

    @Test func aPeerThatWantsToCloseIsNotKept() {
        var machine = waiting()
        _ = machine.head(status: 400, keepsPeer: false)
        #expect(machine.end() == [.count(.answered), .closePeer, .sendEnd])
    }

    @Test func anUpgradeBecomesAPipeAtTheEndOfItsHead() {
        var machine = waiting(isUpgrade: true)
        #expect(machine.head(status: 101, keepsPeer: true) == [])
        #expect(machine.end() == [.count(.upgraded), .pipe])
    }

    @Test func aRefusedUpgradeIsAnAnswer() {
        var machine = waiting(isUpgrade: true)
        #expect(machine.head(status: 400, keepsPeer: false) == [.sendHead])
    }

    @Test func anotherProtocolThatNobodyAskedForIsNoAnswer() {
        var machine = waiting()
        #expect(machine.head(status: 101, keepsPeer: true) == [.count(.lost), .closePeer, .fail(.lost)])
    }

    @Test func untilSomethingWasSentAFailureIsTheIngresss() {
        var unreachable = RelayStateMachine(isUpgrade: false)
        #expect(unreachable.notConnected() == [.count(.unreachable), .fail(.unreachable)])
        var stranger = RelayStateMachine(isUpgrade: true)
        #expect(stranger.notConnected(.untrusted) == [.count(.untrusted), .fail(.untrusted)])
        var lost = waiting()
        #expect(lost.lost() == [.count(.lost), .closePeer, .fail(.lost)])
        var late = waiting()
        #expect(late.late() == [.count(.timeout), .closePeer, .fail(.timeout)])
        var slowToConnect = RelayStateMachine(isUpgrade: false)
        #expect(slowToConnect.late() == [.count(.timeout), .fail(.timeout)])
        #expect(slowToConnect.connected() == [.closePeer], "the connection came too late")
        var switching = waiting(isUpgrade: true)
        _ = switching.head(status: 101, keepsPeer: true)
        #expect(switching.lost() == [.count(.lost), .closePeer, .fail(.lost)])
    }

    @Test func afterwardsTheClientIsCut() {
        var lost = waiting()
        _ = lost.head(status: 200, keepsPeer: true)
        #expect(lost.lost() == [.count(.lost), .closePeer, .cutClient])
        var late = waiting()
        _ = late.head(status: 200, keepsPeer: true)
        #expect(late.late() == [.count(.timeout), .closePeer, .cutClient])
        var twice = waiting()
        _ = twice.head(status: 200, keepsPeer: true)
        #expect(twice.head(status: 200, keepsPeer: true) == [.count(.lost), .closePeer, .cutClient])
    }

    @Test func aClientThatGoesTakesThePeersConnectionWithIt() {
        var connecting = RelayStateMachine(isUpgrade: false)
        #expect(connecting.clientGone() == [.count(.abandoned)])
        #expect(connecting.connected() == [.closePeer])
        var parked = waiting()
        #expect(parked.clientGone() == [.count(.abandoned), .closePeer])
    }

    @Test func whatHasEndedEndsOnce() {
        var machine = waiting()
        _ = machine.clientGone()
        #expect(machine.lost() == [] && machine.late() == [] && machine.clientGone() == [] && machine.notConnected() == [])
        #expect(machine.body() == [] && machine.end() == [])
    }
}

@Suite("The heads of a relayed request")
struct RelayedHeadTests {
    private static let peer = PeerAddress(host: "10.0.0.7", port: 8_000)
    private static let rules = RequestPlan.Rules(
        enginePath: EnginePath("/socket.io/"), pollingBodyBytesMax: 1_000, bodyBytesMax: 1_000)

    private func head(_ method: HTTPMethod, _ headers: HTTPHeaders) -> HTTPRequestHead {
        HTTPRequestHead(version: .http1_1, method: method, uri: "/socket.io/?sid=x", headers: headers)
    }

    private func relayed(_ head: HTTPRequestHead, bodyBytes: Int = 0, isUpgrade: Bool = false) -> [String] {
        RelayedHead.request(
            head, target: head.uri, bodyBytes: bodyBytes, isUpgrade: isUpgrade, requestID: "r1", peer: Self.peer
        ).headers.map { "\($0.name): \($0.value)" }
    }

    @Test func whatTheClientSaidGoesOnAndWhatItsConnectionSaidDoesNot() {
        let sent = head(
            .POST,
            [
                "Host": "chat.example", "Origin": "https://chat.example", "Cookie": "a=1", "Connection": "keep-alive, X-Mine",
                "X-Mine": "1", "Keep-Alive": "5", "TE": "trailers", "Transfer-Encoding": "chunked", "Expect": "100-continue",
                "Upgrade": "h2c", "Proxy-Connection": "close", "Content-Type": "text/plain",
            ])
        #expect(
            relayed(sent, bodyBytes: 7) == [
                "Host: chat.example", "Origin: https://chat.example", "Cookie: a=1", "Content-Type: text/plain", "Content-Length: 7",
                "x-request-id: r1", "x-kdcube-relay: 1",
            ])
    }

    @Test func anUpgradeKeepsItsFields() {
        let sent = head(
            .GET, ["Host": "h", "Connection": "keep-alive, Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Key": "k"])
        #expect(
            relayed(sent, isUpgrade: true) == [
                "Host: h", "Upgrade: websocket", "Sec-WebSocket-Key: k", "Connection: Upgrade", "x-request-id: r1", "x-kdcube-relay: 1",
            ])
    }

    @Test func anEmptyPostHasALengthAndAnOldClientAHost() {
        #expect(relayed(head(.POST, ["Host": "h"])).contains("Content-Length: 0"))
        #expect(relayed(head(.GET, [:])).first == "Host: 10.0.0.7:8000")
    }

    @Test func theGuardCannotBeNamedAway() {
        let sent = head(.GET, ["Host": "h", "Connection": "x-kdcube-relay, host, origin", "x-kdcube-relay": "1", "Origin": "https://o"])
        #expect(RelayedHead.isRelayed(sent))
        #expect(relayed(sent).contains("x-kdcube-relay: 1") && relayed(sent).contains("Origin: https://o"))
    }

    private func plan(_ method: HTTPMethod = .GET, version: HTTPVersion = .http1_1) throws -> RequestPlan {
        try RequestPlan(HTTPRequestHead(version: version, method: method, uri: "/socket.io/?a", headers: ["Host": "h"]), Self.rules)
    }

    private func answer(_ headers: HTTPHeaders, _ plan: RequestPlan, _ status: HTTPResponseStatus = .ok) -> RelayedAnswer {
        RelayedAnswer(HTTPResponseHead(version: .http1_1, status: status, headers: headers), plan)
    }

    @Test func theAnswersFieldsGoThroughInTheirOrder() throws {
        let through = answer(
            ["Content-Type": "text/plain; charset=UTF-8", "Cache-Control": "no-store", "Content-Length": "2", "Connection": "close"],
            try plan())
        #expect(through.head.headers.map(\.name) == ["Content-Type", "Cache-Control", "Content-Length"] && through.isDelimited)
    }

    @Test func howTheAnswerEndsIsToldInTheClientsWay() throws {
        let chunked = answer(["Transfer-Encoding": "chunked"], try plan())
        #expect(chunked.isDelimited && chunked.head.headers["transfer-encoding"] == ["chunked"])
        let old = answer(["Transfer-Encoding": "chunked"], try plan(version: .http1_0))
        #expect(!old.isDelimited && !old.head.headers.contains(name: "transfer-encoding"))
        #expect(!answer([:], try plan()).isDelimited)
        #expect(answer(["Content-Length": "9"], try plan(.HEAD)).isDelimited)
        #expect(answer([:], try plan(), .noContent).isDelimited)
    }

    @Test(arguments: ["127.0.0.1:8000", "node-1.kdcube.svc:80", "[::1]:8000"])
    func anAddressIsReadAsItIsWritten(_ text: String) {
        #expect(PeerAddress(text)?.description == text && PeerAddress(text)?.isSecure == false)
        let secure = PeerAddress("https://" + text)
        #expect(secure?.description == "https://" + text && secure?.isSecure == true && secure?.authority == text)
        #expect(secure != PeerAddress(text), "no connection is used for the other one")
    }

    @Test(arguments: [
        "", ":80", "host", "host:", "host:0", "host:65536", "::1:80", "a b:80", "u@h:80", "h/x:80", "h\r\n:80", "h:+1", "http://h:80",
        "https://", "https://h", "https://https://h:80", "HTTPS://h:80",
    ])
    func whatIsNoAddressIsNone(_ text: String) {
        #expect(PeerAddress(text) == nil)
    }
}
