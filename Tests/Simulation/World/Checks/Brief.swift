import Accounting

extension CounterCommand {
    /// For a line of the trace.
    var brief: String {
        switch self {
        case .open(let open):
            "open \(open.lease.id) by \(open.holder.node)/\(open.holder.fence) fixed \(open.fixed.tokens) offers \(open.offers.map(\.tokens))"
        case .step(let step):
            "step \(step.lease.id)#\(step.sequence) spent \(step.spent.amounts.tokens) offers \(step.offers.map(\.tokens))"
        case .settle(let settle): "settle \(settle.lease.id)#\(settle.sequence) spent \(settle.spent.amounts.tokens)"
        case .reap: "reap"
        case .announce(let org, let window): "announce \(window.key.text) of \(org) generation \(window.generation)"
        case .load(let org, let window, let used, let released, _, _):
            "load \(window.key.text) of \(org) generation \(window.generation) used \(used) released \(released) cap \(window.cap)"
        case .setCap(_, let window, let cap, let version): "cap \(window.text) = \(cap) version \(version)"
        case .read(_, let windows): "read \(windows.count)"
        case .release(let org, let window, let released, let turn): "release \(window.text) of \(org) up to \(released) turn \(turn)"
        case .recall(let org, let window, let turn, let least): "recall \(window.text) of \(org) turn \(turn) least \(least)"
        case .ask(let org, let window, _): "ask \(window.text) of \(org)"
        case .asked(let org, let window, let dry, let shut):
            "asked \(window.text) of \(org)\(shut != nil ? ", shut" : dry != nil ? ", dry" : "")"
        case .begin(let org, let epoch): "begin \(org) epoch \(epoch.number) of \(epoch.incarnation)"
        case .assert(let claim): "assert \(claim.lease.id)#\(claim.sequence) held \(claim.held.tokens) spent \(claim.spent.amounts.tokens)"
        case .clear(let org, let epoch): "clear \(org) epoch \(epoch)"
        case .resolve(let lease, let evidence): "resolve \(lease.id) spent \(evidence.amounts.tokens)"
        }
    }
}

extension CounterReply {
    /// For a line of the trace.
    var brief: String {
        switch self {
        case .granted(let offer, let windows, _): "granted \(offer) \(Self.brief(windows))"
        case .denied(let window, _, _): "denied by \(Self.brief([window]))"
        case .committed(let windows, _): "committed \(Self.brief(windows))"
        case .settled(let overrun, let windows, _): "settled over \(overrun.tokens) \(Self.brief(windows))"
        case .windows(let windows, _): "windows \(Self.brief(windows))"
        case .missing(let keys, _): "missing \(keys.map(\.text))"
        case .wrongSpan: "wrong span"
        case .reaped(let leases, _): "reaped \(leases)"
        case .done: "done"
        default: "\(self)"
        }
    }

    /// A round of reaping that found nothing; there are very many of them.
    var isIdle: Bool { if case .reaped(leases: 0, _) = self { true } else { false } }

    private static func brief(_ windows: [WindowSnapshot]) -> String {
        windows.map { "\($0.key.text) \($0.used)+\($0.held)+\($0.suspense)/\($0.cap)" }.joined(separator: ", ")
    }

    /// For the digest of the trace.
    var digest: Int64 {
        switch self {
        case .granted(let offer, let windows, _): Self.mix(Int64(offer), windows)
        case .denied(let window, _, _): Self.mix(-2, [window])
        case .committed(let windows, _): Self.mix(-3, windows)
        case .settled(let overrun, let windows, _): Self.mix(overrun.tokens, windows)
        case .windows(let windows, _): Self.mix(-5, windows)
        case .missing(let keys, _): -6 - Int64(keys.count)
        case .reaped(let leases, _): Int64(leases)
        case .done: -111
        case .wrongSpan: -112
        case .staleFence: -113
        case .staleSequence: -114
        case .suspended: -115
        case .unknownLease: -116
        case .refused: -117
        case .lost: -118
        case .announced: -119
        }
    }

    private static func mix(_ start: Int64, _ windows: [WindowSnapshot]) -> Int64 {
        windows.reduce(start) { $0 &* 31 &+ $1.used &+ $1.held &* 7 &+ $1.suspense &* 13 }
    }
}
