internal import Accounting
internal import Engine
internal import JSON
internal import Logging
internal import Synchronization
internal import Telemetry

/// Keeps looking at the live runs of this server, and tells the others of them.
///
/// Two loops: one looks, and never waits for a store; one writes the report. Safe to use from any task.
final class LiveServer: Sendable {
    static let version = "0.1.0"

    let board: LiveBoard
    let fleet: Fleet
    let health: ServerHealth
    let coordinator: RunCoordinator
    private let store: any NodeReports
    private let readiness: Readiness
    private let sockets: Metric
    private let logger: Logger
    private let address: Mutex<String>
    private let startedAt = WallClock.now().rawValue

    init(
        board: LiveBoard, store: any NodeReports, health: ServerHealth, coordinator: RunCoordinator, readiness: Readiness,
        address: String, registry: MetricRegistry, logger: Logger
    ) {
        self.board = board
        self.store = store
        fleet = Fleet(store)
        self.health = health
        self.coordinator = coordinator
        self.readiness = readiness
        self.logger = logger
        self.address = Mutex(address)
        sockets = registry.gauge("kdcube_sockets", "Sockets that have joined a namespace.")
    }

    func listens(at address: String) { self.address.withLock { $0 = address } }

    /// This server's word as of the last look.
    var report: ServerReport {
        var report = ServerReport(node: board.node, at: WallClock.now().rawValue)
        report.version = Self.version
        report.startedAt = startedAt
        report.address = address.withLock { $0 }
        report.isDraining = readiness.isDraining
        report.sockets = sockets.value
        report.problems = health.problems
        board.fill(&report)
        return report
    }

    /// What all servers do now.
    func view() async -> FleetView {
        await look()
        return await fleet.view(with: report)
    }

    /// Looks at the live runs, and at what spends of their windows elsewhere.
    func look() async {
        let others = await fleet.latest(with: nil).reports.filter { $0.node != board.node }
        board.look(at: coordinator, elsewhere: others.flatMap(\.streams))
    }

    /// Takes no more runs; those that live go on, and `/readyz` says so.
    func drain() {
        guard !readiness.isDraining else { return }
        logger.notice("this server takes no more runs, by order")
        readiness.startDraining()
        coordinator.refuse()
    }

    // MARK: The report

    /// Once a second while something lives or changes, else every five; until the task is cancelled.
    func writeReports() async {
        var (last, lastAt): (ServerReport?, Int64) = (nil, 0)
        var (rounds, isFailing) = (0, false)
        while !Task.isCancelled {
            // Also when nobody else looks.
            await look()
            let report = report
            if report.runs > 0 || report.at - lastAt >= LiveLimits.idleInterval || last.map({ !$0.says(report) }) ?? true {
                do {
                    if try await store.put(NodeReport(report)) { drain() }
                    (last, lastAt) = (report, report.at)
                    if isFailing { logger.notice("other servers are told again of what runs here") }
                    isFailing = false
                } catch {
                    // A store that is away says so once, and not each second.
                    if !isFailing { logger.warning("other servers are not told of what runs here", metadata: ["fault": "\(error)"]) }
                    isFailing = true
                }
            }
            if rounds % 300 == 0 { _ = try? await store.forget(before: WallClock.now() - NodeLimits.retention) }
            rounds += 1
            try? await Task.sleep(for: .seconds(1))
        }
    }

    /// The last word: nothing runs here any more, and nobody waits fifteen seconds to see it.
    func leave() async {
        board.look(at: coordinator)
        var report = report
        report.isGone = true
        report.streams = []
        if let row = try? NodeReport(report) { _ = try? await store.put(row) }
    }
}

extension ServerReport {
    /// Whether another report says the same, but for when.
    func says(_ other: ServerReport) -> Bool {
        var other = other
        other.at = at
        return self == other
    }
}

extension NodeReport {
    /// One that is too long is sent without its rows: the totals are right, and the rows come back with fewer runs.
    init(_ report: ServerReport) throws(NodeReportError) {
        let text = report.json.jsonText
        guard text.utf8.count > NodeLimits.reportBytes else {
            try self.init(node: report.node, at: Milliseconds(report.at), report: text)
            return
        }
        var short = report
        short.streams = []
        try self.init(node: report.node, at: Milliseconds(report.at), report: short.json.jsonText)
    }
}
