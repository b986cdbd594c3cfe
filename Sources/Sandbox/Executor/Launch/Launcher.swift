import CLauncher
import Glibc
import Synchronization

/// Launches sandboxes, kills them, and clears away what is left: each is an interpreter in namespaces of its own, with a uid,
/// a cgroup and three mounts that only it has, and nothing of the host's environment, files, sockets or processes.
///
/// Any step of a launch that fails undoes it and refuses (``LaunchError``): there is no weaker second try. Without root there
/// is no private uid, no cap on the names in `/w`, and mostly no cgroup: the level is then `limited`, and it is refused
/// unless ``SandboxSettings/minimum`` allows that.
///
/// The process that has one becomes the parent of its descendants' orphans (see ``ProcessTable``).
/// Every function may be called from any task. State: a mutex over the sandboxes that are there; blocking calls run on threads
/// of the launcher's own. All sandboxes die with ``shutdown()``, and with this process.
package final class Launcher: Sendable {
    /// One sandbox that is there, as long as anything of it is.
    struct Record: Sendable {
        let directory: String
        let uid: UInt32?
        let leaf: CgroupLeaf?
        var pid: Int32 = -1
        var remains: SandboxRemains?
    }

    struct State {
        var numbers = 0
        /// Launches in flight count against `most` too.
        var launching = 0
        var isStopping = false
        var shape = SandboxShape.namespaces
        var records: [String: Record] = [:]
        var ground: Ground?
    }

    private static let launchers = Atomic<Int>(0)

    let settings: SandboxSettings
    let state = Mutex(State())
    let slots: UserSlots
    let watch = ProcessWatch()
    /// The parent of every sandbox: one thread that lives as long as the launcher.
    let spawner = Lane(threads: 1)
    /// Kill and clear away; a sandbox that will not die holds one of them for five seconds at most.
    let keepers = Lane(threads: 4)
    let owner = SandboxName.Owner.current()
    let launcher: Int
    private let files: [String: [UInt8]]

    /// - Parameters:
    ///   - bootstrap: the Python file that the interpreter starts with, as `/boot/bootstrap.py`.
    ///   - modules: further files of `/boot`, by name.
    package init(_ settings: SandboxSettings, bootstrap: [UInt8], modules: [String: [UInt8]] = [:]) throws(LaunchError) {
        for path in [settings.directory, settings.python, settings.bubblewrap, settings.slots] where !path.hasPrefix("/") {
            throw LaunchError(.directory, "\(path) is no absolute path")
        }
        guard settings.most > 0, settings.uidCount > 0, settings.uidBase >= 1_000, settings.uidBase <= UInt32(Int32.max) - settings.uidCount
        else {
            throw LaunchError(.slot, "no uid can be given away")
        }
        self.settings = settings
        files = modules.merging(["bootstrap.py": bootstrap]) { $1 }
        slots = UserSlots(directory: settings.slots, base: settings.uidBase, count: settings.uidCount)
        launcher = Self.launchers.add(1, ordering: .relaxed).newValue
        // Only with uids of their own are orphans known for a sandbox's; otherwise the machine's first process reaps them.
        if geteuid() == 0 { _ = claunch_adopt_orphans() }
        watch.start()
    }

    deinit {
        // Without shutdown() the sandboxes die here, with the thread that is their parent.
        watch.stop()
    }

    /// The folder of the boot files; no sandbox has number 0.
    var home: String { "\(settings.directory)/\(SandboxName(owner: owner, launcher: launcher, number: 0))" }

    /// Starts an interpreter that will wait for its first frame: about 10 ms until this returns, 50 ms until it can read.
    ///
    /// Success says that every step up to bubblewrap's start was taken; what bubblewrap and the interpreter then meet is seen on
    /// stderr and by ``exited(_:)``.
    package func launch() async throws(LaunchError) -> LaunchedSandbox {
        let number = state.withLock { state -> Result<Int, LaunchError> in
            if state.isStopping { return .failure(LaunchError(.stopping)) }
            guard state.records.count + state.launching < settings.most else {
                return .failure(LaunchError(.slot, "\(settings.most) sandboxes are there"))
            }
            state.launching += 1
            state.numbers += 1
            return .success(state.numbers)
        }
        let name = SandboxName(owner: owner, launcher: launcher, number: try number.get())
        let result = await spawner.run { () -> Result<LaunchedSandbox, LaunchError> in
            let result = Result<LaunchedSandbox, LaunchError> { () throws(LaunchError) in try self.launchNow(name) }
            self.state.withLock { $0.launching -= 1 }
            return result
        }
        return try result.get()
    }

    /// How sandboxes are made from now on. What the probes found decides, and never a launch that failed.
    package func use(_ shape: SandboxShape) { state.withLock { $0.shape = shape } }

    private func prepared() throws(LaunchError) -> Ground {
        let (known, shape) = state.withLock { ($0.ground, $0.shape) }
        if let known, known.shape == shape, known.isThere { return known }
        let ground = try Ground(settings, files: files, home: home, shape: shape)
        if ground.isPrivileged { try slots.prepare() }
        state.withLock { $0.ground = ground }
        return ground
    }

    /// On the spawner's thread.
    private func launchNow(_ name: SandboxName) throws(LaunchError) -> LaunchedSandbox {
        if state.withLock({ $0.isStopping }) { throw LaunchError(.stopping) }
        let ground = try prepared()
        try ground.check(settings.minimum)
        let uid = ground.isPrivileged ? try slots.take() : nil
        let id = name.description
        var record = Record(directory: "\(settings.directory)/\(id)", uid: uid, leaf: nil)
        do throws(LaunchError) {
            let leaf = try ground.cgroups.make(id, limits(ground.shape))
            record = Record(directory: record.directory, uid: uid, leaf: leaf)
            try makeFolders(record)
            let ends = try LaunchEnds()
            let spawned: claunch_result
            do throws(LaunchError) {
                spawned = try spawn(record, ground, ends)
            } catch {
                ends.closeAll()
                throw error
            }
            ends.closeInside()
            record.pid = spawned.pid
            watch.add(pid: spawned.pid, pidfd: spawned.pidfd)
            state.withLock { $0.records[id] = record }
            return LaunchedSandbox(
                id: id, pid: spawned.pid, uid: uid ?? geteuid(), work: "\(record.directory)/work", channel: ends.channel, stdout: ends.out,
                stderr: ends.err)
        } catch {
            // A cgroup is busy for some moments after its last process. What cannot be cleared keeps its uid.
            for _ in 0..<20 {
                if clear(record) { break }
                usleep(5_000)
            }
            throw error
        }
    }

    /// The host's side of `/w`, `/tmp` and `/dev/shm`: mounts of root with caps on bytes and names, or plain folders.
    private func makeFolders(_ record: Record) throws(LaunchError) {
        func make(_ path: String, _ mode: mode_t) throws(LaunchError) {
            guard mkdir(path, mode) == 0, chmod(path, mode) == 0 else { throw LaunchError(.directory, errno: errno, path) }
        }
        func mount(_ path: String, _ bytes: Int64, _ names: Int, _ owner: String) throws(LaunchError) {
            // The root of a file system is a name too.
            let code = claunch_mount(path, "size=\(bytes),nr_inodes=\(names + 1),\(owner)")
            guard code == 0 else { throw LaunchError(.mount, errno: code, path) }
        }
        try make(record.directory, 0o711)
        let work = "\(record.directory)/work", scratch = "\(record.directory)/scratch"
        try make(work, 0o700)
        guard let uid = record.uid else { return }
        try make(scratch, 0o711)
        try mount(work, settings.limits.workBytes, settings.limits.workNames, "mode=0700,uid=\(uid),gid=\(uid)")
        try mount(scratch, settings.temporaryBytes, settings.temporaryNames + 2, "mode=0711,uid=0,gid=0")
        for path in ["\(scratch)/tmp", "\(scratch)/shm"] {
            try make(path, 0o700)
            guard chown(path, uid, uid) == 0 else { throw LaunchError(.mount, errno: errno, path) }
        }
    }

    /// Without bubblewrap its processes are not to be had by others.
    private func limits(_ shape: SandboxShape) -> SandboxLimits {
        var limits = settings.limits
        if shape == .bare { limits.processes = max(1, limits.processes - LaunchLimits.launcherProcesses) }
        return limits
    }

    private func spawn(_ record: Record, _ ground: Ground, _ ends: LaunchEnds) throws(LaunchError) -> claunch_result {
        let options = BubblewrapOptions(
            closure: ground.closure, directory: record.directory, boot: ground.boot, hasMounts: record.uid != nil,
            hasLandlock: ground.landlock.isUsed, temporaryBytes: settings.temporaryBytes)
        var files = [options.bytes, SeccompFilter.program]
        if case .used(let program) = ground.landlock { files.append(program) }
        let descriptors = files.map { claunch_memory($0, $0.count) }
        let code = errno
        defer { for descriptor in descriptors where descriptor >= 0 { close(descriptor) } }
        guard descriptors.allSatisfy({ $0 >= 0 }) else { throw LaunchError(.descriptors, errno: code) }
        var joins: [Int32] = []
        defer { for descriptor in joins { close(descriptor) } }
        func join(_ path: String, _ flags: Int32) throws(LaunchError) -> Int32 {
            let descriptor = open(path, flags | O_CLOEXEC)
            guard descriptor >= 0 else { throw LaunchError(.cgroup, errno: errno, path) }
            joins.append(descriptor)
            return descriptor
        }
        let cgroups = try (record.leaf?.joins ?? []).map { path throws(LaunchError) in try join(path, O_WRONLY) }
        let birth = try record.leaf?.birthplace.map { place throws(LaunchError) in
            (directory: try join(place, O_RDONLY | O_DIRECTORY), processes: try join("\(place)/cgroup.procs", O_WRONLY))
        }
        let isBare = ground.shape == .bare
        let request = SpawnRequest(
            path: isBare ? BareCommand.program : settings.bubblewrap,
            arguments: isBare
                ? BareCommand(closure: ground.closure, boot: ground.boot, work: "\(record.directory)/work").arguments
                : [settings.bubblewrap, "--args", String(BubblewrapOptions.argumentsDescriptor), "--"] + options.command,
            descriptors: [ends.nothing, ends.outInside, ends.errInside, ends.channelInside] + descriptors, cgroups: cgroups,
            birth: birth,
            limits: LaunchLimits.rlimits(
                limits(ground.shape), hasCgroup: record.leaf != nil, others: record.uid == nil ? ProcessTable.threads(of: geteuid()) : 0),
            uid: record.uid)
        let spawned = try request.run()
        // The kernel's word that it is where it should be, before anything of it is used. One that has ended meanwhile is
        // nowhere, and its end is told as any other.
        if let leaf = record.leaf, !leaf.members.allSatisfy({ leaf.holds(spawned.pid, in: $0) }), !hasEnded(spawned.pidfd) {
            Glibc.kill(spawned.pid, SIGKILL)
            waitpid(spawned.pid, nil, 0)
            close(spawned.pidfd)
            throw LaunchError(.cgroup, "the process is not in its cgroup")
        }
        return spawned
    }

    /// The kernel takes a process out of its cgroup some moments before it says that it has ended.
    private func hasEnded(_ pidfd: Int32) -> Bool {
        var ready: UInt8 = 0
        return claunch_poll([pidfd], 1, &ready, 100) == 1
    }
}
