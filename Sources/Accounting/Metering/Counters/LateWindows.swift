/// Which windows may be missing from the path of a lease that spends in them all the same.
///
/// A budget may come while leases live that know nothing of it. What they commit stands in the ledger, so the new window has to
/// count it. A lease names the version up to which its budgets were read (``LeaseState/known``); a window whose generation is
/// higher came later. Windows are kept here by whom they count, so that a commit looks at those of its own scopes only.
///
/// A window is **announced** before it is loaded: from then on every commit that it would count moves the mark of its place, so a sum
/// of the ledger that began after the announcement is exact if and only if the mark is the same when it is loaded.
///
/// A value; the machine that it is part of isolates it.
struct LateWindows: Sendable {
    /// Whom a window counts.
    struct Place: Sendable, Hashable {
        let scope: Scope
        let model: String?

        init(_ key: WindowKey) {
            scope = key.scope
            model = key.model
        }

        init(_ scope: Scope, _ model: String?) {
            self.scope = scope
            self.model = model
        }
    }

    private struct Entry: Sendable {
        let key: WindowKey
        let org: CounterSlot
        let generation: Int64
        let start: Milliseconds
        let end: Milliseconds
        /// Announced and not loaded.
        let isPending: Bool
    }

    private struct Windows: Sendable {
        /// The highest generation among the entries.
        var newest: Int64 = 0
        var mark: Int64 = 0
        var entries: [Entry] = []
    }

    private var places: [Place: Windows] = [:]
    /// The highest generation of all places: a lease that knows as much is late for nothing.
    private var newest: Int64 = 0

    /// What a commit has to count beside its path.
    struct Found {
        var windows: [WindowKey] = []
        var pending: [Place] = []
    }

    /// - Parameter at: the accounting time of the commit.
    func find(_ lease: LeaseState, at: Milliseconds) -> Found {
        var found = Found()
        guard lease.known < newest else { return found }
        let scopes = lease.attribution.path.scopes
        for place in scopes.map({ Place($0, nil) }) + scopes.map({ Place($0, lease.attribution.model) }) {
            guard let windows = places[place], lease.known < windows.newest else { continue }
            for entry in windows.entries where lease.known < entry.generation && entry.start <= at && at < entry.end {
                if entry.isPending {
                    found.pending.append(place)
                } else if !lease.path.contains(entry.key) {
                    found.windows.append(entry.key)
                }
            }
        }
        return found
    }

    /// A commit falls into windows that are being loaded.
    mutating func move(_ pending: [Place]) {
        for place in pending { places[place]?.mark += 1 }
    }

    /// - Returns: the mark that the load has to name.
    mutating func announce(_ ref: WindowRef, org: CounterSlot, now: Milliseconds) -> Int64 {
        let place = Place(ref.key)
        var windows = places[place] ?? Windows()
        let known = windows.entries.first { $0.key == ref.key && $0.isPending }
        if let known, known.generation >= ref.generation { return windows.mark }
        // While nothing was announced no commit moved the mark: it must not be one that a forgotten load may still name.
        if known != nil || !windows.entries.contains(where: \.isPending) { windows.mark = max(windows.mark + 1, now.rawValue) }
        places[place] = windows
        note(ref, org: org, isPending: true)
        return windows.mark
    }

    /// True when nothing was committed since the announcement that gave this mark.
    func isCurrent(_ mark: Int64, _ ref: WindowRef) -> Bool {
        guard let windows = places[Place(ref.key)], windows.mark == mark else { return false }
        return windows.entries.contains { $0.key == ref.key && $0.isPending }
    }

    mutating func loaded(_ ref: WindowRef, org: CounterSlot) { note(ref, org: org, isPending: false) }

    private mutating func note(_ ref: WindowRef, org: CounterSlot, isPending: Bool) {
        let place = Place(ref.key)
        var windows = places[place] ?? Windows()
        // One that is loaded in an earlier generation counts until it is loaded anew.
        windows.entries.removeAll { $0.key == ref.key && ($0.isPending || !isPending) }
        windows.entries.append(
            Entry(key: ref.key, org: org, generation: ref.generation, start: ref.start, end: ref.end, isPending: isPending))
        // The one that ended first is the least likely to be charged yet.
        if windows.entries.count > AccountingLimits.lateWindows,
            let first = windows.entries.indices.min(by: { windows.entries[$0].end < windows.entries[$1].end })
        {
            windows.entries.remove(at: first)
        }
        windows.newest = max(windows.newest, ref.generation)
        newest = max(newest, ref.generation)
        places[place] = windows
    }

    /// A life is over, or windows were forgotten.
    mutating func forget(_ isGone: (_ org: CounterSlot, WindowKey) -> Bool) {
        for place in places.keys {
            places[place]?.entries.removeAll { isGone($0.org, $0.key) }
            // The mark may go with the last window: the next announcement begins at the time of then.
            if places[place]?.entries.isEmpty == true { places[place] = nil }
        }
    }
}
