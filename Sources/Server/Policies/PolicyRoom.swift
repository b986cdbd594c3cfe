internal import Accounting
internal import JSON
internal import Logging
internal import NIOPosix
internal import Supervisor
internal import Synchronization

/// The policies of a running server, and how they change: a directory that is read again when it was changed.
///
/// A set is taken whole or not at all: one that does not validate, or whose tests fail, changes nothing, and the last good one stays. The
/// state is in a `Mutex` held for a copy; one task reloads.
final class PolicyRoom: Sendable {
    struct Standing: Sendable {
        /// The tools that the policies are about.
        var catalog: ToolCatalog
        /// What is in force, as it was read.
        var folder: PolicyFolder
        var loadedAt: Milliseconds
        /// Why the newest content of the directory is not in force; nil when it is.
        var failure: (at: Milliseconds, findings: [PolicyFinding])?
    }

    let decider: PolicyDecider
    let configuration: Configuration.Policies
    let publisher: Publisher
    let logger: Logger
    let state: Mutex<Standing>
    /// The content that was read at the start.
    private let seen: [String: FileIdentity]?

    /// Reads files: not on an event loop.
    ///
    /// - Returns: nil where there is no directory.
    /// - Throws: ``ConfigurationError`` for a set that cannot be in force: a server does not start without the policies it was given.
    init?(
        _ configuration: Configuration.Policies, catalog: ToolCatalog, publisher: Publisher, logger: Logger
    ) throws(ConfigurationError) {
        guard !configuration.directory.isEmpty else { return nil }
        self.configuration = configuration
        self.publisher = publisher
        self.logger = logger
        // Before it is read: what comes later is a change.
        seen = PolicyFolder.stamp(of: configuration.directory)
        let (folder, bundle) = try Self.load(configuration.directory, "policies.directory", catalog)
        var candidate: PolicyBundle?
        if !configuration.candidate.isEmpty { candidate = try Self.load(configuration.candidate, "policies.candidate", catalog).1 }
        decider = PolicyDecider(bundle, mode: configuration.mode == .enforce ? .enforce : .shadow, candidate: candidate)
        state = Mutex(Standing(catalog: catalog, folder: folder, loadedAt: WallClock.now()))
    }

    /// - Throws: ``ConfigurationError`` that names the first mistake and says how many there are.
    static func load(
        _ path: String, _ setting: String, _ catalog: ToolCatalog
    ) throws(ConfigurationError) -> (PolicyFolder, PolicyBundle) {
        do throws(PolicyLoadError) { return try read(path, catalog) } catch {
            let errors = error.findings.filter { $0.severity == .error }
            let more = errors.count > 1 ? " (and \(errors.count - 1) more; kdcube policy check lists them)" : ""
            throw ConfigurationError(setting: setting, origin: path, rule: (errors.first.map { "\($0)" } ?? "cannot be used") + more)
        }
    }

    var standing: Standing { state.withLock { $0 } }

    var catalog: ToolCatalog { standing.catalog }

    /// Keeps the first version, then follows the directories until the task is cancelled.
    ///
    /// - Parameter afterwards: what else is to be looked at when the directory was, in the same turn.
    func run(afterwards: @Sendable () async -> Void = {}) async {
        await keep(decider.current, standing.folder, .start)
        await finish()
        var candidates = ContentFollower(read: await Self.stamp(configuration.candidate))
        await publisher.follow(from: seen) {
            await Self.stamp(configuration.directory)
        } reload: {
            let isDone = await reload()
            await afterwards()
            return isDone
        } besides: {
            if candidates.isDue(await Self.stamp(configuration.candidate)) { await reloadCandidate() }
        }
    }

    /// A file system that hangs must not hold up a thread that others need.
    private static func stamp(_ path: String) async -> [String: FileIdentity]? {
        guard !path.isEmpty else { return nil }
        return try? await NIOThreadPool.singleton.runIfActive { PolicyFolder.stamp(of: path) }
    }

    typealias Reading = Result<(PolicyFolder, PolicyBundle), PolicyLoadError>

    private static func read(_ path: String, _ catalog: ToolCatalog) throws(PolicyLoadError) -> (PolicyFolder, PolicyBundle) {
        let folder = try PolicyFolder(path)
        return (folder, try folder.bundle(for: catalog))
    }

    static func readAside(_ path: String, _ catalog: ToolCatalog) async -> Reading {
        let result = try? await NIOThreadPool.singleton.runIfActive { () -> Reading in
            do throws(PolicyLoadError) { return .success(try read(path, catalog)) } catch { return .failure(error) }
        }
        return result ?? .failure(PolicyLoadError([PolicyFinding(.error, "file", message: "The server is shutting down.")]))
    }

    /// Does the rest of what a server has published that was killed meanwhile.
    private func finish() async {
        let result = try? await NIOThreadPool.singleton.runIfActive { [configuration] () -> PublicationFault? in
            do throws(PublicationFault) { try PolicyPublication.finish(configuration.directory) } catch { return error }
            return nil
        }
        guard let fault = result ?? nil else { return }
        logger.error("a published set of policies is not written completely", metadata: ["fault": "\(fault)"])
    }

    /// In a turn.
    ///
    /// - Returns: false when it is to be tried again, because the change cannot be recorded.
    func reload() async -> Bool {
        await finish()
        switch await Self.readAside(configuration.directory, standing.catalog) {
        case .failure(let error):
            publisher.count("refused")
            let version = decider.current.version
            logger.error(
                "the policies cannot be used; those before stay in force",
                metadata: ["version": "\(version)", "fault": "\(error.findings.first.map { "\($0)" } ?? "")"])
            state.withLock { $0.failure = (WallClock.now(), error.findings) }
            return true
        case .success((let folder, let bundle)):
            let before = decider.current.version
            guard bundle.version != before else {
                publisher.count("unchanged")
                // Its tests may be others.
                state.withLock { $0 = Standing(catalog: $0.catalog, folder: folder, loadedAt: $0.loadedAt) }
                return true
            }
            guard await keep(bundle, folder, .load, before: before) else {
                publisher.count("not_logged")
                return false
            }
            take(bundle, folder, before: before)
            return true
        }
    }

    /// From here on it decides.
    func take(_ bundle: PolicyBundle, _ folder: PolicyFolder, before: String) {
        decider.replace(with: bundle)
        publisher.count("changed")
        state.withLock { $0 = Standing(catalog: $0.catalog, folder: folder, loadedAt: WallClock.now()) }
        logger.notice("policies changed", metadata: ["version": "\(bundle.version)", "previous": "\(before)"])
    }

    private func reloadCandidate() async {
        switch await Self.readAside(configuration.candidate, standing.catalog) {
        case .success((_, let bundle)): decider.replaceCandidate(with: bundle)
        case .failure(let error):
            logger.error(
                "the candidate policies cannot be used; those before are tried on",
                metadata: ["fault": "\(error.findings.first.map { "\($0)" } ?? "")"])
        }
    }

    /// In the log before it is in force, and kept whole, so that what it decided can be explained later.
    ///
    /// - Parameter act: nil where the log says otherwise what happens.
    @discardableResult
    func keep(
        _ bundle: PolicyBundle, _ folder: PolicyFolder, _ act: PublishedDocument.Act?, before: String? = nil, reason: String? = nil
    ) async -> Bool {
        func text(_ files: [PolicyFile]) -> String { JSONValue.object(JSONObject(files.map { ($0.name, .string($0.text)) })).jsonText }
        var files = text(folder.files + folder.testTexts)
        // Without its tests a version still explains what it decided.
        if files.utf8.count > PolicyStoreLimits.versionBytes { files = text(folder.files) }
        guard await publisher.keep(bundle.version, files) else { return false }
        guard let act else { return true }
        var details = JSONObject([("version", .string(bundle.version)), ("mode", .string(configuration.mode.rawValue))])
        details["was"] = before.map { .string($0) }
        details["reason"] = reason.map { .string($0) }
        return await publisher.record(act, details)
    }
}
