internal import JSON
internal import NIOCore
internal import NIOHTTP1

/// Why a request under the Engine.IO path was refused (E3, E4).
public struct HandshakeRefusal: Error, Sendable, Hashable {
    /// The reference server's number of a reason.
    public enum Code: Int, Sendable, CaseIterable {
        case unknownTransport, unknownSession, badMethod, badRequest, forbidden, unsupportedProtocol
    }

    /// Why.
    public let code: Code
    /// For the log: what exactly was wrong. Not sent; holds nothing that the client wrote.
    public let context: String

    init(_ code: Code, _ context: String = "") {
        self.code = code
        self.context = context
    }

    /// The text that clients know.
    public var message: String {
        switch code {
        case .unknownTransport: "Transport unknown"
        case .unknownSession: "Session ID unknown"
        case .badMethod: "Bad handshake method"
        case .badRequest: "Bad request"
        case .forbidden: "Forbidden"
        case .unsupportedProtocol: "Unsupported protocol version"
        }
    }

    var status: HTTPResponseStatus { code == .forbidden ? .forbidden : .badRequest }

    var body: ByteBuffer { Self.body(code, message) }

    /// `code` is a JSON number (E4).
    static func body(_ code: Code, _ message: String) -> ByteBuffer {
        var writer = JSONWriter(reserving: 64)
        writer.beginObject()
        writer.member("code", code.rawValue)
        writer.member("message", message)
        writer.endObject()
        return ByteBuffer(bytes: writer.bytes)
    }
}
