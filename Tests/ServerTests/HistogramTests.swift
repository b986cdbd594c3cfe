import Telemetry
import Testing

@Suite("Histograms")
struct HistogramTests {
    @Test("an observation falls into the first bucket that holds it, and past the last into +Inf")
    func buckets() {
        let registry = MetricRegistry()
        let histogram = registry.histogram("h", "help", bounds: Histogram.workBounds)
        for nanoseconds in [0, 1_000, 1_001, 1_000_000_000, 2_000_000_000] as [Int64] { histogram.observe(nanoseconds: nanoseconds) }
        histogram.observe(.microseconds(3))
        let lines = registry.prometheusText().split(separator: "\n").filter { !$0.hasPrefix("#") }
        #expect(lines.prefix(3) == [#"h_bucket{le="1e-06"} 2"#, #"h_bucket{le="2.5e-06"} 3"#, #"h_bucket{le="5e-06"} 4"#])
        #expect(lines.suffix(4) == [#"h_bucket{le="1.0"} 5"#, #"h_bucket{le="+Inf"} 6"#, "h_sum 3.000005001", "h_count 6"])
    }

    @Test("nothing is lost when many observe at once")
    func concurrent() async {
        let registry = MetricRegistry()
        let histogram = registry.histogram("h", "help")
        await withTaskGroup(of: Void.self) { group in
            for _ in 0..<8 {
                group.addTask { for _ in 0..<10_000 { histogram.observe(nanoseconds: 1_000_000) } }
            }
        }
        #expect(registry.prometheusText().contains("h_sum 80.0\nh_count 80000"))
    }
}
