import HTTPTypes
import Hummingbird
import NIOCore
import NIOHTTP1
import Testing

@testable import Transport

@Suite("Front: decisions from the head") struct FrontPlanTests {
    private static let rules = RequestPlan.Rules(enginePath: EnginePath("/socket.io/"), pollingBodyBytesMax: 100, bodyBytesMax: 100_000)

    private func plan(
        _ method: HTTPMethod, _ uri: String, _ headers: [(String, String)], _ version: HTTPVersion = .http1_1
    ) throws(Refusal) -> RequestPlan {
        try RequestPlan(HTTPRequestHead(version: version, method: method, uri: uri, headers: HTTPHeaders(headers)), Self.rules)
    }

    @Test(
        "ambiguous or impossible framing is refused with 400 (attack 28)",
        arguments: [
            [("Host", "h"), ("Content-Length", "5"), ("Transfer-Encoding", "chunked")],
            [("Host", "h"), ("Transfer-Encoding", "chunked"), ("Transfer-Encoding", "chunked")],
            [("Host", "h"), ("Transfer-Encoding", "gzip, chunked")],
            [("Host", "h"), ("Transfer-Encoding", "identity")],
            [("Host", "h"), ("Content-Length", "5"), ("Content-Length", "5")],
            [("Host", "h"), ("Content-Length", "+5")],
            [("Host", "h"), ("Content-Length", "5, 5")],
            [("Host", "h"), ("Content-Length", "")],
            [("Host", "h"), ("Content-Length", "99999999999999999999")],
            [("Host", "a"), ("Host", "b")],
            [],
        ])
    func ambiguous(_ headers: [(String, String)]) {
        #expect(throws: Refusal.self) { try plan(.POST, "/x", headers) }
        do { _ = try plan(.POST, "/x", headers) } catch { #expect(error.status == .badRequest && error.reason == .badRequest) }
    }

    @Test("request targets that are not ours are refused", arguments: ["", "x", "example.com:80", "ftp://h/x", "//"])
    func targets(_ uri: String) {
        let outcome = Result { try plan(.GET, uri, [("Host", "h")]) }
        if uri == "//" { #expect((try? outcome.get())?.target == "//") } else { #expect(throws: Refusal.self) { try outcome.get() } }
        #expect(throws: Refusal.self) { try plan(.CONNECT, "/x", [("Host", "h")]) }
    }

    @Test(
        "the absolute form means the same as the origin form",
        arguments: [
            ("http://h/a?b", "/a?b"), ("HTTPS://h/a", "/a"), ("http://h", "/"), ("http://h?q", "/?q"), ("/a?u=http://x/", "/a?u=http://x/"),
            ("*", "*"),
        ])
    func absoluteForm(_ uri: String, _ target: String) throws {
        #expect(try plan(.OPTIONS, uri, [("Host", "h")]).target == target)
    }

    @Test(
        "routes: Engine.IO by exact prefix (E1), upgrades by their fields",
        arguments: [
            ("/socket.io/", false, RequestPlan.Route.engine), ("/socket.io/?EIO=4", true, .upgrade), ("/socket.iox", false, .rest),
            ("/socket.io", true, .rest), ("/Socket.IO/", true, .rest), ("/socket.io/a.js", false, .rest),
            ("/socket.io/a.js.map?v", false, .rest),
            ("/hello", true, .rest),
        ])
    func routes(_ uri: String, _ upgrades: Bool, _ route: RequestPlan.Route) throws {
        let fields = upgrades ? [("Upgrade", "WebSocket"), ("Connection", "keep-alive, UPGRADE")] : []
        #expect(try plan(.GET, uri, [("Host", "h")] + fields).route == route)
    }

    @Test("a POST to a client file's name is Engine.IO, not a file") func postToFile() throws {
        #expect(try plan(.POST, "/socket.io/a.js", [("Host", "h")]).route == .engine)
    }

    @Test("another protocol's upgrade on the Engine.IO path is an ordinary poll that closes") func otherUpgrade() throws {
        let made = try plan(.GET, "/socket.io/", [("Host", "h"), ("Upgrade", "h2c"), ("Connection", "Upgrade")])
        #expect(made.route == .engine && made.stopsDecoder)
        #expect(
            try plan(.GET, "/socket.io/", [("Host", "h"), ("Upgrade", "websocket"), ("Connection", "Upgrade")], .http1_0).route == .engine)
    }

    @Test(
        "an upgrade request with a body is refused (CVE-2022-21676)",
        arguments: [("Content-Length", "3"), ("Transfer-Encoding", "chunked")])
    func upgradeBody(_ field: (String, String)) {
        let fields = [("Host", "h"), ("Upgrade", "websocket"), ("Connection", "Upgrade"), field]
        #expect(throws: Refusal.self) { try plan(.GET, "/socket.io/", fields) }
    }

    @Test(
        "bodies: small ones are gathered, others streamed, too long ones refused at once",
        arguments: [
            ("0", RequestPlan.Body.gathered), ("16384", .gathered), ("16385", .streamed), ("100000", .streamed),
        ])
    func bodies(_ length: String, _ body: RequestPlan.Body) throws {
        #expect(try plan(.POST, "/x", [("Host", "h"), ("Content-Length", length)]).body == body)
        do {
            _ = try plan(.POST, "/x", [("Host", "h"), ("Content-Length", "100001")])
            Issue.record("not refused")
        } catch { #expect(error == .bodyTooLarge()) }
        do {
            _ = try plan(.POST, "/socket.io/", [("Host", "h"), ("Content-Length", "101")])
            Issue.record("not refused")
        } catch { #expect(error == .bodyTooLarge(emptyBody: true)) }
    }

    @Test("expectations: 100-continue matters with a body only, others are 417") func expectations() throws {
        #expect(try plan(.POST, "/x", [("Host", "h"), ("Content-Length", "3"), ("Expect", "100-Continue")]).expectsContinue)
        #expect(try !plan(.POST, "/x", [("Host", "h"), ("Expect", "100-continue")]).expectsContinue)
        #expect(try !plan(.POST, "/x", [("Content-Length", "3"), ("Expect", "100-continue")], .http1_0).expectsContinue)
        do {
            _ = try plan(.POST, "/x", [("Host", "h"), ("Expect", "tea")])
            Issue.record("not refused")
        } catch { #expect(error.status == .expectationFailed) }
    }

    @Test(
        "a request id is kept if it is 1 to 128 visible ASCII characters",
        arguments: [
            ("abc-1", true), (String(repeating: "x", count: 128), true), (String(repeating: "x", count: 129), false), ("", false),
            ("a b", false),
            ("ä", false), ("a\tb", false),
        ])
    func requestID(_ value: String, _ isKept: Bool) throws {
        #expect(try plan(.GET, "/", [("Host", "h"), ("X-Request-ID", value)]).requestID == (isKept ? value : nil))
    }

    @Test("our own request ids are 32 hexadecimal digits and differ") func ownIDs() {
        let ids = (0..<1000).map { _ in RequestIdentifier.make() }
        #expect(Set(ids).count == 1000)
        #expect(ids.allSatisfy { $0.count == 32 && $0.allSatisfy(\.isHexDigit) && RequestIdentifier.accepted($0) != nil })
    }

    @Test("responses are framed by what is known of their length") func framing() throws {
        let get = try plan(.GET, "/", [("Host", "h")])
        let head = try plan(.HEAD, "/", [("Host", "h")])
        let old = try plan(.GET, "/", [], .http1_0)
        let streaming = Response(status: .ok, body: .init { _ in })
        let known = Response(status: .ok, body: .init(byteBuffer: ByteBuffer(string: "abc")))
        #expect(ResponseFraming(streaming, get).body == .chunked)
        #expect(ResponseFraming(streaming, get).head.headers["transfer-encoding"] == ["chunked"])
        #expect(ResponseFraming(streaming, old).body == .untilClose)
        #expect(ResponseFraming(streaming, head).body == .none)
        #expect(ResponseFraming(streaming, head).head.headers["transfer-encoding"].isEmpty)
        #expect(ResponseFraming(known, get).body == .length(3))
        #expect(ResponseFraming(known, head).head.headers["content-length"] == ["3"])
        let empty = ResponseFraming(Response(status: .noContent), get)
        #expect(empty.body == .none && empty.head.headers["content-length"].isEmpty)
        let smuggled = Response(status: .ok, headers: [.transferEncoding: "chunked", .connection: "keep-alive"], body: known.body)
        #expect(ResponseFraming(smuggled, get).head.headers["transfer-encoding"].isEmpty)
    }

    @Test(
        "dates are those of RFC 9110",
        arguments: [
            (784_111_777, "Sun, 06 Nov 1994 08:49:37 GMT"), (0, "Thu, 01 Jan 1970 00:00:00 GMT"),
            (951_782_400, "Tue, 29 Feb 2000 00:00:00 GMT"),
            (4_107_542_399, "Sun, 28 Feb 2100 23:59:59 GMT"), (4_107_542_400, "Mon, 01 Mar 2100 00:00:00 GMT"),
        ])
    func dates(_ second: Int, _ text: String) {
        #expect(HTTPDate.text(second) == text)
    }
}

@Suite("Front: deadlines") struct FrontDeadlinesTests {
    /// A sweep a second; 3 s for a header, 5 s idle, 2 s of grace and 100 B/s for bodies, 4 s without progress, 2 s to linger.
    private static var table: FrontDeadlines.Table {
        var configuration = FrontConfiguration()
        configuration.handshakeDeadline = .seconds(4)
        configuration.headerDeadline = .seconds(3)
        configuration.idleTimeout = .seconds(5)
        configuration.bodyGrace = .seconds(2)
        configuration.bodyBytesPerSecondMin = 100
        configuration.writeProgressDeadline = .seconds(4)
        configuration.lingerDeadline = .seconds(2)
        return FrontDeadlines.Table(configuration)
    }

    /// Sweeps until the verdict is not to stay. - Returns: the number of sweeps, and the verdict; nil if it stays for 100.
    private func sweeps(
        _ phase: (Int) -> FrontDeadlines.Phase, epoch: (Int) -> UInt32 = { _ in 1 }, buffered: (Int) -> Int = { _ in 0 },
        written: (Int) -> Int = { _ in 0 }
    ) -> (Int, FrontDeadlines.Verdict)? {
        var deadlines = FrontDeadlines()
        for index in 1...100 {
            let verdict = deadlines.sweep(
                phase(index), epoch: epoch(index), bufferedBytes: buffered(index), writtenBytes: written(index), Self.table)
            if verdict != .stay { return (index, verdict) }
        }
        return nil
    }

    @Test("an idle connection goes after its time, a busy one does not") func idle() {
        #expect(sweeps { _ in .idle } ?? (0, .stay) == (6, .idle))
        #expect(sweeps { _ in .answering } == nil)
        #expect(sweeps({ _ in .idle }, epoch: { UInt32($0 / 4) }) == nil, "each request starts the count anew")
    }

    @Test("a TLS handshake goes after its deadline, though the client sends now and then (attack 21)") func handshake() {
        #expect(sweeps { _ in .handshake } ?? (0, .stay) == (5, .handshakeDeadline))
    }

    @Test("a half header goes after the header deadline (attack 21)") func header() {
        #expect(sweeps { _ in .header } ?? (0, .stay) == (4, .headerDeadline))
    }

    @Test("a dripping body goes, a fast enough one stays, one that we hold back stays (attack 21)") func body() {
        #expect(sweeps { .body(received: $0, isWithheld: false) }?.1 == .bodyRate)
        #expect(sweeps { .body(received: $0 * 101, isWithheld: false) } == nil)
        #expect(sweeps { _ in .body(received: 0, isWithheld: true) } == nil)
        // Fast at first, and then nothing: its average would be good for ever.
        #expect(sweeps { _ in .body(received: 1_000_000, isWithheld: false) }?.1 == .bodyRate)
        #expect(sweeps { .body(received: 1_000_000 + $0 * 101, isWithheld: false) } == nil)
    }

    @Test("a download that is not taken is not idle, but needs progress (attack 22)") func progress() {
        #expect(sweeps({ _ in .idle }, buffered: { _ in 500 }) ?? (0, .stay) == (5, .writeProgress))
        #expect(sweeps({ _ in .answering }, buffered: { 1000 - $0 }) == nil)
        #expect(sweeps({ _ in .answering }, buffered: { _ in 500 }, written: { $0 }) == nil)
    }

    @Test("a refused client may linger a while") func linger() {
        #expect(sweeps { _ in .draining } ?? (0, .stay) == (3, .linger))
    }

    @Test("extreme configurations do not overflow") func extremes() {
        var configuration = FrontConfiguration()
        configuration.idleTimeout = .seconds(Int64.max / 2)
        configuration.sweepInterval = .zero
        _ = FrontDeadlines.Table(configuration)
    }
}
