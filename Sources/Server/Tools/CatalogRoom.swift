internal import Accounting
internal import JSON
internal import Logging
internal import NIOPosix
internal import Supervisor
internal import Synchronization

/// The catalog of tools of a running server, and how it changes: a file that is read again when it was changed, and operators who publish.
///
/// A catalog is taken whole or not at all: one that does not load, or with which the policies in force do not validate, changes nothing. It
/// and the policies that were made for it come into force in one moment. The state is in a `Mutex` held for a copy; one task reloads.
final class CatalogRoom: Sendable {
    /// Tools of each kind of change that a record names: three times as many stay below what a record holds.
    private static let namesLogged = 100

    struct Standing: Sendable {
        /// What is in force, as it was read.
        var file: ToolsFile
        var loadedAt: Milliseconds
        /// Why the newest content of the file is not in force; nil when it is.
        var failure: (at: Milliseconds, findings: [PolicyFinding])?
        /// What was found at tools that cannot be called as they are defined, by their names.
        var faults: [String: String] = [:]
    }

    let configuration: Configuration.Tools
    /// Nil where there are no policies.
    let policies: PolicyRoom?
    let publisher: Publisher
    let logger: Logger
    private let state: Mutex<Standing>
    /// The content that was read at the start.
    private let seen: FileIdentity?

    /// Reads a file: not on an event loop.
    ///
    /// - Throws: ``ConfigurationError`` for a catalog that cannot be in force, and for policies that do not fit it.
    init(_ configuration: Configuration, _ server: ToolRoom.Surroundings) throws {
        self.configuration = configuration.tools
        logger = server.logger
        let turns = PublishTurns()
        publisher = Publisher(.tools, turns: turns, server)
        // Before it is read: what comes later is a change.
        seen = FileIdentity(configuration.tools.file)
        let file = try ToolsFile(configuration.tools.file)
        policies = try PolicyRoom(
            configuration.policies, catalog: file.catalog, publisher: Publisher(.policies, turns: turns, server), logger: server.logger)
        state = Mutex(Standing(file: file, loadedAt: WallClock.now()))
    }

    var standing: Standing { state.withLock { $0 } }
    /// The tools there are at this moment.
    var catalog: ToolCatalog { state.withLock { $0.file.catalog } }
    /// The file's name, without its folder.
    var name: String { configuration.file.split(separator: "/").last.map(String.init) ?? configuration.file }

    /// Puts a catalog into force: adapters, switches, supervisor; `deciding` is called in the same moment.
    typealias Put = @Sendable (_ catalog: ToolCatalog, _ deciding: () -> Void) throws(CatalogError) -> Void

    /// Keeps the first version, then follows the file until the task is cancelled.
    func run(_ put: @escaping Put) async {
        await keep(standing.file, .start)
        let path = configuration.file
        await publisher.follow(from: seen) {
            let stamp = try? await NIOThreadPool.singleton.runIfActive { FileIdentity(path) }
            return stamp ?? nil
        } reload: {
            await reload(put)
        }
    }

    /// When the policies were read again, a catalog that did not fit them may. In a turn.
    func retry(_ put: Put) async { if standing.failure != nil { _ = await reload(put) } }

    /// In a turn.
    ///
    /// - Returns: false when it is to be tried again, because the change cannot be recorded.
    private func reload(_ put: Put) async -> Bool {
        let path = configuration.file
        let read = try? await NIOThreadPool.singleton.runIfActive { () -> Result<ToolsFile, ConfigurationError> in
            do throws(ConfigurationError) { return .success(try ToolsFile(path)) } catch { return .failure(error) }
        }
        guard let read else { return true }
        let file: ToolsFile
        switch read {
        case .success(let found): file = found
        case .failure(let error):
            refuse([finding(error, nil)])
            return true
        }
        let before = standing.file.version
        guard file.version != before else {
            publisher.count("unchanged")
            state.withLock { $0.failure = nil }
            return true
        }
        var fitted: PolicyRoom.Fitted?
        if let policies {
            do throws(PolicyLoadError) { fitted = try await policies.fitting(file.catalog) } catch {
                // The policies for it may lie in the directory already.
                fitted = try? await policies.fitting(file.catalog, isFresh: true)
                guard fitted != nil else {
                    refuse(error.findings)
                    return true
                }
            }
        }
        guard await keep(file, .load, before: standing.file, fitted) else {
            publisher.count("not_logged")
            return false
        }
        take(file, fitted, put)
        // Policies that named a tool which was not there may fit now.
        if policies?.standing.failure != nil { _ = await policies?.reload() }
        return true
    }

    /// From here on it is in force.
    func take(_ file: ToolsFile, _ fitted: PolicyRoom.Fitted?, _ put: Put) {
        let before = standing.file.version
        do throws(CatalogError) {
            try put(file.catalog) {
                if let fitted { policies?.take(fitted) }
                state.withLock { $0 = Standing(file: file, loadedAt: WallClock.now()) }
            }
        } catch {
            preconditionFailure("a catalog that was read has an adapter for each tool: \(error)")
        }
        publisher.count("changed")
        logger.notice("tools changed", metadata: ["version": "\(file.version)", "previous": "\(before)"])
    }

    /// What was found when tools were tried that are elsewhere.
    func found(_ faults: [String: String]) { state.withLock { $0.faults = faults } }

    private func refuse(_ findings: [PolicyFinding]) {
        publisher.count("refused")
        logger.error(
            "the tools cannot be used; those before stay in force", metadata: ["fault": "\(findings.first.map { "\($0)" } ?? "")"])
        state.withLock { $0.failure = (WallClock.now(), findings) }
    }

    /// - Parameter text: the text in which the line is looked for.
    func finding(_ error: ConfigurationError, _ text: ToolText?) -> PolicyFinding {
        // `tools[3].http.url: …`: the place in the list tells the tool, and where it stands.
        let index = error.rule.hasPrefix("tools[") ? Int(error.rule.dropFirst(6).prefix { $0.isNumber }) : nil
        let line = index.flatMap { text?.line(ofTool: $0) } ?? 0
        let tool = index.flatMap { index in text.flatMap { $0.entries.indices.contains(index) ? $0.entries[index].name : nil } }
        return PolicyFinding(
            .error, "tools", file: name, line: line, column: line > 0 ? 1 : 0,
            rule: tool.flatMap { $0.isEmpty ? nil : String($0.prefix(64)) },
            message: error.rule)
    }

    /// In the log before it is in force, and kept, so that it can be put back. A file with a secret in clear is not kept.
    @discardableResult
    func keep(
        _ file: ToolsFile, _ act: PublishedDocument.Act, before: ToolsFile? = nil, _ fitted: PolicyRoom.Fitted? = nil, reason: String? = nil
    ) async -> Bool {
        if let fitted, await policies?.keep(fitted) == false { return false }
        let text = try? ToolText(file.text)
        if let text, !text.entries.contains(where: { ToolReference.hasSecret($0.value) }) {
            guard await publisher.keep(file.version, file.text) else { return false }
        }
        var details = JSONObject([("version", .string(file.version))])
        details["was"] = before.map { .string($0.version) }
        details["reason"] = reason.map { .string($0) }
        details["policies"] = (fitted?.bundle ?? policies?.decider.current).map { .string($0.version) }
        if let before, let was = try? ToolText(before.text), let text {
            for (kind, names) in ToolChanges(was, text).names where !names.isEmpty {
                details[kind] = .array(names.prefix(Self.namesLogged).map { .string(String($0.prefix(64))) })
            }
        }
        return await publisher.record(act, details)
    }
}

/// Which tools are others in one text than in another.
struct ToolChanges: Sendable {
    let made: [String]
    let changed: [String]
    let removed: [String]

    init(_ before: ToolText, _ after: ToolText) {
        let was = Dictionary(before.entries.map { ($0.name, $0.value) }) { first, _ in first }
        let now = Set(after.entries.map(\.name))
        made = after.entries.map(\.name).filter { was[$0] == nil }
        changed = after.entries.filter { entry in was[entry.name].map { $0 != entry.value } ?? false }.map(\.name)
        removed = before.entries.map(\.name).filter { !now.contains($0) }
    }

    var names: [(kind: String, names: [String])] { [("made", made), ("changed", changed), ("removed", removed)] }

    var json: JSONValue { .object(JSONObject(names.map { ($0.kind, .array($0.names.map { .string($0) })) })) }
}
