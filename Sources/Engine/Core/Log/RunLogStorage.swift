/// The contents of a run's log: a value without lock or clock.
///
/// The text of all deltas stands end to end in one arena and a mark per event says where it ends, so any range of
/// neighbouring deltas of one marker and index is one slice: a reader that is behind gets it as one merged delta and
/// costs no memory of its own. Appending is O(1) amortised, reading O(log n) and the bytes copied.
struct RunLogStorage {
    /// One event: 8 bytes.
    private struct Mark {
        /// Where its text ends, counted from the run's first byte; for an event without text, where the last one ended.
        var textEnd: UInt32
        /// Milliseconds since the run's start.
        var elapsed: UInt32
    }

    private enum Content {
        /// Deltas from this number up to the next segment's.
        case text(DeltaMarker, index: Int)
        /// One event.
        case event(RunEventBody)
    }

    private struct Segment {
        var firstSeq: Int
        let content: Content
    }

    private static let markBytes = 8
    /// How much of the bound is given up at once, so that dropping is rare: an eighth.
    private static let dropDivisor = 8

    private let bytesMax: Int
    private let startedAt: Int64
    private var arena: [UInt8] = []
    /// The text offset of the arena's first byte.
    private var arenaStart = 0
    private var marks: [Mark] = []
    private var segments: [Segment] = []
    private var eventBytes = 0

    /// The number of the oldest event held; one more than `lastSeq` when there is none.
    private(set) var firstSeq: Int
    private(set) var terminal: RunEventBody?
    /// The terminal event of a run whose last events nobody has: it stands above every number that they can have had.
    private var lostEnd: (seq: Int, timestamp: Int64)?

    /// More than the number of any event: text offsets have 32 bits, and few events have no text.
    static let endSeq = 1 << 32

    /// - Parameter startedAt: milliseconds since 1970.
    init(bytesMax: Int, startedAt: Int64, firstSeq: Int = 1) {
        self.bytesMax = bytesMax
        self.startedAt = startedAt
        self.firstSeq = firstSeq
    }

    var lastSeq: Int { lostEnd?.seq ?? lastHeld }
    private var lastHeld: Int { firstSeq + marks.count - 1 }
    private var textEnd: Int { arenaStart + arena.count }
    /// What the bound counts: all but the terminal event.
    var byteCount: Int { arena.count + eventBytes + Self.markBytes * marks.count }

    /// Appends a delta and returns its number; nil after the terminal event.
    mutating func append(text: String, marker: DeltaMarker, index: Int, at milliseconds: Int64) -> Int? {
        guard terminal == nil else { return nil }
        var text = text
        text.withUTF8 { arena.append(contentsOf: $0) }
        let seq = appendMark(at: milliseconds)
        if !isLastSegment(marker, index) {
            segments.append(Segment(firstSeq: seq, content: .text(marker, index: index)))
        }
        dropOldest()
        return seq
    }

    /// Appends any other event and returns its number; nil after the terminal event.
    mutating func append(_ body: RunEventBody, at milliseconds: Int64) -> Int? {
        guard terminal == nil else { return nil }
        if case .delta(let delta) = body {
            return append(text: delta.text, marker: delta.marker, index: delta.index, at: milliseconds)
        }
        let seq = appendMark(at: milliseconds)
        segments.append(Segment(firstSeq: seq, content: .event(body)))
        if body.outcome == nil { eventBytes += body.byteCount } else { terminal = body }
        dropOldest()
        return seq
    }

    private func isLastSegment(_ marker: DeltaMarker, _ index: Int) -> Bool {
        guard case .text(let lastMarker, let lastIndex)? = segments.last?.content else { return false }
        return lastMarker == marker && lastIndex == index
    }

    private mutating func appendMark(at milliseconds: Int64) -> Int {
        let elapsed = UInt32(clamping: milliseconds - startedAt)
        marks.append(Mark(textEnd: UInt32(clamping: textEnd), elapsed: elapsed))
        return lastHeld
    }

    // MARK: Reading

    /// The events after `seq`, as few entries as possible, with at most `maxBytes` of text and event bytes; but at
    /// least one event when there is one, so that a reader always advances.
    func read(after seq: Int, maxBytes: Int) -> [LogEntry] {
        var next = max(seq, 0) + 1
        guard next <= lastSeq else { return [] }
        var entries: [LogEntry] = []
        if next < firstSeq, !marks.isEmpty {
            entries.append(
                LogEntry(firstSeq: next, seq: firstSeq - 1, timestamp: timestamp(of: firstSeq), body: .gap))
            next = firstSeq
        }
        var budget = maxBytes
        var position = next <= lastHeld ? segmentIndex(of: next) : segments.count
        while position < segments.count {
            let isFirst = entries.isEmpty
            switch segments[position].content {
            case .event(let body):
                let cost = body.byteCount
                guard isFirst || cost <= budget else { return entries }
                entries.append(LogEntry(firstSeq: next, seq: next, timestamp: timestamp(of: next), body: body))
                budget -= cost
                next += 1
                position += 1
            case .text(let marker, let index):
                let end = position + 1 < segments.count ? segments[position + 1].firstSeq - 1 : lastHeld
                guard let last = lastDelta(from: next, through: end, fitting: budget, atLeastOne: isFirst) else {
                    return entries
                }
                let slice = text(from: next, through: last)
                budget -= slice.count
                let delta = RunDelta(utf8: slice, marker: marker, index: index)
                entries.append(
                    LogEntry(firstSeq: next, seq: last, timestamp: timestamp(of: last), body: .delta(delta)))
                next = last + 1
                guard last == end else { return entries }
                position += 1
            }
        }
        if let lostEnd, let terminal {
            if next < lostEnd.seq {
                entries.append(LogEntry(firstSeq: next, seq: lostEnd.seq - 1, timestamp: lostEnd.timestamp, body: .gap))
            }
            entries.append(LogEntry(firstSeq: lostEnd.seq, seq: lostEnd.seq, timestamp: lostEnd.timestamp, body: terminal))
        }
        return entries
    }

    /// Like ``read(after:maxBytes:)``, with what it takes to append the same events to another log. What is no longer held is left out.
    func readShared(after seq: Int, maxBytes: Int) -> [SharedEvent] {
        read(after: seq, maxBytes: maxBytes).compactMap { entry in
            var lengths: [Int] = []
            switch entry.body {
            case .gap: return nil
            case .delta where entry.firstSeq < entry.seq:
                lengths = (entry.firstSeq...entry.seq).map { Int(mark(of: $0).textEnd) - textStart(of: $0) }
            default: break
            }
            return SharedEvent(
                firstSeq: entry.firstSeq, seq: entry.seq, timestamp: entry.timestamp, body: entry.body, lengths: lengths)
        }
    }

    // MARK: Following

    /// Appends what another log has, under its numbers. What is held already is left out; where events are missing in between, those
    /// before them are given up, so that a reader is told of the gap. A terminal event is never kept from anybody by a gap.
    ///
    /// - Returns: false when there was nothing new in it.
    mutating func follow(_ event: SharedEvent) -> Bool {
        guard terminal == nil, event.seq > lastHeld else { return false }
        let isGap = event.firstSeq > lastHeld + 1
        if isGap, event.body.outcome != nil {
            terminal = event.body
            lostEnd = (event.seq, event.timestamp)
            return true
        }
        if isGap { giveUp(before: event.firstSeq) }
        guard case .delta(let delta) = event.body else { return append(event.body, at: event.timestamp) != nil }
        var start = 0
        for (offset, length) in event.deltaLengths.enumerated() {
            defer { start += length }
            guard event.firstSeq + offset > lastHeld, start + length <= delta.utf8.count else { continue }
            arena.append(contentsOf: delta.utf8[start..<(start + length)])
            let seq = appendMark(at: event.timestamp)
            if !isLastSegment(delta.marker, delta.index) {
                segments.append(Segment(firstSeq: seq, content: .text(delta.marker, index: delta.index)))
            }
        }
        dropOldest()
        return true
    }

    private mutating func giveUp(before seq: Int) {
        arenaStart = textEnd
        (arena, marks, segments, eventBytes) = ([], [], [], 0)
        firstSeq = seq
    }

    private func mark(of seq: Int) -> Mark { marks[seq - firstSeq] }
    private func timestamp(of seq: Int) -> Int64 { startedAt + Int64(mark(of: seq).elapsed) }

    /// Where the text of `seq` begins.
    private func textStart(of seq: Int) -> Int { seq == firstSeq ? arenaStart : Int(mark(of: seq - 1).textEnd) }

    private func text(from first: Int, through last: Int) -> [UInt8] {
        Array(arena[(textStart(of: first) - arenaStart)..<(Int(mark(of: last).textEnd) - arenaStart)])
    }

    /// The last number in `first...end` whose text still fits in `budget`, by bisection.
    private func lastDelta(from first: Int, through end: Int, fitting budget: Int, atLeastOne: Bool) -> Int? {
        let start = textStart(of: first)
        var low = first - 1
        var high = end
        while low < high {
            let middle = low + (high - low + 1) / 2
            if Int(mark(of: middle).textEnd) - start <= budget { low = middle } else { high = middle - 1 }
        }
        if low >= first { return low }
        return atLeastOne ? first : nil
    }

    private func segmentIndex(of seq: Int) -> Int {
        var low = 0
        var high = segments.count - 1
        while low < high {
            let middle = low + (high - low + 1) / 2
            if segments[middle].firstSeq <= seq { low = middle } else { high = middle - 1 }
        }
        return low
    }

    // MARK: The bound

    /// Drops whole events from the oldest on once the bound is passed; never the newest.
    private mutating func dropOldest() {
        guard byteCount > bytesMax else { return }
        var excess = byteCount - (bytesMax - bytesMax / Self.dropDivisor)
        var keep = firstSeq
        var position = 0
        while excess > 0, keep < lastHeld {
            if position + 1 < segments.count, segments[position + 1].firstSeq <= keep { position += 1 }
            if case .event(let body) = segments[position].content {
                excess -= body.byteCount
                eventBytes -= body.byteCount
            }
            excess -= Self.markBytes + Int(mark(of: keep).textEnd) - textStart(of: keep)
            keep += 1
        }
        let newStart = textStart(of: keep)
        arena.removeFirst(newStart - arenaStart)
        arenaStart = newStart
        marks.removeFirst(keep - firstSeq)
        firstSeq = keep
        let holding = segmentIndex(of: keep)
        segments.removeFirst(holding)
        segments[0].firstSeq = max(segments[0].firstSeq, keep)
    }
}
