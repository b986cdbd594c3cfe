/// Runs the tasks of one process of a node on the world's loop (SE-0417). Confined to the loop's thread.
final class NodeExecutor: TaskExecutor, @unchecked Sendable {
    private let loop: SimulationLoop
    private var parked: [UnownedJob] = []
    /// A paused process does nothing while time goes on: a stopped virtual machine, a long collection of garbage.
    private(set) var isPaused = false

    init(_ loop: SimulationLoop) { self.loop = loop }

    func enqueue(_ job: consuming ExecutorJob) { loop.add(UnownedJob(job), of: self) }

    func run(_ job: UnownedJob) {
        if isPaused { parked.append(job) } else { job.runSynchronously(on: asUnownedTaskExecutor()) }
    }

    func pause() { isPaused = true }

    func resume() {
        isPaused = false
        for job in parked { loop.add(job, of: self) }
        parked = []
    }
}
