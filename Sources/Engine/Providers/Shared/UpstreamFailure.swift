internal import AsyncHTTPClient
internal import Engine
internal import JSON
internal import NIOCore
internal import NIOPosix

#if canImport(Glibc)
internal import Glibc
#elseif canImport(Musl)
internal import Musl
#else
internal import Darwin
#endif

/// Turns what can go wrong upstream into a ``ProviderError``.
enum UpstreamFailure {
    /// How much of an upstream's message is passed on.
    private static let messageMax = 200

    /// An `error` object inside an answer that had begun.
    static func inBand(_ error: JSONValue) -> ProviderError {
        ProviderError(
            .inBand, message: "the upstream reported: " + text(of: error), isRetryable: true, mayBeBilled: true)
    }

    /// An HTTP status that is no success. Not billed: the upstream refused before it generated anything.
    static func status(_ status: Int, body: [UInt8], retryAfter: Duration? = nil) -> ProviderError {
        var message = "the upstream answered with status \(status)"
        if let json = try? JSONValue(parsing: body), let error = json["error"] { message += ": " + text(of: error) }
        let isRetryable = status == 408 || status == 409 || status == 425 || status == 429 || status >= 500
        return ProviderError(
            .status(status), message: message, isRetryable: isRetryable, mayBeBilled: false, retryAfter: retryAfter)
    }

    /// An error of the HTTP client.
    static func transport(_ error: any Error, hasBegun: Bool) -> ProviderError {
        if error is CancellationError { return .cancelled }
        if !hasBegun, isUnreached(error) {
            return ProviderError(
                .connect, message: "the upstream could not be reached", isRetryable: true, mayBeBilled: false)
        }
        return ProviderError(
            hasBegun ? .dropped : .connect, message: "the connection to the upstream broke", isRetryable: true,
            mayBeBilled: true)
    }

    /// Whether it is certain that the request never arrived.
    private static func isUnreached(_ error: any Error) -> Bool {
        if error is NIOConnectionError { return true }
        if let error = error as? IOError { return error.errnoCode == ECONNREFUSED }
        guard let error = error as? HTTPClientError else { return false }
        return error == .connectTimeout || error == .getConnectionFromPoolTimeout || error == .tlsHandshakeTimeout
    }

    static let dropped = ProviderError(
        .dropped, message: "the upstream ended its answer too early", isRetryable: true, mayBeBilled: true)

    /// An answer that is not what its dialect says.
    static func malformed(_ message: String) -> ProviderError {
        ProviderError(.malformed, message: message, isRetryable: true, mayBeBilled: true)
    }

    static func timeout(_ kind: ProviderError.Kind) -> ProviderError {
        let message =
            switch kind {
            case .firstByteTimeout: "the upstream did not begin to answer in time"
            case .idleTimeout: "the upstream fell silent"
            default: "the upstream took too long"
            }
        return ProviderError(kind, message: message, isRetryable: true, mayBeBilled: true)
    }

    /// OpenAI's `{message}`, or a bare string, without line breaks and cut to ``messageMax`` characters.
    private static func text(of error: JSONValue) -> String {
        let text = error["message"]?.stringValue ?? error.stringValue ?? "an error without a message"
        return String(text.prefix(messageMax).map { $0.isNewline ? " " : $0 })
    }
}
