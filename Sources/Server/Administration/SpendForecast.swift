internal import Accounting
internal import JSON

/// Where a window ends at the rate at which it was spent so far. An estimate, in whole units of the smallest coin; it decides nothing.
struct SpendForecast: Sendable, Hashable {
    /// What will have been used at the window's end; at most ``AccountingLimits/amountMax``.
    let atEnd: Int64
    /// When the limit is reached; nil when it is not within the window.
    let spentAt: Milliseconds?

    /// - Parameter used: since `start`. Nothing is known before any time has passed.
    init?(used: Int64, limit: Int64, start: Milliseconds, end: Milliseconds, now: Milliseconds) {
        let elapsed = now.rawValue - start.rawValue
        guard elapsed > 0, now < end, used >= 0 else { return nil }
        atEnd = min(Self.scaled(used, by: end.rawValue - start.rawValue, over: elapsed), AccountingLimits.amountMax)
        guard used > 0 else {
            spentAt = nil
            return
        }
        let reached = start.rawValue.addingReportingOverflow(Self.scaled(elapsed, by: limit, over: used))
        let isWithin = !reached.overflow && reached.partialValue < end.rawValue
        spentAt = isWithin ? Milliseconds(reached.partialValue) : nil
    }

    /// `value * factor / divisor`, of numbers that are not negative, at most the largest integer.
    private static func scaled(_ value: Int64, by factor: Int64, over divisor: Int64) -> Int64 {
        let product = value.magnitude.multipliedFullWidth(by: factor.magnitude)
        guard product.high < divisor.magnitude else { return .max }
        return Int64(clamping: divisor.magnitude.dividingFullWidth(product).quotient)
    }
}
