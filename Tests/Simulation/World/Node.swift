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
    /// What dead processes of this seat have left on their boards and nobody has settled yet, and what of it is out of reach.
    var left: [LeftBehind] = []
    var buried: [LeftBehind] = []

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
    private var storeWaits: Set<Int> = []
    /// Of the store's data, as this process knows it.
    private(set) var incarnation: String
    private(set) var board: SimulatedBoard?
    let holder: LeaseHolder
    private var lastWait = 0
    private var loopTask: Task<Void, Never>?
    private var made: Accountant?

    init(_ world: World, seat: Seat) {
        self.world = world
        self.seat = seat
        executor = NodeExecutor(world.loop)
        seat.starts += 1
        incarnation = world.store.incarnation
        holder = LeaseHolder(node: "n\(seat.index)", fence: seat.starts)
        let board = SimulatedBoard()
        self.board = board
        let prices = PriceTable(
            version: "v1",
            models: Dictionary(
                uniqueKeysWithValues: Plan.models.map {
                    ($0.name, ModelPricing(ModelPrice(inputFresh: PicoUSD($0.input), outputVisible: PicoUSD($0.output))))
                }))
        let accountant = Accountant(
            store: StoreLink(process: self), ledger: LedgerLink(process: self), directory: DirectoryView(process: self), prices: prices,
            holder: holder, clock: NodeClock(process: self), root: world.plan.isRooted ? RootLink(process: self) : nil, board: board,
            slots: world.plan.slots > 1 ? ["acme": world.plan.slots, "omni": world.plan.slots] : [:],
            leaseTTL: Milliseconds(world.plan.ttl), executor: executor,
            random: SeededGenerator(seed: world.loop.random.next(), stream: 3))
        made = accountant
        loopTask = spawn { await accountant.run() }
        succeed()
    }

    /// Nil once the process is gone for good.
    var accountant: Accountant? { made }

    @discardableResult
    func spawn(_ work: @escaping @Sendable () async -> Void) -> Task<Void, Never> {
        Task(executorPreference: executor) { await work() }
    }

    /// Suspends until the world calls `finish`, or the process dies.
    ///
    /// - Parameter isOfStore: it also ends when the connection to the store does.
    func wait<Value: Sendable>(orElse gone: Value, isOfStore: Bool = false, _ begin: (Wait<Value>) -> Void) async -> Value {
        await withCheckedContinuation { continuation in
            lastWait += 1
            let number = lastWait
            let wait = Wait(continuation) { [self] in
                waits[number] = nil
                storeWaits.remove(number)
            }
            if isDead { return world.loop.soon { wait.finish(gone) } }
            waits[number] = { wait.finish(gone) }
            if isOfStore { storeWaits.insert(number) }
            begin(wait)
        }
    }

    /// Connects to the store anew: what was asked on the old connection is not answered any more.
    func reconnect() {
        guard !isDead, incarnation != world.store.incarnation else { return }
        for number in storeWaits.sorted() { waits[number]?() }
        incarnation = world.store.incarnation
    }

    /// Settles what the dead processes of this seat have left, as the server does at its start.
    func succeed() {
        guard !seat.left.isEmpty, let accountant = made else { return }
        spawn { [self] in await succeed(accountant) }
    }

    private func succeed(_ accountant: Accountant) async {
        let clock = NodeClock(process: self)
        while !isDead, let left = seat.left.first {
            if await accountant.settle(left), !isDead {
                seat.left.removeAll { $0.holder == left.holder }
            } else {
                await clock.sleep(Milliseconds(300))
            }
        }
    }

    /// - Parameter keepsBoard: false when the machine's memory is gone with the process.
    func crash(keepsBoard: Bool = true) {
        isDead = true
        if let left = board?.close(holder) {
            if keepsBoard { seat.left.append(left) } else { seat.buried.append(left) }
        }
        board = nil
        executor.resume()
        loopTask?.cancel()
        for number in waits.keys.sorted() { waits[number]?() }
        waits = [:]
        // Accountant, links and process refer to each other.
        loopTask = nil
        made = nil
    }
}
