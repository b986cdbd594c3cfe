import Accounting
import Foundation
import Synchronization
import Testing

@testable import AccountingBoard

/// A process that dies is played by letting its board go: that closes the file and frees its lock, and leaves what is in it.
@Suite("Lease board")
struct BoardTests {
    private let holder = LeaseHolder(node: "one", fence: 7)

    private func claim(_ id: String, windows: Int = 2) throws -> LeaseClaim {
        let path = try (0..<windows).map { index in
            try Make.ref(.project(org: "acme", project: "web-\(index)"), .tokens, .day, cap: 1_000, at: ManualClock.monday)
        }
        return LeaseClaim(lease: LeaseKey(org: "acme", id: id), attribution: try Make.attribution(), path: path, granted: .zero)
    }

    private func progress(_ number: Int64) -> LeaseProgress {
        LeaseProgress(
            sequence: number, granted: Amounts(nanoUSD: number * 10, tokens: number * 2, requests: 1, runs: 1, calls: number % 2),
            spent: Spent(
                nanoUSD: number, usage: UsageClasses(inputFresh: 3, outputVisible: number), requests: 1, calls: number % 2,
                estimated: number % 3 == 0))
    }

    private func withFolder(_ body: (BoardFolder, String) async throws -> Void) async throws {
        try await TemporaryDatabase.with { file in
            let path = file + ".nodes"
            try await body(try BoardFolder(path: path), path)
        }
    }

    @Test("what was noted last is read when the process is gone, and not before")
    func roundTrip() async throws {
        try await withFolder { folder, path in
            do {
                let board = try folder.makeBoard(for: holder)
                #expect(board.isEmpty)
                let notes = try (0..<300).map { board.post(try claim("l\($0)")) }
                for (index, note) in notes.enumerated() {
                    for step in 1...3 { note.note(progress(Int64(index * 10 + step))) }
                    if index.isMultiple(of: 3) { note.remove() }
                }
                #expect(try folder.orphans().found.isEmpty, "it lives")
                #expect(!board.isEmpty)
            }
            let orphan = try #require(try folder.orphans().found.first)
            #expect(orphan.left.holder == holder && orphan.isOfThisBoot && orphan.left.isComplete)
            #expect(orphan.left.leases.count == 200)
            for (found, progress) in orphan.left.leases {
                let index = try #require(Int(found.lease.id.dropFirst()))
                #expect(progress == self.progress(Int64(index * 10 + 3)))
                var posted = try claim("l\(index)")
                posted.granted = progress.granted
                #expect(found == posted)
            }
            #expect(try folder.orphans().found.isEmpty, "one process at a time settles it")
            orphan.discard()
            #expect(try FileManager.default.contentsOfDirectory(atPath: path).isEmpty)
        }
    }

    @Test("a lease that was posted and never noted has spent nothing, whatever its place on the board had noted before")
    func reusedPlace() async throws {
        try await withFolder { folder, _ in
            do {
                let board = try folder.makeBoard(for: holder)
                let first = board.post(try claim("first"))
                for step in 1...50 { first.note(progress(Int64(step))) }
                first.remove()
                _ = board.post(try claim("second"))
            }
            let (found, progress) = try #require(try folder.orphans().found.first?.left.leases.first)
            #expect(found.lease.id == "second" && progress == LeaseProgress())
        }
    }

    @Test("a note that a kill left half written is as if it had not begun", arguments: [0, 8, 40, 96, 104])
    func torn(at offset: Int) async throws {
        try await withFolder { folder, path in
            do {
                let board = try folder.makeBoard(for: holder)
                let note = board.post(try claim("l"))
                note.note(progress(1))
                note.note(progress(2))
            }
            let file = "\(path)/one-7.board"
            var bytes = try #require(FileManager.default.contents(atPath: file))
            // A post writes both places, so the newest, the second note, is where even numbers go: in the first.
            let newest = BoardLayout.headBytes + BoardLayout.progressOffset
            bytes[newest + offset] ^= 0x5a
            try bytes.write(to: URL(fileURLWithPath: file))
            let left = try #require(try folder.orphans().found.first).left
            #expect(left.leases.map(\.progress) == [progress(1)])
        }
    }

    @Test("a slot is used again, a lease without room is counted, and an empty board leaves nothing")
    func room() async throws {
        try await withFolder { folder, path in
            let board = try folder.makeBoard(for: holder)
            for index in 0..<1_000 {
                board.post(try claim("l\(index)")).remove()
            }
            let size = try #require(FileManager.default.attributesOfItem(atPath: "\(path)/one-7.board")[.size] as? Int)
            #expect(size == BoardLayout.headBytes + BoardLayout.groupBytes)
            #expect(board.isEmpty)
            board.discard()
            #expect(try FileManager.default.contentsOfDirectory(atPath: path).isEmpty)
            let second = try folder.makeBoard(for: LeaseHolder(node: "two", fence: 1))
            let note = second.post(try claim("long", windows: 60))
            #expect(!second.isEmpty)
            // Settled in peace, there is nothing left that somebody would have to answer for.
            note.remove()
            note.remove()
            #expect(second.isEmpty)
            second.discard()
            #expect(try FileManager.default.contentsOfDirectory(atPath: path).isEmpty)
        }
        try await withFolder { folder, _ in
            do { _ = try folder.makeBoard(for: holder).post(try claim("long", windows: 60)) }
            #expect(try folder.orphans().found.map(\.left.isComplete) == [false])
        }
    }

    @Test("what is no board, or not whole, is named and left alone", arguments: [0, 9, 30, 4_100, 4_620])
    func damaged(at offset: Int) async throws {
        try await withFolder { folder, path in
            do { _ = try folder.makeBoard(for: holder).post(try claim("l")) }
            let file = "\(path)/one-7.board"
            var bytes = try #require(FileManager.default.contents(atPath: file))
            bytes[offset] ^= 0xff
            try bytes.write(to: URL(fileURLWithPath: file))
            try Data([1, 2, 3]).write(to: URL(fileURLWithPath: "\(path)/short.board"))
            try Data().write(to: URL(fileURLWithPath: "\(path)/empty.board"))
            let (found, unreadable) = try folder.orphans()
            if offset == 4_100 {
                // A slot whose first word is not 1 is free.
                #expect(found.map(\.left.leases.count) == [0] && unreadable == ["short.board"])
            } else {
                #expect(found.isEmpty && unreadable == ["one-7.board", "short.board"])
            }
            #expect(!FileManager.default.fileExists(atPath: "\(path)/empty.board"))
        }
    }

    @Test("what a process had delivered when it died is charged to the token, and the rest is free again")
    func successor() async throws {
        try await withFolder { folder, _ in
            let rig = NodeRig(budgets: [try Budget(scope: .org("acme"), unit: .tokens, period: .total, limit: 1_000)])
            let board = try folder.makeBoard(for: holder)
            let first = rig.another(holder, board: board)
            guard case .admitted(let lease) = await first.open(try rig.admission("busy")),
                case .admitted = await first.open(try rig.admission("idle"))
            else { throw CounterStoreContract.Unexpected.reply }
            #expect(await stream(lease, wish: 150).delivered == 150)
            board.abandon()
            #expect(try await rig.window(0).held > 0)
            let second = rig.another(LeaseHolder(node: "two", fence: 3))
            let orphan = try #require(try folder.orphans().found.first)
            #expect(await second.settle(orphan.left))
            #expect(await second.settle(orphan.left), "again is the same")
            let window = try await rig.window(0)
            // The idle run's prompt was with its provider, for all that anybody knows.
            #expect(window.used == 170 && window.held == 0 && window.suspense == 0)
            #expect(try await rig.ledger.total(.org("acme")).usage.total == 170)
            orphan.discard()
        }
    }

    @Test("a lease that was settled, or refused, is on no board")
    func settledLeases() async throws {
        try await withFolder { folder, _ in
            let rig = NodeRig(budgets: [try Budget(scope: .org("acme"), unit: .tokens, period: .total, limit: 100)])
            let board = try folder.makeBoard(for: holder)
            let accountant = rig.another(holder, board: board)
            guard case .admitted(let lease) = await accountant.open(try rig.admission("a")) else {
                throw CounterStoreContract.Unexpected.reply
            }
            #expect(await stream(lease, wish: 200).delivered == 90)
            guard case .refused = await accountant.open(try rig.admission("b")) else { throw CounterStoreContract.Unexpected.reply }
            #expect(!board.isEmpty)
            rig.switchable.isDown.withLock { $0 = true }
            #expect(await !lease.settle(.counted(inputTokens: nil)).isRecorded)
            #expect(!board.isEmpty, "its settlement has not arrived")
            rig.switchable.isDown.withLock { $0 = false }
            await accountant.tick()
            #expect(board.isEmpty)
        }
    }
}
