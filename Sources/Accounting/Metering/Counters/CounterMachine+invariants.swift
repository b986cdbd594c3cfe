extension CounterMachine {
    /// A broken invariant: always a defect of ours.
    public struct Violation: Error, Sendable, Hashable {
        public enum Rule: String, Sendable {
            /// I2 of metering.md §4.3: used + held + suspense is within the cap, but for recorded overruns.
            case i2WithinCap
            /// I3: `held` is the sum over the live leases of the path.
            case i3Held
            /// I3 for leases in suspense.
            case i3Suspense
            case liveLeases
            case negative
        }

        public let rule: Rule
        public let window: WindowKey
    }

    /// Checks I2 and I3 for every window; O(windows + leases × path).
    public func checkInvariants() throws(Violation) {
        var held: [WindowKey: Int64] = [:]
        var suspense: [WindowKey: Int64] = [:]
        var live: [WindowKey: Int64] = [:]
        for lease in leases.values where lease.phase != .settled {
            for key in lease.path {
                if lease.phase == .live {
                    held[key, default: 0] += lease.held[key.unit]
                    live[key, default: 0] += 1
                } else {
                    suspense[key, default: 0] += lease.held[key.unit]
                }
            }
        }
        for window in windows.values {
            let key = window.key
            guard window.taken <= window.allowance else { throw Violation(rule: .i2WithinCap, window: key) }
            guard window.held == held[key, default: 0] else { throw Violation(rule: .i3Held, window: key) }
            guard window.suspense == suspense[key, default: 0] else { throw Violation(rule: .i3Suspense, window: key) }
            guard window.liveLeases == live[key, default: 0] else { throw Violation(rule: .liveLeases, window: key) }
            guard window.held >= 0, window.suspense >= 0, window.unaccounted >= 0 else { throw Violation(rule: .negative, window: key) }
        }
    }
}
