internal import Accounting
internal import Foundation
internal import JSON
internal import Supervisor

extension CatalogRoom {
    /// What is to be in force: the whole file, or some tools of it.
    enum Draft: Sendable {
        case text(String)
        case edits([ToolEdit])
    }

    /// A draft that could be in force.
    struct Checked: Sendable {
        let file: ToolsFile
        let changes: ToolChanges
        let fitted: PolicyRoom.Fitted?
    }

    /// Checks a catalog, writes it into the log, then into the file, and works by it from then on.
    func publish(_ proposal: Proposal<Draft>, _ put: Put) async throws(PublishError) -> Published<ToolChanges> {
        try await publisher.inTurn { () async throws(PublishError) in try await publishInTurn(proposal, put) }
    }

    private func publishInTurn(_ proposal: Proposal<Draft>, _ put: Put) async throws(PublishError) -> Published<ToolChanges> {
        let inForce = standing.file
        // Tools are changed in what their author has seen; of a whole text that is in force already this does not matter.
        if case .edits = proposal.draft { try proposal.check(inForce: inForce.version) }
        let checked = try await check(proposal.draft, against: inForce)
        let version = checked.file.version
        // Whoever asks again because an answer was lost is told that it is done.
        let isChange = version != inForce.version
        if isChange {
            try proposal.check(inForce: inForce.version)
            try await publisher.write(version, proposal.act) {
                await keep(checked.file, proposal.act, before: inForce, checked.fitted, reason: proposal.reason)
            } prepare: { [configuration] () throws(PublicationFault) in
                try CatalogPublication.prepare(checked.file.text, in: configuration.file) { Self.isUnseen(configuration.file, inForce) }
            }
            take(checked.file, checked.fitted, put)
        }
        return Published(version: version, previous: inForce.version, isChange: isChange, content: checked.changes)
    }

    /// Everything that is to be said against a draft.
    ///
    /// - Throws: ``PublishError/refused(_:)`` with findings: it does not load, may not be published from here, or breaks policies.
    func check(_ draft: Draft, against inForce: ToolsFile) async throws(PublishError) -> Checked {
        let (file, changes) = try await publisher.aside { [self] () throws(PublishError) in try read(draft, beside: inForce) }
        var fitted: PolicyRoom.Fitted?
        if let policies {
            do throws(PolicyLoadError) { fitted = try await policies.fitting(file.catalog) } catch { throw .refused(error.findings) }
        }
        return Checked(file: file, changes: changes, fitted: fitted)
    }

    /// - Throws: ``PublishError/refused(_:)``.
    private func read(_ draft: Draft, beside inForce: ToolsFile) throws(PublishError) -> (ToolsFile, ToolChanges) {
        func refusal(_ failure: StrictYAML.Failure) -> PublishError {
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
}
