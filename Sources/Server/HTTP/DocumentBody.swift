internal import Accounting
internal import HTTPTypes
internal import Hummingbird
internal import JSON
internal import NIOCore

/// What `PUT /v1/knowledge/{doc}` takes: the text itself as `text/plain` or `text/markdown`, or `{title?, text}` as JSON.
struct DocumentBody: Sendable {
    let title: String?
    let text: String
    /// Only JSON has room for them.
    let hints: TenantHints

    static func read(_ request: Request) async throws -> DocumentBody {
        let parts = (request.headers[.contentType] ?? "").split(separator: ";").map { $0.trimmingSpaces.lowercased() }
        switch parts.first {
        case "application/json": return try DocumentBody(json: await JSONBody.read(request))
        case "text/plain", "text/markdown":
            guard !parts.dropFirst().contains(where: { $0.hasPrefix("charset=") && !["charset=utf-8", "charset=\"utf-8\""].contains($0) })
            else {
                throw unsupported
            }
            return try await DocumentBody(title: nil, text: text(of: request), hints: TenantHints())
        default: throw unsupported
        }
    }

    private init(title: String?, text: String, hints: TenantHints) {
        self.title = title
        self.text = text
        self.hints = hints
    }

    private init(json: JSONValue) throws(HTTPFailure) {
        let reader = try FieldReader(json)
        if let extra = reader.object.members.first(where: { !["title", "text", "tenant", "project"].contains($0.key) }) {
            throw .badRequest("A document has a title and a text.", param: String(extra.key.prefix(64)))
        }
        guard let text = try reader.string("text", bytesMax: RequestLimits.bodyBytesMax) else { throw reader.failure("text", "is needed") }
        title = try reader.string("title", bytesMax: KnowledgeLimits.titleBytes)
        self.text = text
        hints = try TenantHints(tenant: reader.string("tenant", bytesMax: 256), project: reader.string("project", bytesMax: 256))
    }

    private static func text(of request: Request) async throws -> String {
        var request = request
        let buffer: ByteBuffer
        do {
            buffer = try await request.collectBody(upTo: KnowledgeLimits.documentBytes)
        } catch is NIOTooManyBytesError {
            throw HTTPFailure(KnowledgeError.textTooLong)
        }
        guard let text = String(validating: buffer.readableBytesView, as: UTF8.self) else {
            throw HTTPFailure.badRequest("The body is not text in UTF-8.", param: "text")
        }
        return text
    }

    private static let unsupported = HTTPFailure(
        .unsupportedMediaType, code: "unsupported_media_type",
        message: "Send a document as text/plain or text/markdown in UTF-8, or as application/json {title?, text}.")
}

extension HTTPFailure {
    init(_ error: KnowledgeError) {
        switch error {
        case .badID:
            self = .badRequest(
                "A document's id is 1 to \(KnowledgeLimits.idBytes) of A-Z a-z 0-9 . _ - / and begins with a letter or digit; "
                    + "write / as %2F.", param: "doc")
        case .badTitle:
            self = .badRequest(
                "title must be at most \(KnowledgeLimits.titleBytes) bytes without control characters.", param: "title")
        case .emptyText: self = .badRequest("text must not be empty.", param: "text")
        case .notText: self = .badRequest("text must not hold U+0000.", param: "text")
        case .queryTooLong: self = .badRequest("q must be at most \(KnowledgeLimits.queryBytes) bytes.", param: "q")
        case .textTooLong:
            self = HTTPFailure(
                .contentTooLarge, code: "request_too_large",
                message: "The text of a document must be at most \(KnowledgeLimits.documentBytes) bytes.", param: "text")
        case .projectFull:
            self = HTTPFailure(
                .conflict, code: "knowledge_full",
                message: "A project has at most \(KnowledgeLimits.projectDocuments) documents and \(KnowledgeLimits.projectBytes) bytes "
                    + "of text; delete some first.", headers: [.shouldRetry: "false"])
        case .unavailable:
            self = HTTPFailure(
                .serviceUnavailable, code: "knowledge_unavailable", type: "server_error",
                message: "The documents cannot be reached right now. Try again.", headers: [.retryAfter: "1"])
        }
    }
}
