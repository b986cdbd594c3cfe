internal import JSON
internal import Transport

/// One question of this server to the others, until all have answered. A pure value.
///
/// The classic format does not say who answers, so answers are counted: as many as there are other servers.
struct ClusterInquiry: Sendable {
    enum Kind: Sendable { case fetch, emit, serverSideEmit }

    let kind: Kind
    /// Other servers that were there when it was asked and still are; nil until they have been counted.
    private(set) var servers: Int?
    /// Servers that have answered; of a broadcast, that have said how many receivers they have.
    private(set) var answered = 0
    /// Receivers of a broadcast that were announced.
    private var receivers = 0
    private var values: [JSONValue] = []
    private var sockets: [SocketSnapshot] = []
    private var room: Int
    /// Answers that came and were too large to be kept.
    private var dropped = 0

    init(_ kind: Kind, answerBytesMax: Int = ClusterLimits.answerBytesMax) {
        self.kind = kind
        room = answerBytesMax
    }

    /// The other servers, counted. A later count can only be lower: who came since has not been asked.
    mutating func count(_ others: Int) { servers = min(servers ?? others, others) }

    /// - Parameter bytes: of the message that the answer came in.
    mutating func receive(_ body: ClusterResponse.Body, bytes: Int) {
        room -= bytes
        switch (kind, body) {
        case (.fetch, .sockets(let found)):
            answered += 1
            if room >= 0 { sockets += found.compactMap(SnapshotJSON.snapshot) }
        case (.serverSideEmit, .serverSideEmit(let value)):
            answered += 1
            keep(value)
        case (.emit, .clientCount(let count)):
            answered += 1
            receivers += count
        case (.emit, .ack(let value)): keep(value)
        default: break
        }
    }

    private mutating func keep(_ value: JSONValue) { if room >= 0 { values.append(value) } else { dropped += 1 } }

    var isComplete: Bool {
        guard let servers, answered >= servers else { return false }
        return kind != .emit || values.count + dropped >= receivers
    }

    /// With those that came. A server that said nothing counts for one.
    var answers: ClusterAnswers {
        let silent = max(0, (servers ?? 1) - answered)
        let owed = kind == .emit ? max(0, receivers - values.count) : dropped
        return ClusterAnswers(values: values, sockets: sockets, missing: silent + owed)
    }
}
