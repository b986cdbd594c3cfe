/// Bounds of what a client may ask for in one run, each with its reason.
enum RequestLimits {
    /// The body of a REST request: a long conversation with pasted documents, far below what would hurt memory.
    static let bodyBytesMax = 4 << 20
    /// One text of a message. The Socket.IO message limit is reached first on that transport.
    static let textBytesMax = 2 << 20
    /// Messages of one prompt: more is a loop in the client.
    static let messagesMax = 2_000
    /// Passages of one message: more than retrieval is ever asked for.
    static let knowledgePassagesMax = 64
    /// Names of the server's tools: a catalog has no more.
    static let serverToolsMax = 256
    /// A title is a line.
    static let knowledgeTitleBytesMax = 512
    static let modelBytesMax = 128
    static let outputTokensMax: Int64 = 1_000_000
    /// Turns of a conversation that are sent along as context.
    static let historyTurnsMax = 50
    /// Runs that one client may name in a resume: an id of ours is 28 characters.
    static let runIDBytesMax = 64
}
