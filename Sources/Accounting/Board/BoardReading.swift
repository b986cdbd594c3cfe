public import Accounting

/// What the file of a board says once its process is gone.
public struct BoardReading: Sendable {
    /// Of the start of the machine that it was written in. After another start the last writes may be missing.
    public let boot: String
    public let left: LeftBehind

    /// - Throws: ``BoardError``; a board is read whole or not at all.
    public init(_ bytes: [UInt8]) throws(BoardError) {
        guard bytes.count >= BoardLayout.headBytes, Self.word(bytes, 0) == BoardLayout.magic else { throw .notABoard }
        let length = Self.word(bytes, 16)
        guard length <= UInt64(BoardLayout.unpostedOffset - 24) else { throw .notABoard }
        let head = bytes[24..<24 + Int(length)]
        guard BoardLayout.checksum(head) == Self.word(bytes, 8) else { throw .notABoard }
        var reader = BoardReader(head)
        guard let boot = reader.name(), let node = reader.name(), let fence = reader.number() else { throw .notABoard }
        var leases: [(LeaseClaim, LeaseProgress)] = []
        var offset = BoardLayout.headBytes
        while offset + BoardLayout.slotBytes <= bytes.count {
            if let lease = try Self.slot(bytes, at: offset) { leases.append(lease) }
            offset += BoardLayout.slotBytes
        }
        self.boot = boot
        left = LeftBehind(
            holder: LeaseHolder(node: node, fence: fence), leases: leases, isComplete: Self.word(bytes, BoardLayout.unpostedOffset) == 0)
    }

    private static func slot(_ bytes: [UInt8], at offset: Int) throws(BoardError) -> (LeaseClaim, LeaseProgress)? {
        guard word(bytes, offset) == 1 else { return nil }
        let number = (offset - BoardLayout.headBytes) / BoardLayout.slotBytes
        let length = word(bytes, offset + 16)
        guard length <= UInt64(BoardLayout.recordBytesMax) else { throw .malformed(slot: number) }
        let record = bytes[offset + BoardLayout.recordOffset..<offset + BoardLayout.recordOffset + Int(length)]
        guard BoardLayout.checksum(record) == word(bytes, offset + 8), let progress = progress(bytes, at: offset),
            let claim = LeaseClaim(boardBytes: record, granted: progress.granted)
        else { throw .malformed(slot: number) }
        return (claim, progress)
    }

    /// The newer of the two that is whole.
    private static func progress(_ bytes: [UInt8], at offset: Int) -> LeaseProgress? {
        var newest: (number: UInt64, words: [Int64])?
        for place in 0..<2 {
            let start = offset + BoardLayout.progressOffset + place * BoardLayout.progressBytes
            let number = word(bytes, start)
            let words = (0..<BoardLayout.progressWords).map { Int64(bitPattern: word(bytes, start + 8 + $0 * 8)) }
            let sum = word(bytes, start + 8 + BoardLayout.progressWords * 8)
            guard sum == BoardLayout.checksum(number: number, words: { words[$0] }), number >= newest?.number ?? 0 else { continue }
            newest = (number, words)
        }
        guard let newest else { return nil }
        let progress = LeaseProgress(words: newest.words)
        return progress.granted.isValid && progress.spent.isValid && progress.sequence >= 0 ? progress : nil
    }

    private static func word(_ bytes: [UInt8], _ offset: Int) -> UInt64 {
        bytes[offset..<offset + 8].reversed().reduce(0) { $0 << 8 | UInt64($1) }
    }
}
