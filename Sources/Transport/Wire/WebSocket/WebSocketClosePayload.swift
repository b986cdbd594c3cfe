import NIOCore

/// The payload of a close frame (RFC 6455 §5.5.1, §7.4).
enum WebSocketClosePayload {
    static func parse(_ payload: ByteBuffer) throws(WebSocketFailure) -> WebSocketEvent {
        guard payload.readableBytes > 0 else { return .close(code: nil, reason: "") }
        guard let code = payload.getInteger(at: payload.readerIndex, as: UInt16.self) else { throw .truncatedCloseCode }
        guard isSendable(code) else { throw .invalidCloseCode(code) }
        let reason = payload.withUnsafeReadableBytes { String(validating: $0.dropFirst(2), as: UTF8.self) }
        guard let reason else { throw .invalidUTF8 }
        return .close(code: code, reason: reason)
    }

    /// True for the codes that may stand in a frame: those that RFC 6455 and the IANA registry define for it, and the
    /// ranges for libraries and applications. 1005, 1006 and 1015 only ever exist inside an endpoint.
    static func isSendable(_ code: UInt16) -> Bool {
        switch code {
        case 1000...1003, 1007...1014, 3000...4999: true
        default: false
        }
    }
}
