internal import RedisClient
internal import Transport

/// Where a server is in the stream, and what it finds when it looks at it again after a loss. A pure value.
struct StreamPosition: Sendable, Hashable {
    /// What Redis says of the stream; nil of one that is not there.
    struct Extent: Sendable, Hashable {
        /// The largest id that was ever given.
        let last: RecoveryOffset
        /// Nil while it is empty.
        let first: RecoveryOffset?

        init(last: RecoveryOffset, first: RecoveryOffset?) {
            self.last = last
            self.first = first
        }

        /// The answer to XINFO STREAM.
        init?(_ value: RedisValue) {
            let words = value.elements ?? []
            var last: RecoveryOffset?
            var first: RecoveryOffset?
            for index in stride(from: 0, to: words.count - 1, by: 2) {
                switch words[index].string {
                case "last-generated-id": last = words[index + 1].string.flatMap { RecoveryOffset($0, .entry) }
                case "first-entry": first = words[index + 1].elements?.first?.string.flatMap { RecoveryOffset($0, .entry) }
                default: break
                }
            }
            guard let last else { return nil }
            self.init(last: last, first: first)
        }
    }

    enum Finding: Sendable, Hashable {
        /// What was read last is in the stream, or was the last.
        case goesOn
        /// Redis has lost what this server has read: a gap is to be written under an id that is above all that is known, so that the
        /// order grows for every server.
        case isBehind(next: RecoveryOffset)
        /// Entries have been let go that this server has not read: it goes on before the first one that is there.
        case isAhead(from: RecoveryOffset)
    }

    /// Everything up to here was read.
    var last: RecoveryOffset

    /// Where a server begins that has read nothing: what may be missed by those who come back is read before what is new.
    ///
    /// - Parameter retention: milliseconds.
    static func begin(_ extent: Extent?, retention: UInt64) -> StreamPosition {
        guard let extent else { return StreamPosition(last: RecoveryOffset(millisecond: 0, number: 0)) }
        let oldest = extent.last.rawValue > retention ? extent.last.rawValue - retention : 0
        return StreamPosition(last: max(RecoveryOffset(millisecond: oldest, number: 0), extent.first ?? extent.last))
    }

    func look(at extent: Extent?) -> Finding {
        guard let extent, extent.last >= last else { return .isBehind(next: last.successor) }
        guard let first = extent.first else { return extent.last > last ? .isAhead(from: extent.last) : .goesOn }
        return first > last && first.predecessor > last ? .isAhead(from: first.predecessor) : .goesOn
    }
}
