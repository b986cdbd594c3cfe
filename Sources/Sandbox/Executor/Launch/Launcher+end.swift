import CLauncher
import Glibc
import Synchronization

/// The end of sandboxes.
extension Launcher {
    /// Of the wait for a killed sandbox's processes to be gone. Killing thousands takes under a second; beyond this the kernel
    /// itself holds one of them.
    static let killMax = Duration.seconds(5)

    /// Kills every process of it and waits until they are gone, five seconds at most. Closes and removes nothing; a second
    /// call returns what the first found.
    func kill(_ sandbox: LaunchedSandbox) async -> SandboxRemains {
        let unknown = SandboxRemains(status: nil, wasOutOfMemory: false, cpuNanoseconds: nil, memoryPeak: nil, isUndead: false)
        guard let record = state.withLock({ $0.records[sandbox.id] }) else { return unknown }
        if let remains = record.remains { return remains }
        let clock = ContinuousClock()
        let end = clock.now + Self.killMax
        var isGone = false
        var pause: UInt32 = 500
        repeat {
            let wait = pause
            isGone = await keepers.run { self.killOnce(record, wait: wait) }
            pause = min(pause * 2, 10_000)
        } while !isGone && clock.now < end
        let isUndead = !isGone
        let remains = await keepers.run {
            SandboxRemains(
                status: self.watch.status(record.pid), wasOutOfMemory: record.leaf?.wasOutOfMemory ?? false,
                cpuNanoseconds: record.leaf?.cpuNanoseconds, memoryPeak: record.leaf?.memoryPeak, isUndead: isUndead)
        }
        // An undead one may yet die: the next call looks again.
        if isGone { state.withLock { $0.records[sandbox.id]?.remains = remains } }
        return remains
    }

    /// Whether nothing is left of it after one more shot. The wait comes between shot and look.
    private func killOnce(_ record: Record, wait: UInt32) -> Bool {
        if let leaf = record.leaf {
            leaf.kill()
        } else {
            watch.kill(record.pid)
            // With its pid namespace everything in it dies; the uid is the second way to whatever might not.
            if let uid = record.uid, watch.isOver(record.pid) { _ = claunch_kill_user(uid) }
        }
        func isGone() -> Bool {
            // Before it is over, the outermost process is the watch's to reap.
            guard watch.isOver(record.pid) else { return false }
            guard record.leaf?.processes().isEmpty ?? true else { return false }
            guard let uid = record.uid else { return true }
            return ProcessTable.reapOrphans(of: uid) && !ProcessTable.hasProcess(of: uid)
        }
        if isGone() { return true }
        usleep(wait)
        return isGone()
    }

    /// Waits until the outermost process has ended by itself, or by ``kill(_:)``. Nil when its status cannot be known.
    ///
    /// Does not end early when its task is cancelled: who gives up waiting kills.
    func exited(_ sandbox: LaunchedSandbox) async -> SandboxRemains.Status? {
        guard let record = state.withLock({ $0.records[sandbox.id] }) else { return nil }
        if let remains = record.remains { return remains.status }
        return await watch.ended(record.pid)
    }

    /// CPU time of all its processes so far; nil without a cgroup. Reads one small file of the kernel, which does not wait.
    func cpuNanoseconds(_ sandbox: LaunchedSandbox) -> Int64? {
        guard let record = state.withLock({ $0.records[sandbox.id] }) else { return nil }
        return record.remains?.cpuNanoseconds ?? record.leaf?.cpuNanoseconds
    }

    /// Clears away mounts, folders and cgroups, and gives the uid back. Kills first if nobody has. Of an undead sandbox nothing
    /// is given back, so that no other ever gets its uid.
    func remove(_ sandbox: LaunchedSandbox) async {
        let remains = await kill(sandbox)
        guard !remains.isUndead, let record = state.withLock({ $0.records[sandbox.id] }) else { return }
        for _ in 0..<20 {
            // The kernel may hold a dead cgroup or mount for some milliseconds.
            if await keepers.run({ self.clear(record) }) { break }
            await keepers.run { _ = usleep(5_000) }
        }
        watch.forget(record.pid)
        state.withLock { $0.records[sandbox.id] = nil }
    }

    /// On a lane. Whether all is gone; only then the uid is free again.
    func clear(_ record: Record) -> Bool {
        let hasCgroup = record.leaf?.remove() != nil
        let hasFolder = Self.clear(folder: record.directory, hasMounts: record.uid != nil) != nil
        guard !hasCgroup, !hasFolder else { return false }
        if let uid = record.uid { slots.free(uid) }
        return true
    }

    static func clear(folder: String, hasMounts: Bool) -> Errno? {
        if hasMounts {
            for part in ["work", "scratch"] {
                let code = claunch_unmount("\(folder)/\(part)")
                // EINVAL is a folder that is no mount.
                if code != 0 && code != EINVAL && code != ENOENT { return Errno(code) }
            }
        }
        let code = claunch_remove_tree(folder)
        return code == 0 ? nil : Errno(code)
    }

    /// Kills and removes every sandbox, and launches no more.
    func shutdown() async {
        let (records, isFirst) = state.withLock { state in
            let isFirst = !state.isStopping
            state.isStopping = true
            return (state.records, isFirst)
        }
        // Launches in flight end before this does, as the spawner takes them in order.
        await spawner.run {}
        let late = state.withLock { $0.records }
        await withTaskGroup(of: Void.self) { group in
            for (id, record) in records.merging(late, uniquingKeysWith: { $1 }) {
                let sandbox = LaunchedSandbox(
                    id: id, pid: record.pid, uid: record.uid ?? 0, work: "", channel: -1, stdout: -1, stderr: -1)
                group.addTask { await self.remove(sandbox) }
            }
        }
        guard isFirst else { return }
        let home = home
        await keepers.run { _ = claunch_remove_tree(home) }
        watch.stop()
        spawner.stop()
        keepers.stop()
    }
}
