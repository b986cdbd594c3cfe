internal import Accounting
internal import ArgumentParser
internal import JSON
internal import Supervisor

extension PolicyCommand {
    /// `kdcube policy replay`.
    struct Replay: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Make past decisions again under a directory of policies and print those that would differ; exit 1 if any does.")

        @OptionGroup var store: StoreOptions
        @Argument(help: "The directory of policies.") var directory: String
        @Option(help: "The catalog of tools; without it, tools.file of the configuration, or tools.yaml beside the directory.")
        var tools: String?
        @Option(help: "One organisation; without it, all.") var org: OrgID?
        @Option(help: "From this day or instant on (UTC, RFC 3339).") var since: String?
        @Flag(help: "Print JSON.") var json = false

        func validate() throws {
            do throws(LedgerSelection.Failure) { _ = try LedgerSelection.instant(since, "since") } catch {
                throw ValidationError("--\(error.description)")
            }
        }

        func run() async throws {
            try await reportingFailures {
                let catalog = try PolicyOptions.catalog(tools: tools, config: store.config, beside: directory)
                let bundle = try PolicyOptions.bundle(directory, catalog)
                let stores = try store.stores()
                let past = PastDecisions(decisions: stores.decisions, bundle: bundle, catalog: catalog)
                let from = try LedgerSelection.instant(since, "since")
                var total = PastDecisions.Summary()
                for org in try await orgs(stores) {
                    let summary = try await past.replay(org, since: from) { difference in
                        Output.line(json ? difference.json.jsonText : difference.text)
                    }
                    total.same += summary.same
                    total.different += summary.different
                    total.unanswerable += summary.unanswerable
                }
                await stores.close()
                Self.finish(total, bundle, json: json)
                if total.different > 0 { throw ExitCode(1) }
            }
        }

        private func orgs(_ stores: Stores) async throws -> [OrgID] {
            if let org { return [org] }
            var orgs: [OrgID] = []
            while true {
                let page = try await stores.audit.extents(after: orgs.last).map(\.org)
                if page.isEmpty { return orgs }
                orgs += page
            }
        }

        private static func finish(_ total: PastDecisions.Summary, _ bundle: PolicyBundle, json: Bool) {
            guard !json else {
                let object: JSONValue = [
                    "version": .string(bundle.version), "compared": .integer(Int64(total.compared)), "same": .integer(Int64(total.same)),
                    "different": .integer(Int64(total.different)), "unanswerable": .integer(Int64(total.unanswerable)),
                ]
                return Output.line(object.jsonText)
            }
            let others =
                total.unanswerable == 0 ? "" : "; \(total.unanswerable) others were made without policies, or cannot be asked again"
            Output.line("\(total.compared) decisions compared: \(total.same) the same, \(total.different) different\(others)")
        }
    }
}
