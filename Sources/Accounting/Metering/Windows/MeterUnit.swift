/// What a window counts. The raw value is the word of contract.md §1.
public enum MeterUnit: String, Sendable, Hashable, CaseIterable, Codable {
    /// Money, counted in nano-USD.
    case usd
    /// Input and output tokens together.
    case tokens
    /// Admitted runs.
    case requests
    case inputTokens = "input_tokens"
    case outputTokens = "output_tokens"
    /// Runs at one time: held while a run lives, and never used up.
    case runs
    /// Calls of tools.
    case calls

    /// All words, for a sentence.
    public static var list: String {
        let words = allCases.map(\.rawValue)
        return words.dropLast().joined(separator: ", ") + " or " + (words.last ?? "")
    }

    /// An amount as people write it: dollars as exact decimals, counts as integers.
    public func text(_ amount: Int64) -> String {
        self == .usd ? NanoUSD(amount).decimalText : String(amount)
    }

    /// Reads a limit as people write it; the inverse of ``text(_:)``.
    public func amount(_ text: String) throws(AmountError) -> Int64 {
        if self == .usd { return try NanoUSD(decimal: text).rawValue }
        guard !text.isEmpty, text.utf8.allSatisfy({ (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }) else {
            throw text.utf8.first == UInt8(ascii: "-") ? .negative : .notDecimal
        }
        guard let value = Int64(text), value <= AccountingLimits.amountMax else { throw .tooLarge }
        return value
    }
}
