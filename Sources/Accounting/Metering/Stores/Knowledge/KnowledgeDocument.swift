internal import Digest

/// Why a document or a query was not taken.
public enum KnowledgeError: Error, Sendable, Hashable {
    /// Not `[A-Za-z0-9][A-Za-z0-9._/-]{0,199}`.
    case badID
    /// Above ``KnowledgeLimits/titleBytes``, or with control characters.
    case badTitle
    case emptyText
    /// Above ``KnowledgeLimits/documentBytes``.
    case textTooLong
    /// It holds U+0000, as files do that are no text.
    case notText
    /// Above ``KnowledgeLimits/queryBytes``.
    case queryTooLong
    /// The project has ``KnowledgeLimits/projectDocuments`` documents, or would have more than ``KnowledgeLimits/projectBytes``.
    case projectFull
    /// The back end did not do it; the reason is one sentence for an operator.
    case unavailable(String)
}

/// The name of a document in its project: a path of ASCII letters, digits and `. _ - /`.
public struct KnowledgeID: Sendable, Hashable, CustomStringConvertible {
    public let text: String

    public init(_ text: String) throws(KnowledgeError) {
        guard (1...KnowledgeLimits.idBytes).contains(text.utf8.count) else { throw .badID }
        for (index, byte) in text.utf8.enumerated() {
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "0")...UInt8(ascii: "9"): break
            case UInt8(ascii: "."), UInt8(ascii: "_"), UInt8(ascii: "-"), UInt8(ascii: "/"): guard index > 0 else { throw .badID }
            default: throw .badID
            }
        }
        self.text = text
    }

    public var description: String { text }
}

/// A document as it is put: within every limit that does not depend on what the project has already.
public struct KnowledgeDocument: Sendable, Hashable {
    public let id: KnowledgeID
    /// Empty for none.
    public let title: String
    public let text: String
    /// SHA-256 of title and text (lower-case hex): what is the same is not written again.
    public let digest: String

    public init(id: KnowledgeID, title: String? = nil, text: String) throws(KnowledgeError) {
        let title = title ?? ""
        guard title.utf8.count <= KnowledgeLimits.titleBytes,
            title.unicodeScalars.allSatisfy({ $0.properties.generalCategory != .control })
        else { throw .badTitle }
        guard text.utf8.count <= KnowledgeLimits.documentBytes else { throw .textTooLong }
        guard !text.isEmpty else { throw .emptyText }
        guard !text.utf8.contains(0) else { throw .notText }
        self.id = id
        self.title = title
        self.text = text
        // The length keeps a title that ends like a text begins apart from its neighbours.
        digest = Digest.hex(Digest.sha256("\(title.utf8.count):\(title)\(text)".utf8))
    }

    public var bytes: Int { text.utf8.count }
}
