internal import Accounting
internal import JSON
internal import Logging
internal import Supervisor

extension PolicyRoom {
    /// Checks a set, writes it into the log, then into the directory, and decides by it from then on.
    func publish(_ proposal: Proposal<PolicyDraft>) async throws(PublishError) -> Published<PolicyBundle> {
        try await publisher.inTurn { () async throws(PublishError) in try await publishInTurn(proposal) }
    }

    private func publishInTurn(_ proposal: Proposal<PolicyDraft>) async throws(PublishError) -> Published<PolicyBundle> {
        let (standing, before) = (standing, decider.current.version)
        let catalog = standing.catalog
        let texts = proposal.draft.texts(beside: standing.folder.testTexts)
        let (folder, bundle) = try await publisher.aside { [configuration, catalog] () throws(PublishError) in
            do throws(PolicyLoadError) {
                let folder = try PolicyFolder(configuration.directory, texts: texts)
                return (folder, try folder.bundle(for: catalog))
            } catch { throw .refused(error.findings) }
        }
        let isSame = bundle.version == before && folder.testTexts == standing.folder.testTexts
        // Whoever asks again because an answer was lost is told that it is done.
        if isSame { return Published(version: bundle.version, previous: before, isChange: false, content: bundle) }
        try proposal.check(inForce: before)
        let left = try await publisher.write(bundle.version, proposal.act) {
            await keep(bundle, folder, proposal.act, before: before, reason: proposal.reason)
        } prepare: { [configuration, catalog] () throws(PublicationFault) in
            try PolicyPublication.prepare(texts, in: configuration.directory) {
                Self.isUnseen(configuration.directory, standing.folder, catalog)
            }
        }
        if let left { logger.error("published policies are in force; a file is not written yet", metadata: ["fault": "\(left)"]) }
        take(bundle, folder, before: before)
        return Published(version: bundle.version, previous: before, isChange: true, content: bundle)
    }

    /// What somebody has just written into the directory is not lost. What cannot be in force anyway is overwritten.
    private static func isUnseen(_ directory: String, _ inForce: PolicyFolder, _ catalog: ToolCatalog) -> Bool {
        guard let found = try? PolicyFolder(directory), (try? found.bundle(for: catalog)) != nil else { return false }
        return found.files != inForce.files || found.testTexts != inForce.testTexts
    }

    /// A version that once served, with its tests as they were then.
    ///
    /// - Returns: nil for one that never served.
    func past(_ version: String) async throws(PolicyStoreError) -> PolicyDraft? {
        guard let text = try await publisher.past(version),
            let members = (try? JSONValue(parsing: Array(text.utf8)))?.objectValue?.members
        else { return nil }
        let files = members.map { PolicyFile(name: $0.key, text: $0.value.stringValue ?? "") }
        return PolicyDraft(
            policies: files.filter { !PolicyFolder.isTest($0.name) }, tests: files.filter { PolicyFolder.isTest($0.name) })
    }
}
