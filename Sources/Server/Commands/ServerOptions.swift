internal import ArgumentParser
internal import AsyncHTTPClient
internal import Foundation
internal import JSON
internal import NIOCore
internal import NIOHTTP1

/// The options of a command that asks a running server.
struct ServerOptions: ParsableArguments {
    /// An answer of an administrator's address.
    private static let answerBytesMax = 32 << 20

    @Option(help: "The server, such as http://127.0.0.1:8000.") var url = "http://127.0.0.1:8000"
    @Option(help: "A key for administration; without it, the environment's KDCUBE_ADMIN_KEY.") var key: String?

    /// The answer, whatever its status.
    ///
    /// - Throws: ``CommandFailure`` where no key is named and where no server answers in JSON.
    func ask(_ method: HTTPMethod, _ path: String, _ body: JSONValue? = nil) async throws -> (status: UInt, answer: JSONValue) {
        guard let key = key ?? ProcessInfo.processInfo.environment["KDCUBE_ADMIN_KEY"] else {
            throw CommandFailure("name a key for administration: --key, or KDCUBE_ADMIN_KEY")
        }
        var request = HTTPClientRequest(url: url.trimmingTrailingSlash + path)
        request.method = method
        request.headers.add(name: "authorization", value: "Bearer \(key)")
        if let body {
            request.headers.add(name: "content-type", value: "application/json")
            request.body = .bytes(ByteBuffer(bytes: body.jsonBytes))
        }
        do {
            let response = try await HTTPClient.shared.execute(request, timeout: .seconds(30))
            let body = try await response.body.collect(upTo: Self.answerBytesMax)
            return (response.status.code, try body.withUnsafeReadableBytes { try JSONValue(parsing: $0) })
        } catch {
            throw CommandFailure("no server answers at \(url); name it with --url")
        }
    }
}
