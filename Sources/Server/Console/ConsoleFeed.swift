internal import Accounting
internal import JSON
internal import Supervisor
internal import Synchronization
internal import Transport

/// What consoles are told: decisions and approvals of their organisation, each as a snapshot and then as changes.
///
/// One task looks, once a second and only for organisations that somebody watches; what this process decides is told at once. The table is
/// in a `Mutex` held for a look-up. A row may be told twice: whoever shows it goes by its id.
final class ConsoleFeed: Sendable {
    private static let interval = Duration.seconds(1)
    /// Rows of a snapshot, and of one look.
    private static let rows = 100
    /// Organisations that are watched at once; operators who watch more see those beyond it only after a reload.
    private static let orgsMax = 1_000

    private struct Watch {
        var sockets = 0
        /// The last decision that was told; nil before the first look.
        var seq: Int64?
        /// The approvals that were pending when last looked at, by id.
        var pending: [String: Int64] = [:]
    }

    private let decisions: any DecisionStore
    private let desk: ApprovalDesk?
    private let watches = Mutex<[OrgID: Watch]>([:])
    private let namespace: Namespace

    init(_ namespace: Namespace, decisions: any DecisionStore, desk: ApprovalDesk?) {
        self.namespace = namespace
        self.decisions = decisions
        self.desk = desk
    }

    // MARK: Who watches

    /// - Returns: false when too many organisations are watched.
    func opened(_ org: OrgID) -> Bool {
        watches.withLock { watches in
            guard watches[org] != nil || watches.count < Self.orgsMax else { return false }
            watches[org, default: Watch()].sockets += 1
            return true
        }
    }

    func closed(_ org: OrgID) {
        watches.withLock { watches in
            guard let watch = watches[org] else { return }
            watches[org] = watch.sockets > 1 ? Watch(sockets: watch.sockets - 1, seq: watch.seq, pending: watch.pending) : nil
        }
    }

    func snapshot(_ org: OrgID, to socket: Socket) async {
        let reader = DecisionReader.org(OrgHandle(org: org))
        if let page = try? await decisions.decisions(for: reader, DecisionFilter(), before: nil, limit: Self.rows) {
            note(page.decisions.first?.seq ?? 0, of: org)
            socket.emit(.decisions, ["snapshot": true, "data": .array(page.decisions.map(\.json))])
        }
        if let page = await pending(org) {
            socket.emit(.approvals, ["snapshot": true, "data": .array(page.map { $0.json() })])
        }
    }

    /// A console that connects later must not take from others what they have not been told.
    private func note(_ seq: Int64, of org: OrgID) {
        watches.withLock { watches in
            guard watches[org]?.seq == nil else { return }
            watches[org]?.seq = seq
        }
    }

    private func pending(_ org: OrgID) async -> [Approval]? {
        await desk?.store.approvals(of: org, ApprovalFilter(state: .pending), before: nil, limit: Self.rows)
    }

    // MARK: What changes

    /// Of this process: at once.
    func changed(_ approval: Approval) {
        guard watches.withLock({ $0[approval.org] != nil }) else { return }
        tell(.approvals, [approval.json()], approval.org)
    }

    /// Until the task is cancelled.
    func run() async {
        while !Task.isCancelled {
            for org in watches.withLock({ Array($0.keys) }) {
                await lookAtDecisions(org)
                await lookAtApprovals(org)
            }
            try? await Task.sleep(for: Self.interval)
        }
    }

    private func lookAtDecisions(_ org: OrgID) async {
        guard let seq = watches.withLock({ $0[org]?.seq }),
            let page = try? await decisions.decisions(for: .org(OrgHandle(org: org)), DecisionFilter(), after: seq, limit: Self.rows),
            let last = page.decisions.last?.seq
        else { return }
        watches.withLock { $0[org]?.seq = last }
        tell(.decisions, page.decisions.map(\.json), org)
    }

    /// What other servers asked and decided.
    private func lookAtApprovals(_ org: OrgID) async {
        guard let page = await pending(org) else { return }
        let now = Dictionary(page.map { ($0.id, $0.version) }, uniquingKeysWith: { one, _ in one })
        guard
            let before = watches.withLock({ watches -> [String: Int64]? in
                defer { watches[org]?.pending = now }
                return watches[org]?.pending
            })
        else { return }
        var news = page.filter { before[$0.id] != $0.version }
        for id in before.keys where now[id] == nil {
            if case .found(let ended)? = await desk?.store.approval(id, of: org) { news.append(ended) }
        }
        if !news.isEmpty { tell(.approvals, news.map { $0.json() }, org) }
    }

    private func tell(_ event: ConsolePush, _ rows: [JSONValue], _ org: OrgID) {
        namespace.emit(event, ["data": .array(rows)], to: .one(org))
    }
}
