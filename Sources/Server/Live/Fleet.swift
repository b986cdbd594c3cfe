internal import Accounting

/// What the servers of the store do, as far as this one can see.
///
/// An actor: whoever asks within half a second of somebody else gets the same answer, and one question is on its way at a time.
actor Fleet {
    private static let age = Duration.milliseconds(400)
    /// Of servers that have ended: what they counted in the last hour changes no more.
    private static let pastAge = Duration.seconds(30)

    private let store: any NodeReports
    private var others: (at: ContinuousClock.Instant, reports: [ServerReport], isWhole: Bool)?
    private var past: (at: ContinuousClock.Instant, minutes: [String: MinuteBook])?
    private var asking: Task<Void, Never>?

    init(_ store: any NodeReports) { self.store = store }

    /// - Parameter own: this server's newest word, which need not be in the store yet; nil for a command beside servers.
    func view(with own: ServerReport?) async -> FleetView {
        if isOld { await refresh().value }
        return seen(with: own)
    }

    /// Like ``view(with:)``, but never waits for the store: what it says is in a later answer.
    func latest(with own: ServerReport?) -> FleetView {
        if isOld { _ = refresh() }
        return seen(with: own)
    }

    private var isOld: Bool { others.map { ContinuousClock.now - $0.at > Self.age } ?? true }

    private func seen(with own: ServerReport?) -> FleetView {
        let oldest = WallClock.now() - NodeLimits.sight
        let living = (others?.reports ?? []).filter { $0.node != own?.node && !$0.isGone && $0.at >= oldest.rawValue }
        let reports = (own.map { [$0] } ?? []) + living
        var minutes = MinuteBook()
        for report in reports { minutes.merge(report.minutes) }
        let here = Set(reports.map(\.node))
        for (node, book) in past?.minutes ?? [:] where !here.contains(node) { minutes.merge(book) }
        return FleetView(reports: reports, minutes: minutes, isWhole: others?.isWhole ?? true)
    }

    private func refresh() -> Task<Void, Never> {
        if let asking { return asking }
        // Not structured: several callers wait for it, and one that is cancelled must not take it from the others.
        let task = Task { await self.ask() }
        asking = task
        return task
    }

    private func ask() async {
        defer { asking = nil }
        let now = WallClock.now()
        do {
            let reports = try await store.reports(since: now - NodeLimits.sight).compactMap(ServerReport.init)
            others = (.now, reports, true)
            if past.map({ ContinuousClock.now - $0.at > Self.pastAge }) ?? true {
                let all = try await store.reports(since: now - NodeLimits.retention).compactMap(ServerReport.init)
                past = (.now, Dictionary(all.map { ($0.node, $0.minutes) }, uniquingKeysWith: { $1 }))
            }
        } catch {
            // What was seen last is old: it is not shown as if it were so still.
            others = (.now, [], false)
        }
    }
}
