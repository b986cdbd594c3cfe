internal import NIOHTTP1

/// What is to be done with a request, decided from its head alone. Pure.
struct RequestPlan: Equatable {
    enum Route: Equatable {
        /// A polling request under the Engine.IO path.
        case engine
        /// A WebSocket upgrade under the Engine.IO path.
        case upgrade
        case rest
    }

    enum Body: Equatable {
        case gathered
        case streamed
    }

    var route: Route
    var body: Body
    var bodyBytesMax: Int
    var keepAlive: Bool
    var expectsContinue: Bool
    /// The decoder reads nothing after this request (RFC 9110 §7.8), whether we upgrade or not.
    var stopsDecoder: Bool
    /// A client that has closed its side does not wait for the answer any more.
    var endsWithClient: Bool
    /// A HEAD request: the answer has no body.
    var isHead: Bool
    var isHTTP10: Bool
    /// Path and query, whatever the form of the request target.
    var target: String
    /// The client's `x-request-id`, if it is fit to be echoed.
    var requestID: String?

    struct Rules: Equatable {
        var enginePath: EnginePath?
        var pollingBodyBytesMax: Int
        var bodyBytesMax: Int
        var pathsThatEndWithTheirClient: Set<String> = []
    }

    init(_ head: HTTPRequestHead, _ rules: Rules) throws(Refusal) {
        let fields = RequestFields(head.headers)
        try Self.checkFraming(fields, head)
        guard head.method != .CONNECT, let origin = EnginePath.originForm(head.uri) else {
            throw .badRequest("The request target is not one that this server has.")
        }
        isHTTP10 = head.isHTTP10
        isHead = head.method == .HEAD
        // A stream of HTTP/2 ends with its answer, by itself.
        keepAlive = head.isKeepAlive || head.version.major > 1
        requestID = fields.requestID
        target = String(origin)
        endsWithClient = rules.pathsThatEndWithTheirClient.contains(String(origin.prefix { $0 != "?" }))
        stopsDecoder = fields.connectionUpgrade && fields.upgrade != nil
        expectsContinue = try Self.expectsContinue(fields, isHTTP10)

        let isRead = head.method == .GET || head.method == .HEAD
        let isEngine = rules.enginePath?.matches(origin, isRead: isRead) ?? false
        let isUpgrade = isEngine && stopsDecoder && !isHTTP10 && fields.upgrade.map { ASCII.list($0, contains: "websocket") } == true
        route = isUpgrade ? .upgrade : isEngine ? .engine : .rest
        bodyBytesMax = isEngine ? rules.pollingBodyBytesMax : rules.bodyBytesMax
        let length = fields.contentLength ?? 0
        if isUpgrade, length > 0 || fields.isChunked {
            throw .badRequest("An upgrade request has no body.")
        }
        if length > bodyBytesMax { throw .bodyTooLarge(emptyBody: isEngine) }
        let gathers = isEngine || (!fields.isChunked && length <= FrontLimits.gatheredBodyBytesMax)
        body = gathers ? .gathered : .streamed
        if length == 0, !fields.isChunked { expectsContinue = false }
    }

    /// Refuses everything that two servers in a row could read differently (attack 28; RFC 9112 §6.3, §3.2).
    private static func checkFraming(_ fields: RequestFields, _ head: HTTPRequestHead) throws(Refusal) {
        if fields.transferEncodings > 0 {
            guard fields.transferEncodings == 1, fields.isChunked, fields.contentLengths == 0, !head.isHTTP10 else {
                throw .badRequest("The length of the request body is ambiguous.")
            }
        }
        guard fields.contentLengths <= 1, fields.contentLengths == 0 || fields.contentLength != nil else {
            throw .badRequest("The length of the request body is ambiguous.")
        }
        guard fields.hosts == 1 || (fields.hosts == 0 && head.isHTTP10) else {
            throw .badRequest("A request names its host once.")
        }
    }

    private static func expectsContinue(_ fields: RequestFields, _ isHTTP10: Bool) throws(Refusal) -> Bool {
        guard let expect = fields.expect, !isHTTP10 else { return false }
        guard ASCII.equal(expect, "100-continue") else {
            throw Refusal(status: .expectationFailed, reason: .badRequest, message: "The expectation is not known.")
        }
        return true
    }
}

extension HTTPRequestHead {
    fileprivate var isHTTP10: Bool { version.major == 1 && version.minor == 0 }
}

/// The header fields that steer a connection, found in one pass.
struct RequestFields {
    var hosts = 0
    var contentLengths = 0
    /// The declared length, if it is a plain number that fits.
    var contentLength: Int?
    var transferEncodings = 0
    var isChunked = false
    var connectionUpgrade = false
    var upgrade: String?
    var expect: String?
    var requestID: String?

    init(_ headers: HTTPHeaders) {
        for (name, value) in headers { read(name, value) }
    }

    private mutating func read(_ name: String, _ value: String) {
        switch name.utf8.count {
        case 4 where ASCII.equal(name, "host"):
            hosts += 1
        case 6 where ASCII.equal(name, "expect"):
            expect = value
        case 7 where ASCII.equal(name, "upgrade"):
            upgrade = upgrade.map { $0 + "," + value } ?? value
        case 10 where ASCII.equal(name, "connection"):
            connectionUpgrade = connectionUpgrade || ASCII.list(value, contains: "upgrade")
        case 12 where ASCII.equal(name, "x-request-id"):
            requestID = RequestIdentifier.accepted(value)
        case 14 where ASCII.equal(name, "content-length"):
            contentLengths += 1
            contentLength = Self.number(value)
        case 17 where ASCII.equal(name, "transfer-encoding"):
            transferEncodings += 1
            isChunked = ASCII.equal(value, "chunked")
        default:
            break
        }
    }

    /// Digits only: no sign, no space, no list.
    private static func number(_ text: String) -> Int? {
        guard !text.isEmpty, text.utf8.allSatisfy({ (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }) else { return nil }
        return Int(text)
    }
}
