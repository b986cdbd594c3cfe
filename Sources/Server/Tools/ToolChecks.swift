internal import Logging
internal import Supervisor
internal import SupervisorAdapters

/// Looks after each change of the catalog whether its tools are there: MCP servers are started, and asked for the tool.
///
/// Safe to use from any task: a stream of one place wakes the one task that looks.
struct ToolChecks: Sendable {
    private let elsewhere: ToolAdapters
    private let catalogs: CatalogRoom
    private let logger: Logger
    private let wakes: AsyncStream<Void>
    private let wake: AsyncStream<Void>.Continuation

    init(_ elsewhere: ToolAdapters, _ catalogs: CatalogRoom, logger: Logger) {
        self.elsewhere = elsewhere
        self.catalogs = catalogs
        self.logger = logger
        // The newest catalog is looked at, however often it was changed meanwhile.
        (wakes, wake) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1))
        wake.yield()
    }

    /// The catalog has changed.
    func soon() { wake.yield() }

    /// Until the task is cancelled.
    ///
    /// - Parameter startingCode: starts what runs code, where it was not started yet.
    func run(startingCode: @escaping @Sendable () async -> Void) async {
        for await _ in wakes {
            async let started: Void = startingCode()
            let faults = await check(catalogs.catalog)
            catalogs.found(faults)
            await started
        }
    }

    private func check(_ catalog: ToolCatalog) async -> [String: String] {
        var faults: [String: String] = [:]
        for tool in catalog.tools {
            do throws(ToolFailure) { try await elsewhere.check(tool.adapter) } catch {
                faults[tool.name] = error.message
                logger.error("a tool cannot be called as it is defined", metadata: ["tool": "\(tool.name)", "fault": "\(error.message)"])
            }
        }
        return faults
    }
}
