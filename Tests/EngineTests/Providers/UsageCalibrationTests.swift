import Engine
import JSON
import Testing

@testable import EngineProviders

@Suite("Calibration of our own token count (pure)")
struct UsageCalibrationTests {
    private func taught(_ samples: [(counted: Int, reported: Int)]) -> UsageCalibration {
        let calibration = UsageCalibration()
        for sample in samples {
            let sample = UsageCalibration.Sample(counted: sample.counted, reported: sample.reported)
            calibration.learn(output: sample, prompt: sample)
        }
        return calibration
    }

    @Test("an upstream that counts as we do is not scaled, to the last bit")
    func one() {
        let calibration = taught(Array(repeating: (counted: 777, reported: 777), count: 50))
        #expect(calibration.output == .one && calibration.prompt == .one)
    }

    @Test("four answers have to agree before anything is scaled; short ones and one absurd one say nothing")
    func evidence() {
        #expect(taught([(100, 150), (100, 150), (100, 150)]).output == .one)
        #expect(taught(Array(repeating: (10, 30), count: 40)).output == .one)
        #expect(taught(Array(repeating: (100, 150), count: 4)).output.times(1_000) == 1_500)
        let withOutlier = taught(Array(repeating: (100, 100), count: 9) + [(100, 1_000_000_000)])
        #expect(withOutlier.output == .one)
    }

    @Test("the ratio is bounded, and the upper quantile of what was seen")
    func bounds() {
        #expect(taught(Array(repeating: (100, 1_000_000_000), count: 10)).output.times(100) == 400)
        #expect(taught(Array(repeating: (1_000_000_000, 100), count: 10)).output.times(100) == 50)
        let spread = taught((1...10).map { (counted: 100, reported: 100 + $0 * 10) })
        #expect(spread.output.times(100) == 180)
        let moved = taught(Array(repeating: (100, 300), count: 32) + Array(repeating: (100, 110), count: 32))
        #expect(moved.output.times(100) == 110, "what is long ago is forgotten")
    }

    @Test("a stream's deltas add up to its scaled count, whatever their sizes (seeded)", arguments: UInt64(1)...100)
    func carry(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        let ratio = CalibrationRatio(parts: Int64.random(in: CalibrationRatio.scale...4 * CalibrationRatio.scale, using: &random))
        var count = CalibratedCount(ratio)
        var (counted, tokens) = (0, 0)
        for _ in 0..<200 {
            let delta = Int.random(in: 1...40, using: &random)
            counted += delta
            let next = count.next(delta, atMost: nil)
            #expect(next >= delta, "seed \(seed)")
            tokens += next
        }
        let exact = Int64(counted) * ratio.parts
        #expect(
            Int64(tokens) * ratio.parts >= 0 && abs(Int64(tokens) * CalibrationRatio.scale - exact) < CalibrationRatio.scale, "seed \(seed)"
        )
    }

    @Test("no delta counts more than its bytes or less than 1 (seeded)", arguments: UInt64(1)...50)
    func perDelta(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        var count = CalibratedCount(CalibrationRatio(parts: Int64.random(in: 0...Int64.max, using: &random)))
        for _ in 0..<200 {
            let delta = Int.random(in: 1...40, using: &random)
            let bytes = Int.random(in: delta...120, using: &random)
            #expect((1...bytes).contains(count.next(delta, atMost: bytes)), "seed \(seed)")
        }
    }

    private func parse(_ chunks: [String], ratio: CalibrationRatio = .one) throws -> (tokens: Int, parser: ChatChunkParser) {
        var parser = ChatChunkParser(ratio: ratio)
        var events: [ModelEvent] = []
        for chunk in chunks { try parser.accept(Array(chunk.utf8), into: &events) }
        let tokens = events.reduce(0) { sum, event in
            if case .delta(let delta) = event { return sum + delta.tokens }
            return sum
        }
        return (tokens, parser)
    }

    private func words(_ count: Int, key: String = "content") -> [String] {
        (0..<count).map { #"{"choices":[{"index":0,"delta":{"\#(key)":" word\#($0)"}}]}"# }
    }

    @Test("an answer with usage is a sample; hidden reasoning is in none, shown reasoning in it where it is billed as output")
    func samples() throws {
        let usage =
            #"{"choices":[],"usage":{"prompt_tokens":80,"completion_tokens":60,"completion_tokens_details":{"reasoning_tokens":20}}}"#
        let hidden = try parse(words(40) + [usage, "[DONE]"]).parser
        #expect(hidden.outputSample == UsageCalibration.Sample(counted: 40, reported: 40))
        #expect(hidden.promptSample(estimate: 100) == UsageCalibration.Sample(counted: 100, reported: 80))
        let among = #"{"choices":[],"usage":{"prompt_tokens":80,"completion_tokens":70}}"#
        let shown = try parse(words(30, key: "reasoning_content") + words(40) + [among, "[DONE]"]).parser
        #expect(shown.outputSample == UsageCalibration.Sample(counted: 70, reported: 70))
        #expect(try parse(words(40) + ["[DONE]"]).parser.outputSample == nil, "no usage, nothing learned")
    }

    @Test("a stream is counted by the ratio that it began with, within its bytes")
    func scaledStream() throws {
        #expect(try parse(words(100)).tokens == 100)
        #expect(try parse(words(100), ratio: CalibrationRatio(reported: 150, counted: 100)).tokens == 150)
        let dense = (0..<100).map { _ in #"{"choices":[{"index":0,"delta":{"content":"a"}}]}"# }
        #expect(try parse(dense, ratio: CalibrationRatio(reported: 4, counted: 1)).tokens == 100, "a byte is a token at most")
    }
}
