internal import Engine
internal import JSON
internal import RedisClient

/// What of one run's log is in Redis, and what comes next. Pure; its owner guards it.
///
/// What was sent and not answered is sent again as it was, entry by entry under the same ids: an entry that is there already is refused by
/// Redis, and so no event stands there twice.
struct LogPublication {
    /// What has come of a round.
    enum Verdict: Hashable { case written, failed, ended }

    private let head: RunHead
    private(set) var position = 0
    private var pending: [RunLogEntry] = []
    private var pendingPosition = 0
    private var hasEnd = false
    private var announcedAt: ContinuousClock.Instant?
    private var isAnnouncing = false
    private var failingSince: ContinuousClock.Instant?
    private var bound = StreamBound(bytesMax: RunLogLimits.logBytes)
    /// Events that were dropped from the run's log before they could be written.
    private(set) var eventsLost = 0

    init(_ head: RunHead) { self.head = head }

    var bytesPending: Int { pending.reduce(0) { $0 + $1.text.count } }
    var entriesPending: Int { pending.count }

    /// The commands of one round, with the tag whose keys each touches; none when nothing is to be done.
    mutating func commands(_ read: (_ after: Int) -> [SharedEvent], now: ContinuousClock.Instant) -> [(tag: String, command: RedisCommand)]
    {
        if pending.isEmpty { take(read(position)) }
        let (org, run) = (head.tenant.org, head.identity.run)
        let tag = org.text
        let (log, headKey, runs) = (RunLogKeys.log(org: org, run), RunLogKeys.head(org: org, run), RunLogKeys.runs(of: head.node))
        var commands = pending.map { (tag: tag, command: $0.command(log)) }
        isAnnouncing = announcedAt.map { now - $0 >= RunLogLimits.announceInterval - RunLogLimits.beatInterval } ?? true
        guard !commands.isEmpty || isAnnouncing else { return [] }
        if isAnnouncing || hasEnd {
            let seconds = String(hasEnd ? RunLogLimits.endedSeconds : RunLogLimits.silentSeconds)
            // First, so that a log is never there without its owner.
            commands.insert((tag, RedisCommand("SET", headKey, head.json.jsonText, "EX", seconds)), at: 0)
            commands.append((tag, RedisCommand("EXPIRE", log, seconds)))
            let member = RunLogKeys.member(org: org, run)
            commands.append((head.node, RedisCommand(hasEnd ? "SREM" : "SADD", runs, member)))
            if !hasEnd { commands.append((head.node, RedisCommand("EXPIRE", runs, seconds))) }
        }
        if let oldest = bound.trim { commands.append((tag, RedisCommand("XTRIM", log, "MINID", "\(oldest)-0"))) }
        return commands
    }

    private mutating func take(_ events: [SharedEvent]) {
        var next = position + 1
        for event in events {
            eventsLost += max(event.firstSeq - next, 0)
            next = event.seq + 1
            pending += RunLogEntry.entries(of: event)
            pendingPosition = event.seq
            if event.body.outcome != nil { hasEnd = true }
        }
    }

    /// - Parameter results: of the commands in their order.
    mutating func acknowledge(_ results: [Result<RedisValue, RedisFault>], at now: ContinuousClock.Instant) -> Verdict {
        guard results.allSatisfy(RunLogEntry.stands) else {
            failingSince = failingSince ?? now
            // What would have expired by now is not kept for a Redis that does not come back.
            let isTooOld = failingSince.map { now - $0 >= .seconds(RunLogLimits.endedSeconds) } ?? false
            return hasEnd && isTooOld ? .ended : .failed
        }
        failingSince = nil
        if isAnnouncing { announcedAt = now }
        if bound.trim != nil { bound.trimmed() }
        for entry in pending { bound.add(entry) }
        if !pending.isEmpty { position = pendingPosition }
        pending = []
        return hasEnd ? .ended : .written
    }
}

/// When the oldest entries of a stream are given up. The terminal event never is: nothing follows it.
struct StreamBound: Sendable, Hashable {
    private struct Mark: Hashable {
        let seq: Int
        var bytes: Int
    }

    private let bytesMax: Int
    /// What stands there in steps of a 32nd of the bound, so that there are few.
    private var marks: [Mark] = []
    private var bytes = 0

    init(bytesMax: Int) { self.bytesMax = bytesMax }

    mutating func add(_ entry: RunLogEntry) {
        guard let seq = Int(entry.id.prefix { $0 != "-" }) else { return }
        let size = entry.text.count + RunLogLimits.entryBytes
        bytes += size
        // A mark begins with the first part of an event: none is cut in two.
        if let last = marks.last, last.seq == seq || last.bytes + size <= bytesMax / 32 {
            marks[marks.count - 1].bytes += size
        } else {
            marks.append(Mark(seq: seq, bytes: size))
        }
    }

    /// The oldest event to keep; nil when all may stay. An eighth is given up at once.
    var trim: Int? {
        guard bytes > bytesMax else { return nil }
        var (left, index) = (bytes, 0)
        while left > bytesMax - bytesMax / 8, index < marks.count - 1 {
            left -= marks[index].bytes
            index += 1
        }
        return index > 0 ? marks[index].seq : nil
    }

    mutating func trimmed() {
        guard let trim, let index = marks.firstIndex(where: { $0.seq == trim }) else { return }
        bytes -= marks[..<index].reduce(0) { $0 + $1.bytes }
        marks.removeFirst(index)
    }
}
