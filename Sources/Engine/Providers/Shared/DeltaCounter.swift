internal import Engine
internal import JSON

/// Counts what each delta of one answer is charged before the upstream has told its usage. A value of the answer's parser.
struct DeltaCounter: Sendable {
    /// What a chunk of text is charged as when it is short: most upstreams send a token a chunk.
    private static let shortChunkBytes = 16

    private var estimator = TokenEstimator()
    private var visible: CalibratedCount
    private var thinking: CalibratedCount
    /// Our own counts, before they were scaled.
    private(set) var counted = (visible: 0, thinking: 0)

    /// - Parameter ratio: how many tokens the upstream counts for each of ours (``UsageCalibration``).
    init(_ ratio: CalibrationRatio = .one) {
        visible = CalibratedCount(ratio)
        thinking = CalibratedCount(ratio)
    }

    /// At least 1, and 1 for a short chunk of one piece; the estimate for longer ones; scaled to the upstream's way of counting.
    ///
    /// - Parameter isProven: whether the bytes bound the tokens. A tool call's name and frame are billed and not in its text.
    mutating func tokens(of text: String, isThinking: Bool = false, isProven: Bool = true) -> Int {
        let estimate = estimator.add(text)
        let isShort = text.utf8.count <= Self.shortChunkBytes && !text.dropFirst().contains(where: \.isWhitespace)
        let count = isShort ? 1 : max(estimate, 1)
        let bound = isProven ? text.utf8.count : nil
        if isThinking {
            counted.thinking += count
            return thinking.next(count, atMost: bound)
        }
        counted.visible += count
        return visible.next(count, atMost: bound)
    }
}

enum UsageCount {
    /// A count that is missing is zero; one that is negative or absurd is not believed.
    static func read(_ value: JSONValue?) throws(ProviderError) -> Int {
        guard let value, value != .null else { return 0 }
        guard let count = value.integerValue, (0...1_000_000_000).contains(count) else {
            throw UpstreamFailure.malformed("the upstream sent a usage that cannot be")
        }
        return Int(count)
    }
}
