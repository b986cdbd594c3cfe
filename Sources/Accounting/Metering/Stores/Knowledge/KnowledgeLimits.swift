/// Maximums of knowledge and memory, with their reasons.
public enum KnowledgeLimits {
    /// Bytes of a document's id: a path in a repository or the rest of an address.
    public static let idBytes = 200
    /// Bytes of a title: a line.
    public static let titleBytes = 512
    /// Bytes of a document's text: a book of 500 pages.
    public static let documentBytes = 1 << 20
    /// Documents of a project. With ``projectBytes`` it bounds what one search may have to rank.
    public static let projectDocuments = 10_000
    /// Bytes of all texts of a project: 32 books. A word that is in every passage is ranked in well under a second.
    public static let projectBytes = 32 << 20

    /// How long passages are meant to be (Unicode scalars): a few paragraphs, so that twenty of them fit into a prompt.
    public static let passageLength = 1_000
    /// A paragraph up to this length stays in one piece.
    public static let passageLengthMax = 1_500
    /// From this length on a heading begins a passage of its own.
    public static let passageLengthShort = 300

    /// Scalars of a word that are indexed; longer ones are keys or encoded bytes, and their beginning tells them apart.
    public static let wordLength = 64

    /// Bytes of a query: what a person or a model asks, not a text to compare with.
    public static let queryBytes = 1_024
    /// Different words of a query that are looked for; those after them say little more.
    public static let queryWords = 32
    /// Passages that a search returns: more would not be read.
    public static let results = 20
    /// Entries of a page of a list.
    public static let page = 200

    /// Bytes of a key of a user's memory.
    public static let memoryKeyBytes = 128
    /// Bytes of one value as canonical JSON: notes, not documents.
    public static let memoryValueBytes = 16 << 10
    /// Keys of one user: all of them, with their values, are one answer of 4 MiB.
    public static let memoryKeys = 256
}
