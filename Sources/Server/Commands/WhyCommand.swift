internal import Accounting
internal import ArgumentParser
internal import JSON
internal import Logging

/// `kdcube why RUN`: which cap ended a run, and what it was charged.
struct WhyCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "why", abstract: "Say why a run was cut, and what it was charged. Exits 1 when nothing is known of it.")

    @OptionGroup var store: StoreOptions
    @Argument(help: "The run's id, as in run_id.") var runID: String
    @Flag(help: "Print JSON.") var json = false

    func run() async throws {
        try await reportingFailures {
            let stores = try store.stores()
            let windows = try await WindowReader(stores, logger: Logger(label: "kdcube.why"))
            let found = try await RunExplainer(stores: stores, windows: windows).explain(runID)
            await windows.close()
            await stores.close()
            guard let found else { throw CommandFailure("nothing is known of a run \(runID); ids of runs are in the answers' x-run-id") }
            if json { return Output.line(found.json.jsonText) }
            Self.print(found)
        }
    }

    private static func print(_ found: RunExplanation) {
        Output.line("\(found.run) (\(found.model)): \(found.state.rawValue)\(found.end.map { " at \($0.at.rfc3339)" } ?? "")")
        Output.line(found.sentence)
        if let cut = found.detail["cut"], cut != .null {
            let scope = "\(cut["scope"]?["kind"]?.stringValue ?? "-"):\(cut["scope"]?["id"]?.stringValue ?? "-")"
            let limit = cut["limit"].flatMap { $0.stringValue ?? $0.numberText } ?? "-"
            let used = cut["used"].flatMap { $0.stringValue ?? $0.numberText } ?? "-"
            Output.table([
                ["REASON", "SCOPE", "UNIT", "WINDOW", "LIMIT", "USED", "RESETS"],
                [
                    cut["reason"]?.stringValue ?? "-", scope, cut["unit"]?.stringValue ?? "-",
                    (cut["window"]?.stringValue ?? "-") + (cut["zone"]?.stringValue.map { " (\($0))" } ?? ""), limit,
                    used,
                    cut["resets_at"]?.integerValue.map { Milliseconds($0).rfc3339 } ?? "never",
                ],
            ])
        }
        Output.line("\(found.usage.input) tokens in, \(found.usage.output) out, \(found.cost.decimalText) usd")
        Output.table(
            [["AT", "KIND", "USD", "TOKENS", "ESTIMATED", "PRICES"]]
                + found.rows.map {
                    [
                        $0.at.rfc3339, $0.kind.rawValue, NanoUSD($0.nanoUSD).decimalText, String($0.usage.total),
                        $0.estimated ? "yes" : "no",
                        $0.attribution.priceVersion.isEmpty ? "-" : $0.attribution.priceVersion,
                    ]
                })
    }
}
