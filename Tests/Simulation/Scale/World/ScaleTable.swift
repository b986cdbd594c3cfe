/// The reports of several worlds as Markdown.
public enum ScaleTable {
    /// Scripts, latency, rows and releases of each world.
    public static func load(_ reports: [ScaleReport]) -> String {
        let head = [
            "streams", "masters", "slots of the hot org", "of others", "slice s", "caps", "scripts/s a master: median", "max",
            "utilisation: median",
            "max",
            "queue p50 ms", "p99 ms", "repeats/s", "cut by silence /s", "tokens/s", "ledger rows/s", "root tx/s", "looks/s",
        ]
        return table(
            head,
            reports.map { report in
                [
                    grouped(report.settings.streams), "\(report.settings.masters)", "\(report.settings.hotSlots)",
                    report.settings.streamsPerSlot == 0 ? "1" : "1 / \(grouped(report.settings.streamsPerSlot))",
                    "\(report.settings.sliceSeconds)", report.settings.isNearCap ? "near" : "far",
                    grouped(ScaleReport.quantile(report.scripts, 0.5) ?? 0),
                    grouped(report.scripts.last ?? 0), percent(ScaleReport.quantile(report.utilisation, 0.5) ?? 0),
                    percent(report.utilisation.last ?? 0), milliseconds(ScaleReport.quantile(report.waits, 0.5)),
                    milliseconds(ScaleReport.quantile(report.waits, 0.99)), grouped(report.repeats), grouped(report.failures),
                    grouped(report.tokens), grouped(report.rows), grouped(report.rootRequests), grouped(report.looks),
                ]
            })
    }

    /// What caps leave, and how long a cut takes.
    public static func cuts(_ reports: [ScaleReport]) -> String {
        let head = [
            "streams", "masters", "slots of the hot org", "root tx/s", "cuts", "cut p50 ms", "p99 ms", "max ms",
            "hot org: left at its first cut",
            "per stream", "left at its last cut", "of the cap", "seconds between",
        ]
        return table(
            head,
            reports.filter { !$0.cuts.isEmpty }.map { report in
                let hot = report.stranded.first { $0.name == "org:acme" }
                let places = Int64(max(1, report.settings.streams * report.settings.hotShare / 1_000))
                return [
                    grouped(report.settings.streams), "\(report.settings.masters)", "\(report.settings.hotSlots)",
                    grouped(report.rootRequests), grouped(report.cuts.count), milliseconds(ScaleReport.quantile(report.cuts, 0.5)),
                    milliseconds(ScaleReport.quantile(report.cuts, 0.99)), milliseconds(report.cuts.last),
                    hot.map { grouped(Int($0.first)) } ?? "-", hot.map { grouped(Int($0.first / places)) } ?? "-",
                    hot.map { grouped(Int($0.last)) } ?? "-", hot.map { partsPerMillion($0.last, of: $0.cap) } ?? "-",
                    hot.map { "\(Int($0.lasted.rounded()))" } ?? "-",
                ]
            })
    }

    private static func table(_ head: [String], _ rows: [[String]]) -> String {
        let lines = [head, head.enumerated().map { $0.offset == 0 ? "---" : "---:" }] + rows
        return lines.map { "| \($0.joined(separator: " | ")) |" }.joined(separator: "\n")
    }

    static func grouped(_ number: Int) -> String {
        let digits = String(number.magnitude)
        var text = ""
        for (index, digit) in digits.enumerated() {
            if index > 0, (digits.count - index) % 3 == 0 { text += "," }
            text.append(digit)
        }
        return number < 0 ? "-\(text)" : text
    }

    private static func percent(_ part: Double) -> String { "\(grouped(Int((part * 100).rounded()))) %" }

    private static func partsPerMillion(_ part: Int64, of whole: Int64) -> String {
        "\(grouped(Int((Double(part) / Double(max(1, whole)) * 1e6).rounded()))) ppm"
    }

    private static func milliseconds(_ micro: Int32?) -> String {
        guard let micro else { return "-" }
        guard micro < 10_000_000 else { return "> 10,000" }
        let tenths = (Int(micro) + 50) / 100
        return "\(grouped(tenths / 10)).\(tenths % 10)"
    }
}
