internal import NIOHTTP1

/// The head of a request as it is sent on to the node of its session: the client's own, but for what belongs to one
/// connection (RFC 9110 §7.6.1). Pure.
enum RelayedHead {
    /// - Parameters:
    ///   - bodyBytes: of the gathered body, whatever way it came in.
    ///   - requestID: goes with a request that has none, so that both nodes speak of it by one name.
    static func request(
        _ head: HTTPRequestHead, target: String, bodyBytes: Int, isUpgrade: Bool, requestID: String, peer: PeerAddress
    ) -> HTTPRequestHead {
        var headers = HTTPHeaders()
        let named = connectionOptions(head.headers)
        for (name, value) in head.headers where !isOfOneHop(name, named) {
            if isUpgrade || !ASCII.equal(name, "upgrade") { headers.add(name: name, value: value) }
        }
        if isUpgrade { headers.add(name: "Connection", value: "Upgrade") }
        // HTTP/1.0 asks for none, HTTP/1.1 for one (RFC 9112 §3.2).
        if !headers.contains(name: "host") { headers.add(name: "Host", value: peer.authority) }
        if bodyBytes > 0 || head.method == .POST { headers.add(name: "Content-Length", value: String(bodyBytes)) }
        headers.replaceOrAdd(name: "x-request-id", value: requestID)
        headers.replaceOrAdd(name: RelayLimits.guardField, value: "1")
        return HTTPRequestHead(version: .http1_1, method: head.method, uri: target, headers: headers)
    }

    /// True for a request that another node has sent on.
    static func isRelayed(_ head: HTTPRequestHead) -> Bool { head.headers.contains(name: RelayLimits.guardField) }

    fileprivate static func connectionOptions(_ headers: HTTPHeaders) -> [String] {
        headers[canonicalForm: "connection"].map { $0.lowercased() }
    }

    fileprivate static func isOfOneHop(_ name: String, _ named: [String]) -> Bool {
        switch name.utf8.count {
        case 2: ASCII.equal(name, "te") || isNamed(name, named)
        case 6: ASCII.equal(name, "expect") || isNamed(name, named)
        case 7: !ASCII.equal(name, "upgrade") && isNamed(name, named)
        case 10: ASCII.equal(name, "connection") || ASCII.equal(name, "keep-alive") || isNamed(name, named)
        case 14: ASCII.equal(name, "content-length") || isNamed(name, named)
        case 16: ASCII.equal(name, "proxy-connection") || isNamed(name, named)
        case 17: ASCII.equal(name, "transfer-encoding") || isNamed(name, named)
        default: isNamed(name, named)
        }
    }

    private static func isNamed(_ name: String, _ named: [String]) -> Bool {
        // A client cannot have the guard or the host taken out by naming it.
        !named.isEmpty && named.contains(name.lowercased()) && !ASCII.equal(name, "host") && !ASCII.equal(name, "origin")
            && !ASCII.equal(name, "x-kdcube-relay")
    }
}

/// The head of a peer's answer as the client is sent it: status and fields as they came, but for those of one connection.
/// Pure.
struct RelayedAnswer: Equatable {
    let head: HTTPResponseHead
    /// The client can tell where the answer ends without the connection closing.
    let isDelimited: Bool

    init(_ answer: HTTPResponseHead, _ plan: RequestPlan) {
        var headers = HTTPHeaders()
        let named = RelayedHead.connectionOptions(answer.headers)
        var hasLength = false
        var isChunked = false
        for (name, value) in answer.headers {
            if ASCII.equal(name, "transfer-encoding") {
                isChunked = ASCII.list(value, contains: "chunked")
            } else if ASCII.equal(name, "content-length") {
                hasLength = true
                headers.add(name: name, value: value)
            } else if !RelayedHead.isOfOneHop(name, named), !ASCII.equal(name, "upgrade") {
                headers.add(name: name, value: value)
            }
        }
        let hasNoBody = plan.isHead || answer.status == .noContent || answer.status == .notModified
        if isChunked, !plan.isHTTP10, !hasNoBody {
            headers.add(name: "Transfer-Encoding", value: "chunked")
            isDelimited = true
        } else {
            isDelimited = hasNoBody || (hasLength && !isChunked)
        }
        head = HTTPResponseHead(version: .http1_1, status: answer.status, headers: headers)
    }
}
