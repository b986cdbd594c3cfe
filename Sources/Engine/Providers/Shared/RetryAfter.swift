internal import NIOHTTP1

/// How long an upstream asks to be left alone: `retry-after-ms`, as OpenAI sends it, or `Retry-After` in seconds
/// (RFC 9110 §10.2.3). A date is not read: it says less than it seems to where clocks differ.
enum RetryAfter {
    static func duration(_ headers: HTTPHeaders) -> Duration? {
        if let text = headers.first(name: "retry-after-ms"), let number = whole(text) { return .milliseconds(number) }
        if let text = headers.first(name: "retry-after"), let number = whole(text) { return .seconds(number) }
        return nil
    }

    /// Digits, with a fraction that is rounded up.
    private static func whole(_ text: String) -> Int64? {
        let parts = text.split(separator: ".", maxSplits: 1, omittingEmptySubsequences: false)
        guard let first = parts.first, let number = Int64(first), (0...1_000_000_000).contains(number) else { return nil }
        guard parts.count == 2 else { return number }
        guard parts[1].utf8.allSatisfy({ (48...57).contains($0) }) else { return nil }
        return parts[1].utf8.contains { $0 != 48 } ? number + 1 : number
    }
}
