extension CounterMachine {
    /// A node is going to sum the ledger for a window: what is committed from now on is not to be missed, nor counted twice.
    mutating func announce(_ org: CounterSlot, _ ref: WindowRef, now: Milliseconds) -> CounterReply {
        if let loaded = windows[ref.key], ref.generation <= loaded.generation { return .done(now: now) }
        return .announced(mark: late.announce(ref, org: org, now: now), now: now)
    }

    /// Counts a commit in the windows that came after the lease and are not in its path. Nothing was asked of them, so they may
    /// come to be above their caps; then nothing more is granted there.
    mutating func countLate(_ lease: LeaseState, _ change: Amounts, at: Milliseconds) {
        let found = late.find(lease, at: at)
        late.move(found.pending)
        for key in found.windows {
            update(key) { window in
                window.used += change[key.unit]
                window.allowance = max(window.allowance, window.taken)
            }
        }
    }

    /// Windows that a store has kept, all of them loaded: which leases lack them is decided by what each lease knows.
    mutating func recallLate() {
        // Grouped first: of a scope's minutes there may be thousands.
        for places in Dictionary(grouping: windows.values, by: { LateWindows.Place($0.key) }).values {
            for window in places.sorted(by: { $0.end < $1.end }).suffix(AccountingLimits.lateWindows) {
                let ref = WindowRef(
                    key: window.key, cap: window.cap, version: window.version, generation: window.generation, start: window.start,
                    end: window.end)
                late.loaded(ref, org: window.org)
            }
        }
    }
}
