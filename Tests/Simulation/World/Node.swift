import Accounting

/// A place where one process after the other runs. Confined to the loop's thread.
final class Seat: @unchecked Sendable {
    let index: Int
    var offset: Int64
    let drift: Int64
    var process: NodeProcess?
    var starts: Int64 = 0
    var budgets: [Budget]
    var edition: Int64 = 1
    var directoryIsAway = false

    init(index: Int, offset: Int64, drift: Int64, budgets: [Budget]) {
        self.index = index
        self.offset = offset
        self.drift = drift
        self.budgets = budgets
    }
}

/// One process of a node with the real ``Accountant``. Confined to the loop's thread.
///
/// A crash does not stop its tasks, which nothing can do to a Swift task; it cuts them off: whatever they ask fails at once,
/// whatever they say is not heard, and so they come to their ends as ghosts.
final class NodeProcess: @unchecked Sendable {
    unowned let world: World
    let seat: Seat
    let executor: NodeExecutor
    private(set) var isDead = false
    private var waits: [Int: () -> Void] = [:]
    private var lastWait = 0
    private var loopTask: Task<Void, Never>?
    private var made: Accountant?

    init(_ world: World, seat: Seat) {
        self.world = world
        self.seat = seat
        executor = NodeExecutor(world.loop)
        seat.starts += 1
        let prices = PriceTable(
            version: "v1",
            models: Dictionary(
                uniqueKeysWithValues: Plan.models.map {
                    ($0.name, ModelPricing(ModelPrice(inputFresh: PicoUSD($0.input), outputVisible: PicoUSD($0.output))))
                }))
        let accountant = Accountant(
            store: StoreLink(process: self), ledger: LedgerLink(process: self), directory: DirectoryView(process: self), prices: prices,
            holder: LeaseHolder(node: "n\(seat.index)", fence: seat.starts), clock: NodeClock(process: self),
            leaseTTL: Milliseconds(world.plan.ttl), executor: executor,
            random: SeededGenerator(seed: world.loop.random.next(), stream: 3))
        made = accountant
        loopTask = spawn { await accountant.run() }
    }

    /// Nil once the process is gone for good.
    var accountant: Accountant? { made }

    @discardableResult
    func spawn(_ work: @escaping @Sendable () async -> Void) -> Task<Void, Never> {
        Task(executorPreference: executor) { await work() }
    }

    /// Suspends until the world calls `finish`, or the process dies.
    func wait<Value: Sendable>(orElse gone: Value, _ begin: (Wait<Value>) -> Void) async -> Value {
        await withCheckedContinuation { continuation in
            lastWait += 1
            let number = lastWait
            let wait = Wait(continuation) { [self] in waits[number] = nil }
            if isDead { return world.loop.soon { wait.finish(gone) } }
            waits[number] = { wait.finish(gone) }
            begin(wait)
        }
    }

    func crash() {
        isDead = true
        executor.resume()
        loopTask?.cancel()
        for number in waits.keys.sorted() { waits[number]?() }
        waits = [:]
        // Accountant, links and process refer to each other.
        loopTask = nil
        made = nil
    }
}
