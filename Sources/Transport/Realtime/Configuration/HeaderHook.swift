internal import NIOCore
internal import NIOHTTP1

/// Adds fields to an answer under the Engine.IO path (E34). Called on the event loop of the request's connection, so it
/// must be quick and must not wait.
///
/// `Set-Cookie` and `Vary` are added to what the server sends, any other field takes the place of the server's. More
/// fields than ``TransportLimits/hookFieldsMax``, or more than ``TransportLimits/hookBytesMax`` bytes of them: none is sent,
/// and `kdcube_header_hooks_refused_total` counts it.
public typealias HeaderHook = @Sendable (HeaderHookRequest) -> [ResponseField]

/// The request that an answer belongs to, as a ``HeaderHook`` sees it. Without the session's id, which is a secret. Everything
/// in it was written by the client.
public struct HeaderHookRequest: Sendable {
    /// In capitals: `GET`.
    public let method: String
    /// The parameters that are not Engine.IO's own, in order.
    public let query: [(name: String, value: String)]
    /// The peer of the TCP connection; empty when it is not known.
    public let address: String
    /// True when this server ends TLS for the request.
    public let isSecure: Bool
    /// The answer is that to a WebSocket upgrade: 101, or a refusal.
    public let isUpgrade: Bool
    private let headers: HTTPHeaders

    init(_ request: any EngineIORequest, _ query: EngineQuery, isUpgrade: Bool) {
        method = request.head.method.rawValue
        self.query = query.others
        address = request.remoteAddress?.ipAddress ?? ""
        isSecure = request.isSecure
        self.isUpgrade = isUpgrade
        headers = request.head.headers
    }

    /// All values of a field of the request, in order; the name in any case.
    public subscript(name: String) -> [String] { headers[name] }
}

extension HTTPHeaders {
    /// Puts a hook's fields among the server's.
    ///
    /// - Returns: false, and nothing is changed, when they exceed the limits.
    mutating func apply(_ fields: [ResponseField]) -> Bool {
        guard fields.count <= TransportLimits.hookFieldsMax,
            fields.reduce(0, { $0 + $1.name.utf8.count + $1.value.utf8.count }) <= TransportLimits.hookBytesMax
        else { return false }
        for field in fields {
            switch field.name.lowercased() {
            case "set-cookie", "vary": add(name: field.name, value: field.value)
            default: replaceOrAdd(name: field.name, value: field.value)
            }
        }
        return true
    }
}
