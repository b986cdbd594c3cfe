internal import Accounting
internal import RedisClient

/// How a counter command is written as the arguments of its function (`Functions/functions.lua` reads them in this order).
extension RedisCommand {
    /// Appends what follows the keys. `path` is what the keys say, in their order.
    mutating func appendArguments(of command: CounterCommand, path: [WindowKey]) throws(CounterStoreError) {
        switch command {
        case .open(let open): try append(open, path: path)
        case .step(let step):
            try append(step.holder)
            try append(exact: step.sequence)
            try append(exact: step.ttl.rawValue)
            try append(exact: step.shareFloor)
            append(step.spent)
            append(step.offers)
        case .settle(let settle):
            try append(settle.holder)
            try append(exact: settle.sequence)
            append(settle.spent)
        case .resolve(_, let evidence): append(evidence)
        case .announce(_, let window):
            try append(exact: window.generation)
            try append(exact: window.start.rawValue)
            try append(exact: window.end.rawValue)
            append(window.key.place)
        case .load(_, let window, let used, let released, let turn, let mark):
            try append(window)
            try append(exact: used)
            append(released)
            try append(exact: turn)
            append(window.key.place)
            append(mark.map { String($0) } ?? "")
        case .release(_, _, let released, let turn):
            append(released)
            try append(exact: turn)
        case .recall(_, _, let turn, let least):
            try append(exact: turn)
            try append(exact: least)
        case .ask(_, _, let span): try append(exact: span.rawValue)
        case .asked(_, _, let dry, let shut):
            for span in [dry, shut] { append(span.map { String($0.rawValue) } ?? "") }
        case .begin(_, let epoch):
            try append(exact: epoch.number)
            append(epoch.incarnation)
        case .clear(_, let number): try append(exact: number)
        case .assert(let claim): try append(claim)
        case .setCap(_, _, let cap, let version):
            append(cap)
            try append(exact: version)
        case .reap(_, let grace): try append(exact: grace.rawValue)
        case .read: break
        }
    }

    private mutating func append(_ open: OpenLease, path: [WindowKey]) throws(CounterStoreError) {
        try append(open.holder, open.attribution, of: open.lease)
        try append(exact: open.ttl.rawValue)
        try append(exact: open.shareFloor)
        append(open.continues ? "1" : "0")
        try append(exact: open.known)
        append(open.fixed)
        append(open.offers)
        let refs = open.path.map(\.key) == path ? open.path : path.map(Self.ended)
        for ref in refs { try append(ref) }
    }

    private mutating func append(_ claim: AssertLease) throws(CounterStoreError) {
        try append(claim.holder, claim.attribution, of: claim.lease)
        try append(exact: claim.ttl.rawValue)
        append(claim.held)
        append(claim.spent)
        try append(exact: claim.sequence)
        try append(exact: (claim.path.map(\.end).min() ?? WindowSpan.never).rawValue)
        try append(exact: claim.path.map(\.version).max() ?? 0)
    }

    private mutating func append(
        _ holder: LeaseHolder, _ attribution: Attribution, of lease: LeaseKey
    ) throws(CounterStoreError) {
        guard attribution.path.org == lease.org.org else { throw .failed("a lease and its attribution name different orgs") }
        try append(holder)
        append(attribution.path.project)
        append(attribution.path.user ?? "")
        append(attribution.path.key ?? "")
        append(attribution.run)
        append(attribution.model)
        append(attribution.priceVersion)
    }

    /// Stands for a window of a lease that was opened before, under other windows than this repeat names: its numbers are not looked
    /// at, and if the lease is gone by then nothing is granted in a window that has ended.
    private static func ended(_ key: WindowKey) -> WindowRef {
        WindowRef(key: key, cap: 0, version: 0, generation: 0, start: Milliseconds(0), end: Milliseconds(0))
    }

    private mutating func append(_ ref: WindowRef) throws(CounterStoreError) {
        append(ref.cap)
        try append(exact: ref.version)
        try append(exact: ref.generation)
        try append(exact: ref.start.rawValue)
        try append(exact: ref.end.rawValue)
    }

    private mutating func append(_ holder: LeaseHolder) throws(CounterStoreError) {
        append(holder.node)
        try append(exact: holder.fence)
    }

    /// One argument: most components of most amounts are zero.
    private mutating func append(_ amounts: Amounts) { append(amounts.text) }

    private mutating func append(_ spent: Spent) {
        append(spent.nanoUSD)
        append(spent.usage.inputFresh)
        append(spent.usage.inputCacheRead)
        append(spent.usage.inputCacheWrite)
        append(spent.usage.outputVisible)
        append(spent.usage.outputReasoning)
        append(spent.requests)
        append(spent.calls)
        append(spent.estimated ? "1" : "0")
    }

    private mutating func append(_ offers: [Offer]) {
        append(Int64(offers.count))
        for offer in offers {
            append(offer.tokens)
            append(offer.amounts)
        }
    }

    /// A number that the function compares: it must survive Lua's doubles. Amounts need no check, the function refuses large ones.
    private mutating func append(exact number: Int64) throws(CounterStoreError) {
        guard number.magnitude <= UInt64(CounterLimits.exactInteger) else { throw .failed("a number is above 2^53") }
        append(number)
    }
}

extension WindowKey {
    /// Whom it counts, as `Functions/late.lua` derives it from a lease.
    fileprivate var place: String {
        let scope =
            switch scope {
            case .org: "o"
            case .project(_, let project): "p/\(project)"
            case .user(_, let project, let user): "u/\(project)/\(user)"
            case .key(let key): "k/\(key)"
            }
        return model.map { "\(scope)//\($0)" } ?? scope
    }
}
