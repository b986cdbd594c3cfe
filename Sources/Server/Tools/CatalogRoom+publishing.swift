internal import Accounting
internal import Foundation
internal import JSON
internal import Logging
internal import NIOPosix
internal import Supervisor

/// Why a catalog was not published; the one in force stays.
enum ToolPublishError: Error, Sendable {
    /// Another version is in force than the one that was changed.
    case conflict(inForce: String)
    case refused([PolicyFinding])
    case file(PolicyDirectoryError)
    /// The change cannot be written into the decision log, or the version cannot be kept.
    case notLogged
    case shuttingDown
}

extension CatalogRoom {
    /// What is to be in force: the whole file, or some tools of it.
    enum Draft: Sendable {
        case text(String)
        case edits([ToolEdit])
    }

    /// Which catalog is to be published.
    struct Proposal: Sendable {
        let draft: Draft
        /// The version that the author has seen; nil publishes over whatever is in force.
        let base: String?
        let reason: String
        /// How the decision log names it: `tools.publish`, `tools.rollback`.
        let action: String
    }

    /// A draft that could be in force.
    struct Checked: Sendable {
        let file: ToolsFile
        let changes: ToolChanges
        let fitted: PolicyRoom.Fitted?
    }

    struct Published: Sendable {
        let version: String
        let previous: String
        /// False where the file is as it was.
        let isChange: Bool
        let changes: ToolChanges
    }

    /// Checks a catalog, writes it into the log, then into the file, and works by it from then on.
    func publish(_ proposal: Proposal, _ put: Put) async throws(ToolPublishError) -> Published {
        await turns.take()
        let result = await attempt(proposal, put)
        await turns.give()
        return try result.get()
    }

    private func attempt(_ proposal: Proposal, _ put: Put) async -> Result<Published, ToolPublishError> {
        do throws(ToolPublishError) { return .success(try await publishInTurn(proposal, put)) } catch { return .failure(error) }
    }

    private func publishInTurn(_ proposal: Proposal, _ put: Put) async throws(ToolPublishError) -> Published {
        let inForce = standing.file
        // Tools are changed in what their author has seen; of a whole text that is in force already this does not matter.
        if case .edits = proposal.draft, let base = proposal.base, base != inForce.version { throw .conflict(inForce: inForce.version) }
        let checked = try await check(proposal.draft, against: inForce)
        func published(isChange: Bool) -> Published {
            Published(version: checked.file.version, previous: inForce.version, isChange: isChange, changes: checked.changes)
        }
        // Whoever asks again because an answer was lost is told that it is done.
        if checked.file.version == inForce.version { return published(isChange: false) }
        if let base = proposal.base, base != inForce.version { throw .conflict(inForce: inForce.version) }
        let publication = try await aside { [configuration] () throws(ToolPublishError) in
            do throws(PolicyDirectoryError) {
                return try CatalogPublication.prepare(checked.file.text, in: configuration.file) {
                    Self.isUnseen(configuration.file, inForce)
                }
            } catch { throw .file(error) }
        }
        guard await keep(checked.file, proposal.action, before: inForce, checked.fitted, reason: proposal.reason) else {
            try? await aside { publication.abandon() }
            throw .notLogged
        }
        do throws(ToolPublishError) {
            try await aside { () throws(ToolPublishError) in
                do throws(PolicyDirectoryError) { try publication.commit() } catch { throw .file(error) }
            }
        } catch {
            // The log says that it would be; now it says that it was not.
            await keepFailure(proposal.action, version: checked.file.version)
            throw error
        }
        take(checked.file, checked.fitted, put)
        return published(isChange: true)
    }

    /// Everything that is to be said against a draft.
    ///
    /// - Throws: ``ToolPublishError/refused(_:)`` with findings: it does not load, may not be published from here, or breaks policies.
    func check(_ draft: Draft, against inForce: ToolsFile) async throws(ToolPublishError) -> Checked {
        let (file, changes) = try await aside { [self] () throws(ToolPublishError) in try read(draft, beside: inForce) }
        var fitted: PolicyRoom.Fitted?
        if let policies {
            do throws(PolicyLoadError) { fitted = try await policies.fitting(file.catalog) } catch { throw .refused(error.findings) }
        }
        return Checked(file: file, changes: changes, fitted: fitted)
    }

    /// - Throws: ``ToolPublishError/refused(_:)``.
    private func read(_ draft: Draft, beside inForce: ToolsFile) throws(ToolPublishError) -> (ToolsFile, ToolChanges) {
        func refusal(_ failure: StrictYAML.Failure) -> ToolPublishError {
            let line = failure.line ?? 0
            return .refused([
                PolicyFinding(.error, "tools", file: name, line: line, column: line > 0 ? 1 : 0, message: failure.message)
            ])
        }
        let (before, after): (ToolText, ToolText)
        do throws(StrictYAML.Failure) {
            before = try ToolText(inForce.text)
            switch draft {
            case .text(let text): after = try ToolText(text)
            case .edits(let edits): after = try ToolText(try before.applying(edits))
            }
        } catch { throw refusal(error) }
        let file: ToolsFile
        do throws(ConfigurationError) {
            file = try ToolsFile(yaml: after.text, path: name, environment: ProcessInfo.processInfo.environment)
        } catch { throw .refused([finding(error, after)]) }
        var findings = ToolRules(publishing: configuration.publish, variables: configuration.variables)
            .findings(after, beside: before, file: name)
        for (index, tool) in file.catalog.tools.enumerated() {
            do throws(ToolFailure) { try ToolRoom.checkHosts(tool.adapter) } catch {
                let line = after.line(ofTool: index)
                findings.append(
                    PolicyFinding(
                        .error, "tools", file: name, line: line, column: line > 0 ? 1 : 0, rule: tool.name, message: error.message))
            }
        }
        guard findings.isEmpty else { throw .refused(findings) }
        return (file, ToolChanges(before, after))
    }

    /// What somebody has just written into the file is not lost. What cannot be read as a catalog is overwritten.
    private static func isUnseen(_ path: String, _ inForce: ToolsFile) -> Bool {
        guard let found = try? ToolsFile(path) else { return false }
        return found.text != inForce.text
    }

    /// A file system that hangs, and a large catalog that is checked, must not hold up a thread that others need.
    private func aside<Value: Sendable>(
        _ body: @escaping @Sendable () throws(ToolPublishError) -> Value
    ) async throws(ToolPublishError) -> Value {
        let result = try? await NIOThreadPool.singleton.runIfActive { () -> Result<Value, ToolPublishError> in
            do throws(ToolPublishError) { return .success(try body()) } catch { return .failure(error) }
        }
        guard let result else { throw .shuttingDown }
        return try result.get()
    }

    /// The text of a version that once served.
    ///
    /// - Returns: nil for one that never served, or was not kept.
    func past(_ version: String) async throws(PolicyStoreError) -> String? {
        try await versions.files(of: PolicyVersionKind.toolsPrefix + version)
    }
}
