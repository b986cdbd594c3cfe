internal import Engine
internal import Logging
internal import ServiceLifecycle
internal import Supervisor
internal import Synchronization
internal import Transport

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

/// Lets live runs finish before anything that they need is stopped, and meanwhile lets the clients go, one after the other.
///
/// The last service of the group, so the first to be told of a shutdown; the next one hears of it when this one returns.
struct RunDrain: Service {
    let coordinator: RunCoordinator
    /// Nil where there are no tools.
    let tools: ToolSupervisor?
    let readiness: Readiness
    let grace: Duration
    let sockets: SocketIOServer
    let drain: DrainPolicy
    let impatience: Impatience

    private enum Part { case runs, clients, hurry }

    func run() async throws {
        try? await gracefulShutdown()
        readiness.startDraining()
        sockets.refuseSessions()
        // What people were asked stays asked: the same call finds it after the restart.
        tools?.beginShutdown()
        await withTaskGroup(of: Part.self) { group in
            let hasRuns = Flag()
            group.addTask {
                await coordinator.drain(deadline: grace)
                hasRuns.lower()
                return .runs
            }
            group.addTask {
                // Who reads a run reads it to its end.
                await sockets.drain(drain) { hasRuns.isUp }
                return .clients
            }
            group.addTask {
                await impatience.wait()
                return .hurry
            }
            var rest: Set<Part> = [.runs, .clients]
            for await part in group {
                rest.remove(part)
                if part == .hurry, !rest.isEmpty { await coordinator.drain(deadline: .zero) }
                if part == .hurry || rest.isEmpty { group.cancelAll() }
            }
        }
        // What readers have taken is being written, and streams are cut by what stops next.
        try? await Task.sleep(for: .milliseconds(100))
    }
}

/// Up until it is lowered. Any thread.
private final class Flag: Sendable {
    private let value = Atomic<Bool>(true)

    var isUp: Bool { value.load(ordering: .relaxed) }
    func lower() { value.store(false, ordering: .relaxed) }
}
