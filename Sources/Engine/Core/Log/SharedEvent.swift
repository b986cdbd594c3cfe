internal import JSON

/// One event, or neighbouring deltas as one, on its way to the log of the same run at another node.
///
/// Unlike a ``LogEntry`` it keeps where each delta ends: a reader that had the first half of it goes on in the middle.
public struct SharedEvent: Sendable, Hashable {
    public let firstSeq: Int
    public let seq: Int
    /// When the last event in it happened; milliseconds since 1970.
    public let timestamp: Int64
    public let body: RunEventBody
    /// Bytes of each merged delta in order; empty where nothing was merged.
    public let lengths: [Int]

    public init(firstSeq: Int, seq: Int, timestamp: Int64, body: RunEventBody, lengths: [Int] = []) {
        self.firstSeq = firstSeq
        self.seq = seq
        self.timestamp = timestamp
        self.body = body
        self.lengths = lengths
    }

    /// The end of a run whose node is gone: its number is above every one that a log can give.
    public init(lostAt time: Int64, terminal: RunEventBody) {
        self.init(firstSeq: RunLogStorage.endSeq, seq: RunLogStorage.endSeq, timestamp: time, body: terminal)
    }

    var deltaLengths: [Int] {
        guard lengths.isEmpty, case .delta(let delta) = body else { return lengths }
        return [delta.utf8.count]
    }
}

extension SharedEvent {
    /// As JSON: the envelope of contract §3 without the names of run and conversation, and with `lengths`.
    public var jsonBytes: [UInt8] {
        var writer = JSONWriter(reserving: 192 + body.byteCount + 4 * lengths.count)
        writer.beginObject()
        writer.member("type", body.type)
        writer.member("seq", seq)
        if firstSeq != seq { writer.member("first_seq", firstSeq) }
        writer.member("ts", timestamp)
        if !lengths.isEmpty {
            writer.key("lengths")
            writer.beginArray()
            for length in lengths { writer.value(length) }
            writer.endArray()
        }
        RunEventEncoder.encode(body, into: &writer)
        writer.endObject()
        return writer.bytes
    }

    /// Wider than for what comes from outside: an event that was let in whole has to come out whole.
    private static let limits = JSONLimits(depth: 256, members: 1 << 16)

    /// Nil for what ``jsonBytes`` cannot have written: what stands in a store is not trusted to be ours.
    public init?(json bytes: [UInt8]) {
        guard let json = try? bytes.withUnsafeBytes({ try JSONValue(parsing: $0, limits: Self.limits) }), let seq = json.int("seq"),
            let timestamp = json["ts"]?.integerValue, let body = RunEventBody(json)
        else { return nil }
        let firstSeq = json.int("first_seq") ?? seq
        let lengths = (json["lengths"]?.arrayValue ?? []).map { $0.integerValue.flatMap(Int.init(exactly:)) ?? -1 }
        guard 1 <= firstSeq, firstSeq <= seq, seq <= RunLogStorage.endSeq else { return nil }
        if case .delta(let delta) = body, firstSeq < seq {
            guard lengths.count == seq - firstSeq + 1, lengths.allSatisfy({ (0...delta.utf8.count).contains($0) }),
                lengths.reduce(0, +) == delta.utf8.count
            else { return nil }
        } else {
            guard firstSeq == seq, lengths.isEmpty else { return nil }
        }
        self.init(firstSeq: firstSeq, seq: seq, timestamp: timestamp, body: body, lengths: lengths)
    }
}
