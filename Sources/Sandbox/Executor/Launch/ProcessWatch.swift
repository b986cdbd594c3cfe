import CLauncher
import Glibc
import Synchronization

/// Waits for the ends of sandboxes' outermost processes, on a thread of its own, and reaps them.
///
/// State: a mutex over the processes that were given to it; the thread wakes by a pipe when that set changes.
final class ProcessWatch: Sendable {
    typealias Status = SandboxRemains.Status

    private struct Entry {
        let pidfd: Int32
        /// Set once the process is reaped; its pid may then be another's.
        var status: Status?
        var isLost = false
        var waiting: [CheckedContinuation<Status?, Never>] = []
    }

    private struct State {
        var entries: [Int32: Entry] = [:]
        var isStopped = false
    }

    private let state = Mutex(State())
    private let wakeRead: Int32
    private let wakeWrite: Int32
    private let lane = Lane(threads: 1)

    init() {
        var ends: [Int32] = [-1, -1]
        precondition(pipe(&ends) == 0, "no pipe for the watch of sandboxes")
        for end in ends {
            _ = fcntl(end, F_SETFD, FD_CLOEXEC)
            _ = fcntl(end, F_SETFL, O_NONBLOCK)
        }
        (wakeRead, wakeWrite) = (ends[0], ends[1])
    }

    deinit {
        close(wakeRead)
        close(wakeWrite)
    }

    /// Starts the thread, which holds this object until ``stop()``.
    func start() {
        lane.post { self.work() }
    }

    /// Ends the thread. Who still waits gets nil.
    func stop() {
        let waiting = state.withLock { state in
            state.isStopped = true
            let waiting = state.entries.values.flatMap(\.waiting)
            for key in state.entries.keys { state.entries[key]?.waiting = [] }
            return waiting
        }
        for continuation in waiting { continuation.resume(returning: nil) }
        wake()
        lane.stop()
    }

    /// Takes a child and its descriptor.
    func add(pid: Int32, pidfd: Int32) {
        state.withLock { $0.entries[pid] = Entry(pidfd: pidfd) }
        wake()
    }

    /// Forgets a child that is reaped, or lost.
    func forget(_ pid: Int32) {
        let entry = state.withLock { $0.entries.removeValue(forKey: pid) }
        if let entry {
            close(entry.pidfd)
            for continuation in entry.waiting { continuation.resume(returning: entry.status) }
        }
        wake()
    }

    /// Nil while it runs, and for one that is unknown.
    func status(_ pid: Int32) -> Status? { state.withLock { $0.entries[pid]?.status } }

    func isOver(_ pid: Int32) -> Bool { state.withLock { $0.entries[pid].map { $0.status != nil || $0.isLost } ?? true } }

    /// Waits for the end; nil when it can never be known.
    func ended(_ pid: Int32) async -> Status? {
        await withCheckedContinuation { continuation in
            let answer = state.withLock { state -> Status?? in
                guard let entry = state.entries[pid], !state.isStopped else { return .some(nil) }
                if entry.status != nil || entry.isLost { return .some(entry.status) }
                state.entries[pid]?.waiting.append(continuation)
                return nil
            }
            if let answer { continuation.resume(returning: answer) }
        }
    }

    /// SIGKILL, as long as the pid is certainly the child's.
    func kill(_ pid: Int32) {
        state.withLock { state in
            guard let entry = state.entries[pid], entry.status == nil, !entry.isLost else { return }
            Glibc.kill(pid, SIGKILL)
        }
    }

    private func wake() {
        var byte: UInt8 = 0
        _ = write(wakeWrite, &byte, 1)
    }

    private func work() {
        var drained = [UInt8](repeating: 0, count: 64)
        while true {
            let (running, isStopped) = state.withLock { state in
                (state.entries.filter { $0.value.status == nil && !$0.value.isLost }.map { ($0.key, $0.value.pidfd) }, state.isStopped)
            }
            if isStopped { return }
            let descriptors = [wakeRead] + running.map(\.1)
            var ready = [UInt8](repeating: 0, count: descriptors.count)
            guard claunch_poll(descriptors, descriptors.count, &ready, -1) > 0 else { continue }
            while read(wakeRead, &drained, drained.count) > 0 {}
            for (index, child) in running.enumerated() where ready[index + 1] != 0 { reap(child.0) }
        }
    }

    private func reap(_ pid: Int32) {
        let waiting = state.withLock { state -> ([CheckedContinuation<Status?, Never>], Status?) in
            guard var entry = state.entries[pid] else { return ([], nil) }
            var code: Int32 = 0
            let found = waitpid(pid, &code, WNOHANG)
            if found == 0 || (found < 0 && errno == EINTR) { return ([], nil) }
            if found == pid {
                let signal = code & 0x7f
                entry.status = signal == 0 ? .exited((code >> 8) & 0xff) : .signalled(signal)
            } else {
                // Somebody else reaped it: a mistake of ours, but nothing to wait for.
                entry.isLost = true
            }
            let waiting = entry.waiting
            entry.waiting = []
            state.entries[pid] = entry
            return (waiting, entry.status)
        }
        for continuation in waiting.0 { continuation.resume(returning: waiting.1) }
    }
}
