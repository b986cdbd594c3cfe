internal import Logging
internal import NIOPosix
internal import Supervisor
internal import Synchronization

extension PolicyRoom {
    /// The policies made for another catalog: what decides from the moment in which that one is in force.
    struct Fitted: Sendable {
        let catalog: ToolCatalog
        let folder: PolicyFolder
        let bundle: PolicyBundle
        /// Nil where there is none, and where it does not fit: it only tries.
        let candidate: PolicyBundle?
        /// Whether the files are others than those in force.
        let isNewSet: Bool
    }

    /// Validates the policies in force against another catalog, and runs their tests with it. In a turn.
    ///
    /// - Parameter isFresh: whether what lies in the directory is taken instead: a catalog and the policies for it may change together.
    /// - Throws: ``PolicyLoadError`` with what does not fit.
    func fitting(_ catalog: ToolCatalog, isFresh: Bool = false) async throws(PolicyLoadError) -> Fitted {
        let inForce = standing.folder
        let (folder, bundle): (PolicyFolder, PolicyBundle)
        if isFresh {
            (folder, bundle) = try await Self.readAside(configuration.directory, catalog).get()
        } else {
            let result = try? await NIOThreadPool.singleton.runIfActive { () -> Result<PolicyBundle, PolicyLoadError> in
                do throws(PolicyLoadError) { return .success(try inForce.bundle(for: catalog)) } catch { return .failure(error) }
            }
            guard let result else { throw PolicyLoadError([PolicyFinding(.error, "file", message: "The server is shutting down.")]) }
            (folder, bundle) = (inForce, try result.get())
        }
        var candidate: PolicyBundle?
        if !configuration.candidate.isEmpty {
            switch await Self.readAside(configuration.candidate, catalog) {
            case .success((_, let bundle)): candidate = bundle
            case .failure(let error):
                logger.error(
                    "the candidate policies do not fit the tools; none is tried",
                    metadata: ["fault": "\(error.findings.first.map { "\($0)" } ?? "")"])
            }
        }
        return Fitted(
            catalog: catalog, folder: folder, bundle: bundle, candidate: candidate,
            isNewSet: folder.files != inForce.files || folder.testTexts != inForce.testTexts)
    }

    /// In the log before it is in force.
    func keep(_ fitted: Fitted) async -> Bool {
        let before = decider.current.version
        guard fitted.bundle.version != before else { return true }
        return await keep(fitted.bundle, fitted.folder, fitted.isNewSet ? .load : nil, before: before)
    }

    /// Under the lock of the catalog: it only swaps values.
    func take(_ fitted: Fitted) {
        decider.replace(with: fitted.bundle, candidate: fitted.candidate)
        state.withLock { state in
            state.catalog = fitted.catalog
            guard fitted.isNewSet else { return }
            state.folder = fitted.folder
            state.loadedAt = WallClock.now()
            state.failure = nil
        }
    }
}
