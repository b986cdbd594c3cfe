internal import Foundation
internal import HTTPTypes
internal import Hummingbird
internal import NIOCore
internal import Transport

/// The browser's files, read once at start-up and served from memory with a strong validator.
///
/// There are a few dozen small ones; a limit refuses a folder that is something else. Immutable after `init`.
struct StaticFiles: Sendable {
    struct File: Sendable {
        let body: ByteBuffer
        let contentType: String
        let etag: String
        /// Nil where compressing gains nothing. The files are the same for everybody and hold no secret.
        var compressed: ByteBuffer?
    }

    /// More than this is not the web client.
    static let filesMax = 500
    static let fileBytesMax = 4 << 20

    private let files: [String: File]

    /// Reads every file below `root` that has a known type. A folder that is not there gives no files.
    ///
    /// - Parameter compressing: whether a compressed form is kept beside each, for clients that take it.
    init(root: String, compressing: Bool = true) {
        var files: [String: File] = [:]
        let base = URL(fileURLWithPath: root, isDirectory: true).standardizedFileURL
        let enumerator = FileManager.default.enumerator(at: base, includingPropertiesForKeys: [.isRegularFileKey, .fileSizeKey])
        while let url = enumerator?.nextObject() as? URL, files.count < Self.filesMax {
            guard let values = try? url.resourceValues(forKeys: [.isRegularFileKey, .fileSizeKey]), values.isRegularFile == true,
                let size = values.fileSize, size <= Self.fileBytesMax, let type = Self.contentTypes[url.pathExtension],
                let data = try? Data(contentsOf: url)
            else { continue }
            let path = String(url.standardizedFileURL.path.dropFirst(base.path.count)).drop { $0 == "/" }
            guard !path.hasPrefix("tests/") else { continue }
            let body = ByteBuffer(bytes: data)
            let shrinks = compressing && data.count >= CompressionRules.bytesMin && type != "image/png"
            files[String(path)] = File(
                body: body, contentType: type, etag: "\"\(EntityTag.of(data))\"",
                compressed: shrinks ? ContentCoding.gzip.compress(body) : nil)
        }
        self.files = files
    }

    subscript(path: String) -> File? { files[path] }

    private static let contentTypes = [
        "html": "text/html; charset=utf-8", "js": "text/javascript; charset=utf-8", "css": "text/css; charset=utf-8",
        "ts": "text/plain; charset=utf-8",
        "svg": "image/svg+xml", "png": "image/png", "ico": "image/x-icon", "webmanifest": "application/manifest+json",
    ]

    /// Answers with the file, or 304 when the client has it already.
    func response(for path: String, request: Request) -> Response? {
        guard let file = files[path] else { return nil }
        let compressed = ContentCoding(acceptEncoding: request.headers[values: .acceptEncoding]) == .gzip ? file.compressed : nil
        // Two forms of one file are told apart by their tags (RFC 9110 §8.8.3.3).
        let tag = compressed == nil ? file.etag : file.etag.dropLast() + "-gzip\""
        var headers: HTTPFields = [
            .contentType: file.contentType, .eTag: tag, .cacheControl: "no-cache",
            .contentSecurityPolicy: Self.contentSecurityPolicy, .contentTypeOptions: "nosniff", .referrerPolicy: "no-referrer",
        ]
        if file.compressed != nil { headers[.vary] = "Accept-Encoding" }
        if request.headers[.ifNoneMatch] == tag { return Response(status: .notModified, headers: headers) }
        if compressed != nil { headers[.contentEncoding] = ContentCoding.gzip.rawValue }
        return Response(status: .ok, headers: headers, body: ResponseBody(byteBuffer: compressed ?? file.body))
    }

    /// No inline script or style, nothing from elsewhere: model text could not run even if it became markup.
    private static let contentSecurityPolicy =
        "default-src 'self'; script-src 'self'; style-src 'self'; connect-src 'self' ws: wss:; img-src 'self' data:; "
        + "base-uri 'none'; form-action 'none'; frame-ancestors 'self'"
}
