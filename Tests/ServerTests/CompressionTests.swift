import Foundation
import HTTPTypes
import Hummingbird
import NIOCore
import Testing

@testable import kdcube

@Suite("Compression of answers") struct CompressionTests {
    private func answer(
        _ type: String, bytes: Int = 5_000, status: HTTPResponse.Status = .ok, more: HTTPFields = [:]
    ) -> Response {
        var headers = more
        headers[.contentType] = type
        return Response(status: status, headers: headers, body: .init(byteBuffer: ByteBuffer(repeating: 120, count: bytes)))
    }

    @Test("documents and text that a GET asked for") func allowed() {
        for type in ["application/json", "application/json; charset=utf-8", "Application/JSON", "text/plain", "text/html; charset=utf-8"] {
            #expect(CompressionRules.allow(.get, answer(type)))
        }
        #expect(CompressionRules.allow(.get, answer("text/csv", bytes: CompressionRules.bytesMin)))
        #expect(CompressionRules.allow(.get, answer("text/csv", bytes: CompressionRules.bytesMax)))
    }

    @Test("streams, short answers, answers to POST, faults, and what has its own form are left as they are") func refused() {
        #expect(!CompressionRules.allow(.get, answer("text/event-stream")))
        #expect(!CompressionRules.allow(.get, answer("text/event-stream; charset=utf-8")))
        #expect(!CompressionRules.allow(.get, answer("image/png")))
        #expect(!CompressionRules.allow(.get, answer("application/json", bytes: CompressionRules.bytesMin - 1)))
        #expect(!CompressionRules.allow(.get, answer("application/json", bytes: CompressionRules.bytesMax + 1)))
        for method in [HTTPRequest.Method.post, .put, .patch, .delete, .head, .options] {
            #expect(!CompressionRules.allow(method, answer("application/json")))
        }
        #expect(!CompressionRules.allow(.get, answer("application/json", status: .created)))
        #expect(!CompressionRules.allow(.get, answer("application/json", status: .notFound)))
        for field in [HTTPField.Name.contentEncoding, .setCookie, .contentRange, .eTag] {
            #expect(!CompressionRules.allow(.get, answer("application/json", more: [field: "x"])))
        }
        let stream = Response(status: .ok, headers: [.contentType: "application/json"], body: .init { try await $0.finish(nil) })
        #expect(!CompressionRules.allow(.get, stream), "what has no known length is written as it is made")
    }

    @Test("a file has two forms, each with a tag of its own") func files() throws {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("kdcube-files-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        try Data(repeating: 120, count: 4_000).write(to: folder.appendingPathComponent("long.js"))
        try Data("short".utf8).write(to: folder.appendingPathComponent("short.js"))
        let files = StaticFiles(root: folder.path)
        func get(_ path: String, _ headers: HTTPFields = [:]) throws -> Response {
            let head = HTTPRequest(method: .get, scheme: "https", authority: "x", path: "/" + path, headerFields: headers)
            return try #require(files.response(for: path, request: Request(head: head, body: .init(buffer: ByteBuffer()))))
        }
        let (plain, compressed) = (try get("long.js"), try get("long.js", [.acceptEncoding: "br, gzip"]))
        #expect(plain.headers[.contentEncoding] == nil && plain.body.contentLength == 4_000)
        #expect(compressed.headers[.contentEncoding] == "gzip" && (compressed.body.contentLength ?? 4_000) < 200)
        #expect(plain.headers[.vary] == "Accept-Encoding" && compressed.headers[.vary] == "Accept-Encoding")
        let (tag, other) = (try #require(plain.headers[.eTag]), try #require(compressed.headers[.eTag]))
        #expect(tag != other)
        #expect(try get("long.js", [.ifNoneMatch: tag]).status == .notModified)
        #expect(try get("long.js", [.ifNoneMatch: other, .acceptEncoding: "gzip"]).status == .notModified)
        #expect(try get("long.js", [.ifNoneMatch: tag, .acceptEncoding: "gzip"]).status == .ok)
        #expect(try get("short.js", [.acceptEncoding: "gzip"]).headers[.contentEncoding] == nil)
        #expect(try #require(StaticFiles(root: folder.path, compressing: false)["long.js"]).compressed == nil)
    }
}
