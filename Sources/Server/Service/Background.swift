internal import Engine
internal import Logging
internal import ServiceLifecycle
internal import Supervisor

/// A loop that lives as long as the server and ends by cancellation.
struct Background: Service {
    let loop: @Sendable () async -> Void

    init(_ loop: @escaping @Sendable () async -> Void) { self.loop = loop }

    func run() async throws {
        await cancelWhenGracefulShutdown {
            await loop()
            // A loop that has nothing to do must not take the server down by ending.
            try? await gracefulShutdown()
        }
    }
}

/// Lets live runs finish before anything that they need is stopped.
///
/// The last service of the group, so the first to be told of a shutdown; the next one hears of it when this one returns.
struct RunDrain: Service {
    let coordinator: RunCoordinator
    /// Nil where there are no tools.
    let tools: ToolSupervisor?
    let readiness: Readiness
    let grace: Duration

    func run() async throws {
        try? await gracefulShutdown()
        readiness.startDraining()
        // What people were asked stays asked: the same call finds it after the restart.
        tools?.beginShutdown()
        await coordinator.drain(deadline: grace)
        // What readers have taken is being written, and streams are cut by what stops next.
        try? await Task.sleep(for: .milliseconds(100))
    }
}
