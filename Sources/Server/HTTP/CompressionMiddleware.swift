internal import HTTPTypes
internal import Hummingbird
internal import NIOCore
internal import NIOPosix
internal import Synchronization
internal import Transport

/// Compresses what is safe to compress: long documents that a GET has asked for.
///
/// A page of another origin can learn a secret from the length of a compressed answer when it can make a browser ask for one in its
/// reader's name, and can put text of its own beside the secret (BREACH). Nothing here is asked for in anybody's name by a browser alone:
/// credentials are headers that code sets, there are no cookies, and foreign origins are refused. On top of that, answers to POST, which
/// repeat what was posted or show a new key, and event streams are left as they are; what sets a cookie is too.
struct CompressionMiddleware<Context: RequestContext>: RouterMiddleware {
    // `@concurrent` is how the protocol's module, built without our upcoming features, declares the function type.
    @concurrent
    func handle(
        _ request: Request, context: Context, next: @concurrent (Request, Context) async throws -> Response
    ) async throws -> Response {
        var response = try await next(request, context)
        guard CompressionRules.allow(request.method, response) else { return response }
        response.headers[values: .vary].append("Accept-Encoding")
        guard let coding = ContentCoding(acceptEncoding: request.headers[values: .acceptEncoding]),
            let body = try await collect(response.body, context)
        else { return response }
        guard let compressed = try await Self.compress(body, coding) else {
            response.body = ResponseBody(byteBuffer: body)
            return response
        }
        response.headers[.contentEncoding] = coding.rawValue
        response.headers[.contentLength] = nil
        response.body = ResponseBody(byteBuffer: compressed)
        return response
    }

    private func collect(_ body: ResponseBody, _ context: Context) async throws -> ByteBuffer? {
        let writer = Collector()
        try await body.write(writer)
        return writer.collected.withLock { $0 }
    }

    private static func compress(_ body: ByteBuffer, _ coding: ContentCoding) async throws -> ByteBuffer? {
        guard body.readableBytes > CompressionRules.inlineBytesMax else { return coding.compress(body) }
        return try await NIOThreadPool.singleton.runIfActive { coding.compress(body) }
    }

    private final class Collector: ResponseBodyWriter, Sendable {
        let collected = Mutex(ByteBuffer())

        func write(_ buffer: ByteBuffer) async throws {
            collected.withLock { _ = $0.writeImmutableBuffer(buffer) }
        }

        func finish(_ trailingHeaders: HTTPFields?) async throws {}
    }
}

/// Which answers are compressed. Pure.
enum CompressionRules {
    /// Below this the header that says so and the client's time cost more than is gained: an answer this long fits into one packet anyway.
    static let bytesMin = 1_024
    /// What is longer would have to be held whole, twice.
    static let bytesMax = 8 << 20
    /// A millisecond of a thread that other tasks wait for; longer ones are compressed elsewhere.
    static let inlineBytesMax = 64 * 1_024

    static func allow(_ method: HTTPRequest.Method, _ response: Response) -> Bool {
        let headers = response.headers
        guard method == .get, response.status == .ok, let length = response.body.contentLength, (bytesMin...bytesMax).contains(length)
        else {
            return false
        }
        guard headers[.contentEncoding] == nil, headers[.setCookie] == nil, headers[.contentRange] == nil, headers[.eTag] == nil else {
            return false
        }
        let type = headers[.contentType]?.prefix { $0 != ";" }.lowercased() ?? ""
        return type == "application/json" || type == "application/yaml" || (type.hasPrefix("text/") && type != "text/event-stream")
    }
}
