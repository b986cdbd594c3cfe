internal import CSandboxFiles
internal import Glibc
internal import Synchronization

/// The one thread that reads and writes the descriptors of all sandboxes.
///
/// It decides nothing: bytes go to the sandbox's inbox, frames come as bytes. A slow reader of an inbox stops the reading of its
/// own descriptors only. Reads are plain `read(2)`, so descriptors that are passed over the channel are dropped by the kernel.
/// Stored state: commands in a mutex; the tables belong to the thread.
final class DescriptorLane: Sendable {
    typealias ID = UInt64

    enum Command: Sendable {
        case add(ID, LaunchedSandbox, SandboxInbox)
        case send(ID, [UInt8])
        case resume(ID)
        case wake(ID, at: ContinuousClock.Instant?, cpu: @Sendable () -> Int64?)
        case finish(ID)
        case stop
    }

    private final class Body: Sendable {
        let run: @Sendable () -> Void
        init(_ run: @escaping @Sendable () -> Void) { self.run = run }
    }

    private struct State {
        var commands: [Command] = []
        var lastID: ID = 0
    }

    private let state = Mutex(State())
    private let wakeup: Int32

    /// Fails when the process has no descriptor left; the text is for the operator.
    init() throws(SandboxRefusal) {
        let epoll = csandbox_epoll()
        wakeup = csandbox_wakeup()
        guard epoll >= 0, wakeup >= 0 else { throw .launch("no descriptor for the sandboxes' lane (errno \(errno))") }
        let loop = DescriptorLoop(epoll: epoll, wakeup: wakeup)
        let body = Unmanaged.passRetained(Body { [self] in while loop.turn(take()) {} })
        var thread = pthread_t()
        let status = pthread_create(
            &thread, nil,
            { pointer in
                guard let pointer else { return nil }
                Unmanaged<Body>.fromOpaque(pointer).takeRetainedValue().run()
                return nil
            }, body.toOpaque())
        guard status == 0 else {
            body.release()
            throw .launch("no thread for the sandboxes' descriptors (errno \(status))")
        }
        pthread_detach(thread)
    }

    /// Takes the sandbox's three descriptors over.
    func add(_ sandbox: LaunchedSandbox, _ inbox: SandboxInbox) -> ID {
        let id = state.withLock { state in
            state.lastID += 1
            state.commands.append(.add(state.lastID, sandbox, inbox))
            return state.lastID
        }
        signal()
        return id
    }

    func perform(_ command: Command) {
        state.withLock { $0.commands.append(command) }
        signal()
    }

    private func take() -> [Command] {
        state.withLock { state in
            defer { state.commands = [] }
            return state.commands
        }
    }

    private func signal() {
        var one: UInt64 = 1
        _ = write(wakeup, &one, 8)
    }
}
