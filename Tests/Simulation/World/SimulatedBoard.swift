import Accounting

/// The board of one process, in memory that outlives it. Confined to the loop's thread.
final class SimulatedBoard: LeaseBoard, @unchecked Sendable {
    private var leases: [Int: (claim: LeaseClaim, progress: LeaseProgress)] = [:]
    private var last = 0
    private var isClosed = false

    var isEmpty: Bool { leases.isEmpty }

    func post(_ claim: LeaseClaim) -> any LeaseNote {
        last += 1
        if !isClosed { leases[last] = (claim, LeaseProgress()) }
        return Note(board: self, number: last)
    }

    func has(_ run: String) -> Bool { leases.values.contains { $0.claim.attribution.run == run } }

    /// The process is dead: what its ghost still does is not written.
    func close(_ holder: LeaseHolder) -> LeftBehind {
        isClosed = true
        return LeftBehind(holder: holder, leases: leases.sorted { $0.key < $1.key }.map(\.value), isComplete: true)
    }

    private struct Note: LeaseNote {
        let board: SimulatedBoard
        let number: Int

        func note(_ progress: LeaseProgress) { if !board.isClosed { board.leases[number]?.progress = progress } }

        func remove() { if !board.isClosed { board.leases[number] = nil } }
    }
}
