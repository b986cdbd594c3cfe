import Glibc
import Synchronization

/// Threads of our own that do blocking work in the order in which it comes.
///
/// A lane of one thread is the parent of every sandbox: the kernel kills a child whose parent *thread* ends
/// (PR_SET_PDEATHSIG), so no pool that retires its threads may launch. Jobs are bounded by their callers, each of which waits.
final class Lane: Sendable {
    private struct State {
        var jobs: [@Sendable () -> Void] = []
        var isStopped = false
    }

    private final class Queue: Sendable {
        let state = Mutex(State())
        /// Counts jobs and stops. POSIX says that any thread may post and wait; it lives as long as the queue, which every
        /// thread that waits holds.
        nonisolated(unsafe) let count = UnsafeMutablePointer<sem_t>.allocate(capacity: 1)

        init() { sem_init(count, 0, 0) }
        deinit {
            sem_destroy(count)
            count.deallocate()
        }

        func work() {
            while true {
                while sem_wait(count) != 0 {}
                let (job, isStopped) = state.withLock { state in
                    (state.jobs.isEmpty ? nil : state.jobs.removeFirst(), state.isStopped)
                }
                if let job { job() } else if isStopped { return }
            }
        }
    }

    private let queue = Queue()
    private let threads: Int

    init(threads: Int) {
        self.threads = threads
        for _ in 0..<threads {
            let held = Unmanaged.passRetained(queue)
            var thread = pthread_t()
            let code = pthread_create(
                &thread, nil,
                { pointer in
                    guard let pointer else { return nil }
                    Unmanaged<Queue>.fromOpaque(pointer).takeRetainedValue().work()
                    return nil
                }, held.toOpaque())
            precondition(code == 0, "no thread for a lane")
            pthread_detach(thread)
        }
    }

    deinit { stop() }

    /// The threads end after the jobs that wait now; later ones are run by nobody and must not come.
    func stop() {
        let queue = queue
        queue.state.withLock { $0.isStopped = true }
        for _ in 0..<threads { sem_post(queue.count) }
    }

    /// Has a thread of the lane run the body some time; nothing happens after ``stop()``.
    func post(_ body: @escaping @Sendable () -> Void) {
        let isAccepted = queue.state.withLock { state in
            if !state.isStopped { state.jobs.append(body) }
            return !state.isStopped
        }
        if isAccepted { sem_post(queue.count) }
    }

    /// Runs the body on a thread of the lane.
    func run<T: Sendable>(_ body: @escaping @Sendable () -> T) async -> T {
        await withCheckedContinuation { continuation in
            let isAccepted = queue.state.withLock { state in
                guard !state.isStopped else { return false }
                state.jobs.append { continuation.resume(returning: body()) }
                return true
            }
            // A stopped lane has no thread left; what still comes is the last tidying, which may block its caller.
            if isAccepted { sem_post(queue.count) } else { continuation.resume(returning: body()) }
        }
    }
}
