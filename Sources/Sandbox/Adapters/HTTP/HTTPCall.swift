internal import JSON
internal import NIOHTTP1
internal import Supervisor
internal import Traces

/// What an HTTP tool's call sends: decided from the definition and the arguments alone.
struct HTTPCall: Sendable {
    private(set) var method: HTTPMethod
    private(set) var url: WebURL
    private(set) var headers: HTTPHeaders
    private(set) var body: [UInt8]?
    /// Names in ``headers`` that the definition gave: they may be secrets of that one host.
    private let definedHeaders: [String]
    private(set) var redirects = 0

    /// Headers that the connection decides.
    static let connectionHeaders: Set<String> = [
        "host", "content-length", "transfer-encoding", "connection", "upgrade", "te", "trailer", "expect", "keep-alive",
        "proxy-authorization", "proxy-connection",
    ]

    /// Arguments that the address does not hold go into a JSON body, where the method has one, else into the query: texts and numbers
    /// as they are, a list of them as repeated names, anything else as JSON.
    ///
    /// - Throws: ``ToolFailure`` when the arguments make no address.
    init(_ definition: HTTPDefinition, arguments: JSONObject, idempotencyKey: String?) throws(ToolFailure) {
        let address: String
        do {
            address = try definition.url.filled(with: arguments)
        } catch {
            throw ToolFailure(code: "bad_arguments", message: error.message, hadNoEffect: true)
        }
        let held = Set(definition.url.arguments)
        let rest = JSONObject(arguments.members.filter { !held.contains($0.key) }.map { ($0.key, $0.value) })
        let hasBody = definition.body == .json || [.post, .put, .patch].contains(definition.method) && !rest.isEmpty
        let query = hasBody ? "" : Self.query(rest)
        let full = query.isEmpty ? address : address + (address.contains("?") ? "&" : "?") + query
        guard let url = WebURL(full) else {
            throw ToolFailure(code: "bad_arguments", message: "the arguments make no address, or one that is too long", hadNoEffect: true)
        }
        self.url = url
        method = HTTPMethod(rawValue: definition.method.rawValue)
        headers = HTTPHeaders()
        for header in definition.headers where !Self.connectionHeaders.contains(header.name.lowercased()) {
            headers.add(name: header.name, value: header.value)
        }
        definedHeaders = headers.map(\.name)
        if !headers.contains(name: "accept") { headers.add(name: "accept", value: "application/json, text/*;q=0.5") }
        // Compressed answers are not unpacked: their size would be a lie.
        headers.replaceOrAdd(name: "accept-encoding", value: "identity")
        if !headers.contains(name: "user-agent") { headers.add(name: "user-agent", value: "kdcube") }
        for header in TraceContext.current?.headers ?? [] { headers.replaceOrAdd(name: header.name, value: header.value) }
        if let idempotencyKey { headers.replaceOrAdd(name: "idempotency-key", value: idempotencyKey) }
        if hasBody {
            body = JSONValue.object(rest).jsonBytes
            if !headers.contains(name: "content-type") { headers.add(name: "content-type", value: "application/json") }
        }
    }

    /// What an answer's redirect means.
    enum Redirect: Sendable, Equatable {
        /// The answer is none, or its method must not be repeated elsewhere.
        case none
        case follow
        case refused(String)
    }

    /// Turns this call into the one that an answer's redirect asks for.
    ///
    /// 303, and 301 and 302 of a POST, become a GET without a body, as in the Fetch standard (*HTTP-redirect fetch*); 307 and 308 repeat
    /// the call. The definition's headers stay with the origin that they were meant for.
    mutating func redirect(status: Int, location: String?, under rules: HostRules) -> Redirect {
        guard [301, 302, 303, 307, 308].contains(status), let location else { return .none }
        guard redirects < AdapterLimits.redirectsMax else { return .refused("more than \(AdapterLimits.redirectsMax) redirects") }
        guard let next = url.resolving(location) else { return .refused("a redirect to no address") }
        guard rules.allow(next) else { return .refused("a redirect to \(shown(next.authority)), which is not in allow_hosts") }
        guard next.isSecure || !url.isSecure else { return .refused("a redirect from https to http") }
        redirects += 1
        if status == 303 && method != .GET || [301, 302].contains(status) && method == .POST {
            method = .GET
            body = nil
            for name in ["content-type", "idempotency-key"] { headers.remove(name: name) }
        }
        if !next.isSameOrigin(as: url) {
            for name in definedHeaders where name.lowercased() != "content-type" { headers.remove(name: name) }
            headers.replaceOrAdd(name: "accept-encoding", value: "identity")
        }
        url = next
        return .follow
    }

    private static func query(_ rest: JSONObject) -> String {
        var pairs: [String] = []
        for member in rest.members where member.value != .null {
            let values: [JSONValue]
            if let elements = member.value.arrayValue, elements.allSatisfy({ scalar($0) != nil }) {
                values = elements
            } else {
                values = [member.value]
            }
            for value in values { pairs.append(encoded(member.key) + "=" + encoded(scalar(value) ?? value.jsonText)) }
        }
        return pairs.joined(separator: "&")
    }

    private static func scalar(_ value: JSONValue) -> String? {
        switch value {
        case .string(let text): text
        case .bool(let flag): flag ? "true" : "false"
        default: value.numberText
        }
    }

    /// All but RFC 3986's unreserved characters, percent-encoded.
    private static func encoded(_ text: String) -> String {
        let digits = Array("0123456789ABCDEF".utf8)
        var bytes: [UInt8] = []
        for byte in text.utf8 {
            switch byte {
            case 0x30...0x39, 0x41...0x5A, 0x61...0x7A, 0x2D, 0x2E, 0x5F, 0x7E: bytes.append(byte)
            default: bytes += [UInt8(ascii: "%"), digits[Int(byte >> 4)], digits[Int(byte & 15)]]
            }
        }
        return String(decoding: bytes, as: UTF8.self)
    }
}
