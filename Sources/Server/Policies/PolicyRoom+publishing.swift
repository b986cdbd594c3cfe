internal import Accounting
internal import JSON
internal import Logging
internal import NIOPosix
internal import Supervisor

/// Why a set was not published; the one in force stays.
enum PolicyPublishError: Error, Sendable {
    /// Another version is in force than the one that was changed.
    case conflict(inForce: String)
    case refused(PolicyLoadError)
    case directory(PolicyDirectoryError)
    /// The change cannot be written into the decision log, or the version cannot be kept.
    case notLogged
    case shuttingDown
}

extension PolicyRoom {
    /// What came of it.
    struct Published: Sendable {
        let bundle: PolicyBundle
        let previous: String
        /// False where all files are as they were.
        let isChange: Bool
    }

    /// Which set is to be published.
    struct Proposal: Sendable {
        let draft: PolicyDraft
        /// The version that the author has seen; nil publishes whatever is in force.
        let base: String?
        let reason: String
        /// How the decision log names it: `policies.publish`, `policies.rollback`.
        let action: String
        /// False replaces all tests by the draft's.
        var keepsTests = true
    }

    /// Checks a set, writes it into the log, then into the directory, and decides by it from then on.
    func publish(_ proposal: Proposal) async throws(PolicyPublishError) -> Published {
        await turns.take()
        let result = await attempt(proposal)
        await turns.give()
        return try result.get()
    }

    private func attempt(_ proposal: Proposal) async -> Result<Published, PolicyPublishError> {
        do throws(PolicyPublishError) { return .success(try await publishInTurn(proposal)) } catch { return .failure(error) }
    }

    private func publishInTurn(_ proposal: Proposal) async throws(PolicyPublishError) -> Published {
        let (standing, before) = (standing, decider.current.version)
        let catalog = standing.catalog
        let texts = proposal.draft.texts(beside: proposal.keepsTests ? standing.folder.testTexts : [])
        let (folder, bundle) = try await aside { [configuration, catalog] () throws(PolicyPublishError) in
            do throws(PolicyLoadError) {
                let folder = try PolicyFolder(configuration.directory, texts: texts)
                return (folder, try folder.bundle(for: catalog))
            } catch { throw .refused(error) }
        }
        let isSame = bundle.version == before && folder.testTexts == standing.folder.testTexts
        // Whoever asks again because an answer was lost is told that it is done.
        if isSame { return Published(bundle: bundle, previous: before, isChange: false) }
        if let base = proposal.base, base != before { throw .conflict(inForce: before) }
        let publication = try await aside { [configuration, catalog] () throws(PolicyPublishError) in
            do throws(PolicyDirectoryError) {
                return try PolicyPublication.prepare(texts, in: configuration.directory) {
                    Self.isUnseen(configuration.directory, standing.folder, catalog)
                }
            } catch { throw .directory(error) }
        }
        guard await keep(bundle, folder, proposal.action, before: before, reason: proposal.reason) else {
            try? await aside { publication.abandon() }
            throw .notLogged
        }
        let left: PolicyDirectoryError?
        do throws(PolicyPublishError) {
            left = try await aside { () throws(PolicyPublishError) in
                do throws(PolicyDirectoryError) { return try publication.commit() } catch { throw .directory(error) }
            }
        } catch {
            // The log says that it would be; now it says that it was not.
            await keepFailure(proposal.action, version: bundle.version)
            throw error
        }
        if let left { logger.error("published policies are in force; a file is not written yet", metadata: ["fault": "\(left)"]) }
        take(bundle, folder, before: before)
        return Published(bundle: bundle, previous: before, isChange: true)
    }

    /// What somebody has just written into the directory is not lost. What cannot be in force anyway is overwritten.
    private static func isUnseen(_ directory: String, _ inForce: PolicyFolder, _ catalog: ToolCatalog) -> Bool {
        guard let found = try? PolicyFolder(directory), (try? found.bundle(for: catalog)) != nil else { return false }
        return found.files != inForce.files || found.testTexts != inForce.testTexts
    }

    /// A file system that hangs, and a large set that is checked, must not hold up a thread that others need.
    private func aside<Value: Sendable>(
        _ body: @escaping @Sendable () throws(PolicyPublishError) -> Value
    ) async throws(PolicyPublishError) -> Value {
        let result = try? await NIOThreadPool.singleton.runIfActive { () -> Result<Value, PolicyPublishError> in
            do throws(PolicyPublishError) { return .success(try body()) } catch { return .failure(error) }
        }
        guard let result else { throw .shuttingDown }
        return try result.get()
    }

    /// A version that once served, with its tests as they were then.
    ///
    /// - Returns: nil for one that never served.
    func past(_ version: String) async throws(PolicyStoreError) -> (files: [PolicyFile], tests: [PolicyFile])? {
        guard let text = try await versions.files(of: version),
            let members = (try? JSONValue(parsing: Array(text.utf8)))?.objectValue?.members
        else { return nil }
        let files = members.map { PolicyFile(name: $0.key, text: $0.value.stringValue ?? "") }
        return (files.filter { !PolicyFolder.isTest($0.name) }, files.filter { PolicyFolder.isTest($0.name) })
    }
}

/// Changes of the policies, one after another: they come from the directory and from administrators.
///
/// An actor; those who wait are tasks of requests, which the front bounds.
actor PolicyTurns {
    private var isTaken = false
    private var waiting: [CheckedContinuation<Void, Never>] = []

    func take() async {
        guard isTaken else {
            isTaken = true
            return
        }
        await withCheckedContinuation { waiting.append($0) }
    }

    func give() {
        guard !waiting.isEmpty else {
            isTaken = false
            return
        }
        waiting.removeFirst().resume()
    }
}
