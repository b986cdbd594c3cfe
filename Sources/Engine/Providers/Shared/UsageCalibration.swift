internal import Synchronization

/// Learns how an upstream counts, so that a run of which it reports no usage is charged close to what it would have reported.
///
/// The design: our own count (``TokenEstimator``) knows no vocabulary, so for one model it is off by a factor that is much
/// the same from run to run. Each answer that ends with a usage gives one sample of that factor, for the visible output and
/// for the prompt apart: reported ÷ counted, in 65,536ths, bounded to 1/2…4, so that one absurd report cannot move it far.
/// Of the last 32 samples the 80th percentile is what counts while a stream runs (metering.md §5: the upper quantile): an
/// estimate that errs, errs to the side on which no token is given away, and never beyond what was really seen. Below four
/// samples it is 1. A stream keeps the ratio that it began with, and what it takes is also what it is charged: without the
/// upstream's word nothing is given back, and the ledger says `estimated`. The ratio never touches the proven bounds: what
/// admission holds for a prompt, and what a run in mode H reserves, stays bytes and maxima; an estimate is clamped to them
/// from below. It is kept in memory, for one model of one process; a new process begins at 1 and learns again.
///
/// Shared state is in a `Mutex` held for some integer operations.
public final class UsageCalibration: Sendable {
    /// What one answer has taught.
    struct Sample: Sendable, Hashable {
        let counted: Int
        let reported: Int
    }

    private struct Window {
        private(set) var ratios: [Int64] = []
        private var next = 0

        mutating func add(_ ratio: Int64) {
            if ratios.count < CalibrationLimits.samples {
                ratios.append(ratio)
            } else {
                ratios[next] = ratio
                next = (next + 1) % CalibrationLimits.samples
            }
        }

        var upper: CalibrationRatio {
            guard ratios.count >= CalibrationLimits.samplesMin else { return .one }
            // The smallest sample that at least four fifths of all do not exceed.
            return CalibrationRatio(parts: ratios.sorted()[(ratios.count * 4 + 4) / 5 - 1])
        }
    }

    private let windows = Mutex((output: Window(), prompt: Window()))

    public init() {}

    var output: CalibrationRatio { windows.withLock { $0.output.upper } }
    var prompt: CalibrationRatio { windows.withLock { $0.prompt.upper } }

    /// Short answers say little about a ratio, and are left out.
    func learn(output: Sample?, prompt: Sample?) {
        let ratios = [output, prompt].map { sample -> Int64? in
            guard let sample, min(sample.counted, sample.reported) >= CalibrationLimits.tokensMin else { return nil }
            return CalibrationRatio(reported: sample.reported, counted: sample.counted).parts
        }
        windows.withLock { windows in
            if let ratio = ratios[0] { windows.output.add(ratio) }
            if let ratio = ratios[1] { windows.prompt.add(ratio) }
        }
    }
}

/// A factor in 65,536ths.
struct CalibrationRatio: Sendable, Hashable {
    static let scale: Int64 = 1 << 16
    static let one = CalibrationRatio(parts: scale)

    let parts: Int64

    init(parts: Int64) { self.parts = min(max(parts, CalibrationLimits.ratio.lowerBound), CalibrationLimits.ratio.upperBound) }

    /// Rounded down, because ``times(_:)`` rounds up. Counts are below a billion (``UsageCount``), so nothing overflows.
    init(reported: Int, counted: Int) {
        self.init(parts: Int64(reported) * Self.scale / Int64(max(1, counted)))
    }

    /// Rounded up.
    func times(_ count: Int) -> Int { Int((Int64(count) * parts + Self.scale - 1) / Self.scale) }
}

/// Scales the counts of one stream, carrying what is below a token from delta to delta. A value.
struct CalibratedCount: Sendable, Hashable {
    let ratio: CalibrationRatio
    /// In 65,536ths of a token; negative when a delta was counted as a whole token that it was not.
    private var carry: Int64 = 0

    init(_ ratio: CalibrationRatio) { self.ratio = ratio }

    /// At least 1, because a delta of nothing is paid by nobody; at most `bound`, where one is proven.
    mutating func next(_ counted: Int, atMost bound: Int?) -> Int {
        let parts = carry + Int64(counted) * ratio.parts
        let tokens = max(1, min(Int(parts / CalibrationRatio.scale), bound.map { max(1, $0) } ?? Int.max))
        // What a bound cut off, or a whole token advanced, is not carried further than one token.
        carry = min(max(parts - Int64(tokens) * CalibrationRatio.scale, -CalibrationRatio.scale), CalibrationRatio.scale)
        return tokens
    }
}

/// Bounds of the calibration, with their reasons.
enum CalibrationLimits {
    /// Samples that are kept: a day's drift of a model is forgotten within an hour's use.
    static let samples = 32
    /// Below it a single strange answer would decide.
    static let samplesMin = 4
    /// Tokens that an answer or a prompt must have to be a sample: with fewer, rounding alone is several per cent.
    static let tokensMin = 32
    /// No vocabulary in use is further from our count than this.
    static let ratio: ClosedRange<Int64> = CalibrationRatio.scale / 2...CalibrationRatio.scale * 4
}
