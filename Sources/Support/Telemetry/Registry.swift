internal import Synchronization

/// All metrics of a process, and their text for Prometheus (exposition format 0.0.4).
///
/// Families are created once, at start-up or when a label value is first seen; a short `Mutex` guards the table. Label
/// values come from closed sets or from configuration, never from a client, and are bounded by ``seriesPerFamilyMax``.
public final class MetricRegistry: Sendable {
    /// More series than this in a family would mean that a label carries user input. The rest share `other`.
    public static let seriesPerFamilyMax = 200

    /// Names and values, in the order in which they are shown.
    public typealias Labels = [(String, String)]

    enum Series: Sendable {
        case metric(Metric)
        case histogram(Histogram)
    }

    struct Family: Sendable {
        let help: String
        let kind: String
        var series: [String: Series] = [:]
    }

    private let families = Mutex<[String: Family]>([:])

    /// A registry without metrics.
    public init() {}

    /// A value that only grows. The same one for the same name and labels.
    public func counter(_ name: String, _ help: String, _ labels: Labels = []) -> Metric {
        metric(name, help, "counter", labels)
    }

    /// A value that goes up and down. The same one for the same name and labels.
    public func gauge(_ name: String, _ help: String, _ labels: Labels = []) -> Metric {
        metric(name, help, "gauge", labels)
    }

    /// Durations in buckets. The same one for the same name and labels.
    ///
    /// - Parameter bounds: the upper bounds in seconds; at most 23.
    public func histogram(_ name: String, _ help: String, _ labels: Labels = [], bounds: [Double] = Histogram.secondsBounds) -> Histogram {
        let series = series(name, help, "histogram", labels) { .histogram(Histogram(bounds: bounds)) }
        guard case .histogram(let histogram) = series else { preconditionFailure("\(name) is registered as another kind") }
        return histogram
    }

    private func metric(_ name: String, _ help: String, _ kind: String, _ labels: Labels) -> Metric {
        let series = series(name, help, kind, labels) { .metric(Metric()) }
        guard case .metric(let metric) = series else { preconditionFailure("\(name) is registered as another kind") }
        return metric
    }

    private func series(_ name: String, _ help: String, _ kind: String, _ labels: Labels, make: () -> Series) -> Series {
        families.withLock { families in
            var family = families[name] ?? Family(help: help, kind: kind)
            var key = Self.text(labels)
            if family.series[key] == nil, family.series.count >= Self.seriesPerFamilyMax {
                key = Self.text(labels.map { ($0.0, "other") })
            }
            if let found = family.series[key] { return found }
            let made = make()
            family.series[key] = made
            families[name] = family
            return made
        }
    }

    private static func text(_ labels: Labels) -> String {
        labels.map { "\($0.0)=\"\(escape($0.1))\"" }.joined(separator: ",")
    }

    private static func escape(_ value: String) -> String {
        var text = ""
        for character in value {
            switch character {
            case "\\": text += "\\\\"
            case "\"": text += "\\\""
            case "\n": text += "\\n"
            default: text.append(character)
            }
        }
        return text
    }

    /// The whole registry as Prometheus text, families and series in a stable order.
    public func prometheusText() -> String {
        let snapshot = families.withLock { $0 }
        var text = ""
        for (name, family) in snapshot.sorted(by: { $0.key < $1.key }) {
            text += "# HELP \(name) \(family.help)\n# TYPE \(name) \(family.kind)\n"
            for (labels, series) in family.series.sorted(by: { $0.key < $1.key }) {
                switch series {
                case .metric(let metric):
                    text += labels.isEmpty ? "\(name) \(metric.value)\n" : "\(name){\(labels)} \(metric.value)\n"
                case .histogram(let histogram):
                    text += Self.lines(name, labels, histogram)
                }
            }
        }
        return text
    }

    private static func lines(_ name: String, _ labels: String, _ histogram: Histogram) -> String {
        let state = histogram.snapshot
        let prefix = labels.isEmpty ? "" : labels + ","
        let suffix = labels.isEmpty ? "" : "{\(labels)}"
        var text = ""
        var total: Int64 = 0
        for (bound, count) in zip(histogram.bounds, state.counts) {
            total += count
            text += "\(name)_bucket{\(prefix)le=\"\(bound)\"} \(total)\n"
        }
        total += state.counts[histogram.bounds.count]
        text += "\(name)_bucket{\(prefix)le=\"+Inf\"} \(total)\n"
        return text + "\(name)_sum\(suffix) \(state.sum)\n\(name)_count\(suffix) \(total)\n"
    }
}
