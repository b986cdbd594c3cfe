/// A counter as stores keep it: the window that it counts, half-open, and what was taken of it.
package struct LimitCount: Sendable, Hashable {
    package let start: Milliseconds
    package let end: Milliseconds
    package let used: Int64

    package init(start: Milliseconds, end: Milliseconds, used: Int64) {
        self.start = start
        self.end = end
        self.used = used
    }

    /// What a reading says now: a window that is over has nothing.
    package func use(_ id: String, at now: Milliseconds) -> LimitUse {
        end > now ? shown(id) : LimitUse(id: id, used: 0, resetsAt: nil)
    }

    package func shown(_ id: String) -> LimitUse { LimitUse(id: id, used: used, resetsAt: end == WindowSpan.never ? nil : end) }
}

/// What a reservation has taken of one counter.
package struct LimitTaken: Sendable, Hashable {
    package let id: String
    package let amount: Int64
    /// The counter with it.
    package let count: LimitCount

    package init(id: String, amount: Int64, count: LimitCount) {
        self.id = id
        self.amount = amount
        self.count = count
    }
}

/// What a reservation wants, by counters. Pure: every store decides by this, or by a statement that says the same.
package struct LimitPlan: Sendable, Hashable {
    package struct Line: Sendable, Hashable {
        package let id: String
        package let amount: Int64
        package let cap: Int64
        /// The window of now; the counter's own counts unless it is over.
        package let start: Milliseconds
        package let end: Milliseconds
    }

    package enum Decision: Sendable, Hashable {
        case taken([LimitTaken])
        case exceeded(LimitUse)
    }

    package let now: Milliseconds
    /// One for each counter, in the order of their ids' bytes: who locks them takes them in that order.
    package let lines: [Line]
    private let order: [String]

    package init(org: OrgID, reservation: String, takes: [LimitTake], at now: Milliseconds) throws(LimitStoreError) {
        try LimitCheck.id(reservation, "reservation")
        guard takes.count <= PolicyStoreLimits.takes else { throw .malformed("takes") }
        var (lines, periods): ([String: Line], [String: Period]) = ([:], [:])
        for take in takes {
            try LimitCheck.id(take.id, "limit")
            guard take.amount >= 0 else { throw .malformed("amount") }
            guard periods.updateValue(take.period, forKey: take.id) ?? take.period == take.period else { throw .malformed("period") }
            let (span, known) = (WindowSpan(take.period, containing: now), lines[take.id])
            let (amount, overflow) = take.amount.addingReportingOverflow(known?.amount ?? 0)
            // A sum beyond all numbers has no room under any cap.
            let cap = overflow ? -1 : max(-1, min(take.cap, known?.cap ?? .max))
            lines[take.id] = Line(id: take.id, amount: overflow ? .max : amount, cap: cap, start: span.start, end: span.end)
        }
        self.now = now
        self.lines = lines.values.sorted { $0.id.utf8.lexicographicallyPrecedes($1.id.utf8) }
        order = takes.map(\.id)
    }

    /// - Parameter counts: what there is of the counters, by their ids.
    package func decide(_ counts: [String: LimitCount]) -> Decision {
        let current = lines.map { line in
            guard let count = counts[line.id], count.end > now else { return LimitCount(start: line.start, end: line.end, used: 0) }
            return count
        }
        let full = zip(lines, current).filter { line, count in line.cap < line.amount || count.used > line.cap - line.amount }
        if !full.isEmpty {
            let uses = Dictionary(full.map { ($0.0.id, $0.1.shown($0.0.id)) }, uniquingKeysWith: { one, _ in one })
            if let first = order.lazy.compactMap({ uses[$0] }).first { return .exceeded(first) }
        }
        return .taken(
            zip(lines, current).map { line, count in
                let count = LimitCount(start: count.start, end: count.end, used: count.used + line.amount)
                return LimitTaken(id: line.id, amount: line.amount, count: count)
            })
    }

    /// The answer to a reservation that took this.
    package func outcome(_ taken: [LimitTaken]) -> LimitOutcome {
        let uses = Dictionary(taken.map { ($0.id, $0.count.shown($0.id)) }, uniquingKeysWith: { one, _ in one })
        return .reserved(order.compactMap { uses[$0] })
    }

    /// Of several that are full the first in the order of the takes.
    package func exceeded(_ full: [LimitUse]) -> LimitOutcome? {
        let uses = Dictionary(full.map { ($0.id, $0) }, uniquingKeysWith: { one, _ in one })
        return order.lazy.compactMap { uses[$0] }.first.map { .exceeded($0) }
    }

    /// Whether a reservation of this name took the same.
    package func isSame(as taken: [LimitTaken]) -> Bool {
        taken.count == lines.count
            && taken.sorted { $0.id.utf8.lexicographicallyPrecedes($1.id.utf8) }.elementsEqual(lines) {
                $0.id == $1.id && $0.amount == $1.amount
            }
    }
}

package enum LimitCheck {
    package static func id(_ text: String, _ field: String) throws(LimitStoreError) {
        do { try DecisionText.check(text, field) } catch { throw .malformed(field) }
    }

    package static func ids(_ ids: [String]) throws(LimitStoreError) {
        guard ids.count <= PolicyStoreLimits.ids else { throw .malformed("limits") }
        for text in ids { try id(text, "limit") }
    }
}
