internal import Accounting
internal import JSON
internal import Logging
internal import NIOPosix
internal import Telemetry

/// One version on its way onto the disk: prepared, then either committed or given up. All of it blocks.
protocol Publication: Sendable {
    associatedtype Outcome: Sendable

    func commit() throws(PublicationFault) -> Outcome
    func abandon()
}

/// Which version of a document is to be in force.
struct Proposal<Draft: Sendable>: Sendable {
    let draft: Draft
    /// The version that the author has seen; nil publishes over whatever is in force.
    let base: String?
    let reason: String
    let act: PublishedDocument.Act

    func check(inForce version: String) throws(PublishError) {
        if let base, base != version { throw .conflict(inForce: version) }
    }
}

/// What came of a proposal.
struct Published<Content: Sendable>: Sendable {
    let version: String
    let previous: String
    /// False where everything is as it was.
    let isChange: Bool
    let content: Content
}

/// How a document of a running server changes: followed on the disk, published over HTTP, and either way in the log before it is in force.
///
/// It holds no state but the turns, which are an actor's.
struct Publisher: Sendable {
    /// How often the disk is looked at; new content is in force at the second look, in every server.
    private static let interval = Duration.seconds(1)

    let document: PublishedDocument
    /// Of all documents: each is checked against the others.
    let turns: PublishTurns
    let versions: any PolicyVersions
    private let trail: AuditTrail
    private let registry: MetricRegistry
    private let logger: Logger

    init(_ document: PublishedDocument, turns: PublishTurns, _ server: ToolRoom.Surroundings) {
        self.document = document
        self.turns = turns
        versions = server.stores.policyVersions
        trail = server.trail
        registry = server.registry
        logger = server.logger
    }

    // MARK: Changes

    /// Looks at the disk until the task is cancelled. New content is read in a turn, and again while the change cannot be recorded.
    ///
    /// - Parameters:
    ///   - seen: The content that is in force.
    ///   - look: What is there; nil where nothing is.
    ///   - reload: False when it is to be called again.
    ///   - besides: What else is to be looked at, in no turn.
    func follow<Content>(
        from seen: Content?, look: () async -> Content?, reload: () async -> Bool, besides: () async -> Void = {}
    ) async where Content: Equatable & Sendable {
        var follower = ContentFollower(read: seen)
        var isOwed = false
        while !Task.isCancelled {
            try? await Task.sleep(for: Self.interval)
            let isDue = follower.isDue(await look())
            if isDue || isOwed {
                await turns.take()
                isOwed = !(await reload())
                await turns.give()
            }
            await besides()
        }
    }

    func inTurn<Value: Sendable>(_ body: () async throws(PublishError) -> Value) async throws(PublishError) -> Value {
        await turns.take()
        let result: Result<Value, PublishError>
        do throws(PublishError) { result = .success(try await body()) } catch { result = .failure(error) }
        await turns.give()
        return try result.get()
    }

    /// Puts a version onto the disk, in a turn: in the log before it is there.
    ///
    /// - Parameters:
    ///   - prepare: Does everything that may fail.
    ///   - keep: Writes into the log what is about to happen; false where it cannot.
    func write<Prepared: Publication>(
        _ version: String, _ act: PublishedDocument.Act, keep: () async -> Bool,
        prepare: @escaping @Sendable () throws(PublicationFault) -> Prepared
    ) async throws(PublishError) -> Prepared.Outcome {
        let publication = try await onDisk(prepare)
        guard await keep() else {
            try? await aside { publication.abandon() }
            throw .notLogged
        }
        do throws(PublishError) {
            return try await onDisk { () throws(PublicationFault) in try publication.commit() }
        } catch {
            // The log says that it would be; now it says that it was not.
            await record(act, JSONObject([("version", .string(version))]), failure: document.words.notWritable.code)
            throw error
        }
    }

    private func onDisk<Value: Sendable>(
        _ body: @escaping @Sendable () throws(PublicationFault) -> Value
    ) async throws(PublishError) -> Value {
        try await aside { () throws(PublishError) in
            do throws(PublicationFault) { return try body() } catch { throw .disk(error) }
        }
    }

    /// A file system that hangs, and a large document that is checked, must not hold up a thread that others need.
    func aside<Value: Sendable>(
        _ body: @escaping @Sendable () throws(PublishError) -> Value
    ) async throws(PublishError) -> Value {
        let result = try? await NIOThreadPool.singleton.runIfActive { () -> Result<Value, PublishError> in
            do throws(PublishError) { return .success(try body()) } catch { return .failure(error) }
        }
        guard let result else { throw .shuttingDown }
        return try result.get()
    }

    // MARK: What is kept

    /// Keeps the text of a version, so that it can be put back.
    func keep(_ version: String, _ text: String) async -> Bool {
        do {
            try await versions.keep(version: document.versionPrefix + version, files: text, at: WallClock.now())
            return true
        } catch {
            logger.error(document.versionNotKept, metadata: ["fault": "\(error)"])
            return false
        }
    }

    /// The text of a version that once served.
    ///
    /// - Returns: nil for one that never served, or was not kept.
    func past(_ version: String) async throws(PolicyStoreError) -> String? {
        try await versions.files(of: document.versionPrefix + version)
    }

    /// Writes a change into the decision log.
    ///
    /// - Parameter failure: the code where it could not be made.
    /// - Returns: false when it is not there.
    @discardableResult
    func record(_ act: PublishedDocument.Act, _ details: JSONObject, failure: String? = nil) async -> Bool {
        guard var entry = try? AuditAuthor.current.act(document.name(of: act), in: AuditAuthor.noOrg, details) else { return false }
        if let failure {
            entry.decision = .deny
            entry.code = failure
        }
        return await trail.record(entry) != nil
    }

    func count(_ outcome: String) {
        registry.counter(document.loads.metric, document.loads.help, [("outcome", outcome)]).add()
    }
}
