internal import Supervisor
internal import Synchronization

/// Who in this process wants to hear of approvals besides the log. A `Mutex` held for a copy; filled while the server is put together.
final class ApprovalListeners: Sendable {
    private let listeners = Mutex<[@Sendable (Approval) -> Void]>([])

    func add(_ listener: @escaping @Sendable (Approval) -> Void) { listeners.withLock { $0.append(listener) } }

    func tell(_ approval: Approval) {
        for listener in listeners.withLock({ $0 }) { listener(approval) }
    }
}
