public import Accounting
internal import Glibc
internal import Synchronization

/// The board of this process: a file that is mapped into memory, so that a note costs a few stores, and what was noted is there for the
/// next process whatever ends this one. It is not made for a machine that loses power: see ``BoardReading/boot``.
///
/// A `Mutex` guards which slots are free. A slot is written by whoever holds its lease, one task at a time.
public final class MappedBoard: LeaseBoard {
    private struct State {
        /// The one freed last is used next: a board touches no more pages than there were leases at one time.
        var free: [Int] = []
        var groups: [Mapping] = []
        var used = 0
        var unposted: UInt64 = 0
    }

    private let file: BoardFile
    private let head: Mapping
    private let state = Mutex(State())

    /// - Throws: ``BoardFileError`` when the file cannot be made.
    init(_ file: BoardFile, boot: String, holder: LeaseHolder) throws(BoardFileError) {
        self.file = file
        head = try file.map(from: 0, bytes: BoardLayout.headBytes)
        var writer = BoardWriter()
        writer.text(boot)
        writer.text(holder.node)
        writer.number(holder.fence)
        head.write(writer.bytes, at: 24)
        head.write(UInt64(writer.bytes.count), at: 16)
        head.write(BoardLayout.checksum(writer.bytes), at: 8)
        head.write(BoardLayout.magic, at: 0)
    }

    public var isEmpty: Bool { state.withLock { $0.used == 0 && $0.unposted == 0 } }

    public func post(_ claim: LeaseClaim) -> any LeaseNote {
        let record = claim.boardBytes
        let slot = state.withLock { state -> (Mapping, Int)? in
            guard record.count <= BoardLayout.recordBytesMax, let index = takeSlot(&state) else {
                // While it lives, no successor can answer for it: what it held stays in suspense then.
                state.unposted += 1
                head.write(state.unposted, at: BoardLayout.unpostedOffset)
                return nil
            }
            state.used += 1
            return (state.groups[index / BoardLayout.groupSlots], index)
        }
        guard let (group, index) = slot else { return UnpostedNote(board: self) }
        let offset = index % BoardLayout.groupSlots * BoardLayout.slotBytes
        let note = SlotNote(board: self, group: group, offset: offset, index: index)
        group.write(record, at: offset + BoardLayout.recordOffset)
        group.write(UInt64(record.count), at: offset + 16)
        group.write(BoardLayout.checksum(record), at: offset + 8)
        // In both places: one of them has what the slot's last lease had spent, under a higher number.
        note.note(LeaseProgress())
        note.note(LeaseProgress())
        group.write(UInt64(1), at: offset)
        return note
    }

    private func takeSlot(_ state: inout State) -> Int? {
        if let index = state.free.popLast() { return index }
        let number = state.groups.count
        guard number < BoardLayout.groupsMax,
            let group = try? file.map(from: BoardLayout.headBytes + number * BoardLayout.groupBytes, bytes: BoardLayout.groupBytes)
        else { return nil }
        state.groups.append(group)
        let first = number * BoardLayout.groupSlots
        state.free = Array((first + 1..<first + BoardLayout.groupSlots).reversed())
        return first
    }

    fileprivate func release(_ index: Int) {
        state.withLock { state in
            state.used -= 1
            state.free.append(index)
        }
    }

    fileprivate func settledUnposted() {
        state.withLock { state in
            state.unposted -= 1
            head.write(state.unposted, at: BoardLayout.unpostedOffset)
        }
    }

    /// For tests: others find it as if this process had died.
    func abandon() { file.unlock() }

    /// Removes the file: nothing is left behind. Only of a board that is empty.
    public func discard() { if isEmpty { file.remove() } }
}

/// A lease that found no room.
private final class UnpostedNote: LeaseNote {
    private let board: MappedBoard
    private let isRemoved = Atomic<Bool>(false)

    init(board: MappedBoard) { self.board = board }

    func note(_ progress: LeaseProgress) {}

    func remove() { if !isRemoved.exchange(true, ordering: .relaxed) { board.settledUnposted() } }
}

/// One lease's slot.
private final class SlotNote: LeaseNote {
    private let board: MappedBoard
    private let group: Mapping
    private let offset: Int
    private let index: Int
    private let written = Atomic<UInt64>(0)
    private let isRemoved = Atomic<Bool>(false)

    init(board: MappedBoard, group: Mapping, offset: Int, index: Int) {
        self.board = board
        self.group = group
        self.offset = offset
        self.index = index
    }

    func note(_ progress: LeaseProgress) {
        guard !isRemoved.load(ordering: .relaxed) else { return }
        let number = written.add(1, ordering: .relaxed).newValue
        let start = offset + BoardLayout.progressOffset + Int(number & 1) * BoardLayout.progressBytes
        group.write(number, at: start)
        for index in 0..<BoardLayout.progressWords { group.write(UInt64(bitPattern: progress.word(index)), at: start + 8 + index * 8) }
        group.write(BoardLayout.checksum(number: number, words: progress.word), at: start + 8 + BoardLayout.progressWords * 8)
    }

    func remove() {
        guard !isRemoved.exchange(true, ordering: .relaxed) else { return }
        group.write(UInt64(0), at: offset)
        board.release(index)
    }
}
