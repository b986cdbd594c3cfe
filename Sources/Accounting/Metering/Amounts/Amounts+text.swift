extension Amounts {
    /// Compact form for stores and for the wire: `1500,64,1` in the order usd, tokens, requests, input_tokens, output_tokens,
    /// runs, calls; zeros at the end are left off, but for the first three, which the first release wrote.
    public var text: String {
        var numbers = MeterUnit.allCases.map { self[$0] }
        while numbers.count > 3, numbers.last == 0 { numbers.removeLast() }
        return numbers.map { String($0) }.joined(separator: ",")
    }

    /// The inverse of ``text``; nil for other text.
    public init?(_ text: some StringProtocol) {
        let parts = text.split(separator: ",", omittingEmptySubsequences: false)
        let units = MeterUnit.allCases
        guard (3...units.count).contains(parts.count) else { return nil }
        self.init()
        for (unit, part) in zip(units, parts) {
            guard let number = Int64(part) else { return nil }
            self[unit] = number
        }
    }
}
