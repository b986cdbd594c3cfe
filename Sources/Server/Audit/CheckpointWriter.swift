internal import Accounting
internal import Logging
internal import NIOPosix
internal import Telemetry

/// Signs where the chains of the decision log have got to, so that nobody can cut or rewrite them behind it unseen.
///
/// An actor. Looks once a second; a head that moved by ``ChainLimits/checkpointRecords`` is signed then, all others every ten seconds, and
/// at the end. While the store or the key cannot be used nothing is lost: the next checkpoint speaks of all records before it.
actor CheckpointWriter {
    private static let pause = Duration.seconds(1)

    private let store: any AuditStore
    private let directory: String
    private let file: String
    private let logger: Logger
    private let written: Metric
    private let failed: Metric
    private var signer: CheckpointSigner?
    private var isFailing = false

    /// - Parameters:
    ///   - directory: where the key is, or is made at the first checkpoint.
    ///   - file: where every checkpoint is written as well; empty: nowhere.
    init(_ store: any AuditStore, directory: String, file: String, registry: MetricRegistry, logger: Logger) {
        self.store = store
        self.directory = directory
        self.file = file
        self.logger = logger
        written = registry.counter("kdcube_audit_checkpoints_total", "Signed checkpoints of the decision log")
        failed = registry.counter("kdcube_audit_failures_total", "Rounds in which checkpoints could not be signed or written")
    }

    /// Until the task is cancelled.
    func run() async {
        let interval = Duration.milliseconds(ChainLimits.checkpointInterval.rawValue)
        var next = ContinuousClock.now
        while !Task.isCancelled {
            let isTime = ContinuousClock.now >= next
            if isTime { next = .now + interval }
            await round(least: isTime ? 1 : ChainLimits.checkpointRecords)
            try? await Task.sleep(for: Self.pause)
        }
    }

    /// Signs all that is not signed yet.
    func flush() async { await round(least: 1) }

    private func round(least: Int64) async {
        do {
            var org: OrgID?
            while true {
                let heads = try await store.moved(after: org)
                try await sign(heads.filter { $0.seq - max($0.signed, $0.first - 1) >= least })
                guard heads.count == ChainLimits.rows, let last = heads.last else { break }
                org = last.org
            }
            if isFailing { logger.notice("checkpoints of the decision log are signed again") }
            isFailing = false
        } catch {
            failed.add()
            // A store that is away says so once, and not each second.
            if !isFailing { logger.error("checkpoints of the decision log cannot be signed", metadata: ["fault": "\(error)"]) }
            isFailing = true
        }
    }

    private func sign(_ heads: [ChainHead]) async throws {
        guard !heads.isEmpty else { return }
        let (signer, now) = (try await self.ready(), WallClock.now())
        let checkpoints = heads.compactMap { signer.sign($0, at: now) }
        guard checkpoints.count == heads.count else { throw CommandFailure("libcrypto does not sign") }
        if !file.isEmpty {
            // First: what cannot be written there is tried again, because the store does not know of it.
            let (lines, path) = (checkpoints.map { $0.line(signer.key) }, file)
            try await NIOThreadPool.singleton.runIfActive { try CheckpointFile.append(lines, to: path) }
        }
        try await store.add(checkpoints)
        written.add(Int64(checkpoints.count))
    }

    /// The key, known to the store.
    private func ready() async throws -> CheckpointSigner {
        if let signer { return signer }
        let directory = directory
        let seed = try await NIOThreadPool.singleton.runIfActive { try InstallationKey.seed(in: directory) }
        guard let made = CheckpointSigner(seed: seed, at: WallClock.now()) else { throw CommandFailure("libcrypto has no Ed25519") }
        try await store.add(made.key)
        signer = made
        return made
    }
}
