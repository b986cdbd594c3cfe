internal import Accounting
internal import AccountingBoard
internal import Engine
internal import Foundation
internal import Logging
internal import NIOPosix

/// Settles what dead server processes of the same data directory had noted, whichever of them it was and whenever it died.
struct Succession: Sendable {
    private static let pause = Duration.seconds(5)

    private let folder: BoardFolder
    private let stores: Stores
    private let logger: Logger
    /// Nil where this server is the only one.
    var nodes: RunNodes?
    let board: MappedBoard

    /// Makes the data directory if it is not there. Reads files: not on an event loop.
    init(data: String, holder: LeaseHolder, stores: Stores, logger: Logger) throws {
        do {
            try FileManager.default.createDirectory(
                atPath: data, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
            folder = try BoardFolder(path: data + "/nodes")
            board = try folder.makeBoard(for: holder)
        } catch {
            throw CommandFailure("the data directory \(data) cannot be written (\(error)); choose another with --data")
        }
        self.stores = stores
        self.logger = logger
    }

    /// Looks for them until the task is cancelled.
    func run(_ accountant: Accountant) async {
        var noted: Set<String> = []
        while !Task.isCancelled {
            await round(accountant, &noted)
            try? await Task.sleep(for: Self.pause)
        }
    }

    /// - Parameter noted: processes whose leases stay in suspense and whose runs are known to be lost.
    private func round(_ accountant: Accountant, _ noted: inout Set<String>) async {
        do {
            let (found, unreadable) = try await NIOThreadPool.singleton.runIfActive { try folder.orphans() }
            for name in unreadable { logger.error("a board cannot be read; its leases stay in suspense", metadata: ["board": "\(name)"]) }
            for orphan in found { await settle(orphan, accountant, &noted) }
        } catch {
            logger.error("the boards of other processes cannot be read", metadata: ["fault": "\(error)"])
        }
    }

    private func settle(_ orphan: BoardFolder.Orphan, _ accountant: Accountant, _ noted: inout Set<String>) async {
        let about: Logger.Metadata = ["node": "\(orphan.left.holder.node)", "leases": "\(orphan.left.leases.count)"]
        guard orphan.isOfThisBoot || orphan.left.leases.isEmpty else {
            // What it noted last may be lost with the machine's memory: less would be charged than was delivered.
            logger.error("a process ended with its machine; its leases stay in suspense", metadata: about)
            if !noted.contains(orphan.left.holder.node), await note(orphan.left) { noted.insert(orphan.left.holder.node) }
            return
        }
        guard await accountant.settle(orphan.left), await note(orphan.left) else { return }
        try? await NIOThreadPool.singleton.runIfActive { orphan.discard() }
        logger.notice("settled what a process that died had noted", metadata: about)
    }

    /// Keeps how the runs of the dead process ended, for the clients who come back.
    private func note(_ left: LeftBehind) async -> Bool {
        do {
            let runs = left.leases.map(\.claim.attribution)
            try await LostRuns.note(runs, in: stores)
            // Its readers at other nodes are told at once.
            try await nodes?.bury(left.holder.node, runs.compactMap { run in RunID(run.run).map { (run.path.org, $0) } })
            return true
        } catch {
            logger.error("lost runs cannot be noted; their clients wait", metadata: ["fault": "\(error)"])
            return false
        }
    }
}
