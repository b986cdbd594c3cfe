internal import Synchronization

/// Tells a reader of a log to look again. One pending signal is enough; what follows it until the reader looks costs an atomic
/// exchange, where waking a task would cost more than all else that is done for a token.
public final class ReaderSignal: Sendable {
    private let isPending = Atomic<Bool>(false)
    private let wake: @Sendable () -> Void

    public init(wake: @escaping @Sendable () -> Void) { self.wake = wake }

    /// From any thread.
    public func ring() {
        if !isPending.exchange(true, ordering: .sequentiallyConsistent) { wake() }
    }

    /// The reader's, before it looks: what comes after the look is signalled anew.
    public func answer() { isPending.store(false, ordering: .sequentiallyConsistent) }
}
