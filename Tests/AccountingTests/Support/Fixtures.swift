import Accounting

/// Short ways to say what the tests need.
enum Make {
    static func path(org: OrgID = "acme", user: String? = "ann", key: String? = "k1") throws -> TenancyPath {
        try TenancyPath(org: org, project: "web", user: user, key: key)
    }

    static func attribution(org: OrgID = "acme", run: String = "r1") throws -> Attribution {
        Attribution(path: try path(org: org), run: run, model: "demo", priceVersion: "v1")
    }

    static func ref(
        _ scope: Scope = .org("acme"), _ unit: MeterUnit = .tokens, _ period: Period = .day, cap: Int64, at now: Milliseconds,
        version: Int64 = 1, generation: Int64 = 1
    ) throws -> WindowRef {
        try Budget(scope: scope, unit: unit, period: period, limit: cap, version: version, generation: generation).window(at: now)
    }

    static let holder = LeaseHolder(node: "n1", fence: 1)

    static func offers(_ sizes: [Int64], nanoEach: Int64 = 0) -> [Offer] {
        sizes.map { Offer(tokens: $0, amounts: Amounts(nanoUSD: $0 * nanoEach, tokens: $0, outputTokens: $0)) }
    }

    static func open(
        _ lease: String = "l1", org: CounterSlot = "acme", path: [WindowRef], fixed: Amounts = Amounts(requests: 1),
        offers sizes: [Int64] = [64, 32, 16, 8, 4, 2, 1], nanoEach: Int64 = 0, holder: LeaseHolder = Make.holder,
        shareFloor: Int64 = 32, continues: Bool = false, ttl: Milliseconds = Milliseconds(30_000)
    ) throws -> CounterCommand {
        .open(
            OpenLease(
                lease: LeaseKey(org: org, id: lease), holder: holder,
                attribution: try attribution(org: org.org, run: "run-\(lease)"),
                path: path, fixed: fixed, offers: offers(sizes, nanoEach: nanoEach), shareFloor: shareFloor,
                continues: continues, ttl: ttl))
    }

    static func step(
        _ sequence: Int64, of lease: String = "l1", org: CounterSlot = "acme", spent: Int64, nano: Int64 = 0,
        offers sizes: [Int64] = [64, 32, 16, 8, 4, 2, 1], nanoEach: Int64 = 0, holder: LeaseHolder = Make.holder, shareFloor: Int64 = 32,
        ttl: Milliseconds = Milliseconds(30_000)
    ) -> CounterCommand {
        .step(
            StepLease(
                lease: LeaseKey(org: org, id: lease), holder: holder, sequence: sequence, spent: Make.spent(spent, nano: nano),
                offers: offers(sizes, nanoEach: nanoEach), shareFloor: shareFloor, ttl: ttl))
    }

    static func settle(
        _ sequence: Int64, of lease: String = "l1", org: CounterSlot = "acme", spent: Int64, nano: Int64 = 0,
        holder: LeaseHolder = Make.holder
    ) -> CounterCommand {
        .settle(
            SettleLease(lease: LeaseKey(org: org, id: lease), holder: holder, sequence: sequence, spent: Make.spent(spent, nano: nano)))
    }

    static func spent(_ tokens: Int64, nano: Int64 = 0) -> Spent {
        Spent(nanoUSD: nano, usage: UsageClasses(outputVisible: tokens), requests: 1)
    }
}

extension CounterReply {
    var grantedOffer: Int? {
        guard case .granted(let offer, _, _) = self else { return nil }
        return offer
    }

    var snapshots: [WindowSnapshot] {
        switch self {
        case .granted(_, let windows, _), .denied(_, let windows, _), .committed(let windows, _), .settled(_, let windows, _),
            .windows(let windows, _):
            windows
        default: []
        }
    }
}
