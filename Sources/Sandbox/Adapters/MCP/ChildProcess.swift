internal import CSpawn
internal import Glibc
internal import Synchronization

/// A child in a session and process group of its own, with exactly three descriptors and the given environment.
///
/// The thread that started it waits for it, so that the kernel's death signal, which follows that thread, can mean nothing but the end
/// of this process. What is left of the group is killed before the child's id can name another.
final class ChildProcess: Sendable {
    /// Our ends of its standard streams. Whoever gets them closes them.
    struct Pipes: Sendable {
        let input: Int32
        let output: Int32
        let error: Int32
    }

    struct SpawnError: Error, Sendable, Hashable {
        let errno: Int32
        var message: String { String(cString: strerror(errno)) }
    }

    private let pid: pid_t
    /// True once the child is about to be reaped: then its id names nobody of ours.
    private let isGone = Mutex(false)
    private let exit = Once<Int32>()

    private init(pid: pid_t) { self.pid = pid }

    /// - Parameters:
    ///   - arguments: the first is the program: a path, or a name that is looked for in the environment's `PATH`.
    ///   - environment: the whole of it. The directory is ours.
    /// - Throws: ``SpawnError``.
    static func start(arguments: [String], environment: [(String, String)]) async throws(SpawnError) -> (ChildProcess, Pipes) {
        let search = environment.first { $0.0 == "PATH" }?.1 ?? "/usr/local/bin:/usr/bin:/bin"
        guard let name = arguments.first, let path = find(name, in: search) else { throw SpawnError(errno: ENOENT) }
        let ends = try PipeEnds()
        let started = Once<Result<ChildProcess, SpawnError>>()
        let hasThread = DetachedThread.run {
            var pid: pid_t = 0
            let error = spawn(path, arguments, environment.map { "\($0.0)=\($0.1)" }, ends.theirs, &pid)
            for end in ends.theirs { close(end) }
            guard error == 0 else { return started.resume(.failure(SpawnError(errno: error))) }
            let child = ChildProcess(pid: pid)
            started.resume(.success(child))
            child.waitForEnd()
        }
        guard hasThread else {
            for end in ends.theirs + ends.ours { close(end) }
            throw SpawnError(errno: EAGAIN)
        }
        switch await started.value() {
        case .success(let child): return (child, Pipes(input: ends.ours[0], output: ends.ours[1], error: ends.ours[2]))
        case .failure(let error):
            for end in ends.ours { close(end) }
            throw error
        }
    }

    /// Sends `signal` to the whole group, if the child was not reaped yet.
    func signal(_ signal: Int32) {
        isGone.withLock { isGone in
            if !isGone { _ = Glibc.kill(-pid, signal) }
        }
    }

    /// Waits for its end: the status is as of `waitpid`. To be asked once.
    func status() async -> Int32 { await exit.value() }

    /// Blocks its thread.
    private func waitForEnd() {
        _ = cspawn_await(pid)
        isGone.withLock { isGone in
            _ = Glibc.kill(-pid, SIGKILL)
            isGone = true
        }
        var status: Int32 = 0
        _ = cspawn_reap(pid, &status)
        exit.resume(status)
    }

    private static func find(_ name: String, in search: String) -> String? {
        if name.contains("/") { return name }
        guard !name.isEmpty else { return nil }
        return search.split(separator: ":").map { "\($0)/\(name)" }.first { access($0, X_OK) == 0 }
    }

    private static func spawn(
        _ path: String, _ arguments: [String], _ environment: [String], _ descriptors: [Int32], _ pid: inout pid_t
    ) -> Int32 {
        var argv: [UnsafeMutablePointer<CChar>?] = arguments.map { strdup($0) } + [nil]
        var envp: [UnsafeMutablePointer<CChar>?] = environment.map { strdup($0) } + [nil]
        defer { for text in argv + envp { free(text) } }
        return path.withCString { path in
            ".".withCString { directory in
                argv.withUnsafeMutableBufferPointer { argv in
                    envp.withUnsafeMutableBufferPointer { envp in
                        descriptors.withUnsafeBufferPointer { descriptors in
                            var request = cspawn_request(
                                path: path, arguments: argv.baseAddress, environment: envp.baseAddress, directory: directory,
                                descriptors: descriptors.baseAddress, descriptor_count: descriptors.count, death_signal: SIGKILL)
                            return cspawn(&request, &pid)
                        }
                    }
                }
            }
        }
    }
}

/// Three pipes, closed on exec: the child's ends are its standard streams, in their order.
private struct PipeEnds: Sendable {
    let theirs: [Int32]
    let ours: [Int32]

    init() throws(ChildProcess.SpawnError) {
        var theirs: [Int32] = []
        var ours: [Int32] = []
        for stream in 0..<3 {
            var ends: [Int32] = [-1, -1]
            let error = cspawn_pipe(&ends)
            guard error == 0 else {
                for end in theirs + ours { close(end) }
                throw ChildProcess.SpawnError(errno: error)
            }
            // The child reads from its standard input and writes to the others.
            theirs.append(stream == 0 ? ends[0] : ends[1])
            ours.append(stream == 0 ? ends[1] : ends[0])
        }
        self.theirs = theirs
        self.ours = ours
    }
}

/// A thread for one blocking piece of work.
enum DetachedThread {
    private final class Work {
        let run: @Sendable () -> Void
        init(_ run: @escaping @Sendable () -> Void) { self.run = run }
    }

    /// - Returns: false when the system gives no thread.
    static func run(_ work: @escaping @Sendable () -> Void) -> Bool {
        var thread = pthread_t()
        let context = Unmanaged.passRetained(Work(work))
        let error = pthread_create(
            &thread, nil,
            { context in
                guard let context else { return nil }
                Unmanaged<Work>.fromOpaque(context).takeRetainedValue().run()
                return nil
            }, context.toOpaque())
        guard error == 0 else {
            context.release()
            return false
        }
        pthread_detach(thread)
        return true
    }
}
