internal import Accounting
internal import ArgumentParser
internal import Foundation
internal import JSON
internal import Logging

/// `kdcube reconcile`: the counters against the ledger.
struct ReconcileCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "reconcile", abstract: "Compare the counters with the ledger; exit 1 where they differ.",
        discussion: """
            It may run beside servers. --repair makes the counters of an organisation anew from the ledger and from what its servers \
            hold; streams go on meanwhile. --forget gives up what a server held that died and will not be started again on its machine: \
            what it had delivered and not charged is then nobody's.
            """)

    @OptionGroup var store: StoreOptions
    @Option(help: "One organisation; without it, all.") var org: OrgID?
    @Flag(help: "Rebuild the counters of organisations with a difference.") var repair = false
    @Option(help: "The node of a server that died, as this command prints it.") var forget: String?
    @Flag(help: "Print JSON.") var json = false

    func run() async throws {
        try await reportingFailures {
            let stores = try store.stores()
            let reader = try await WindowReader(stores, logger: .silent)
            let reconciliation = Reconciliation(stores: stores, reader: reader)
            var orgs = try await stores.keys.orgs().sorted()
            if let org { orgs = [org] }
            var reports: [Reconciliation.Report] = []
            for org in orgs {
                if let forget { try await self.forget(forget, org: org, stores) }
                reports.append(try await self.report(org, reconciliation))
            }
            await reader.close()
            if json { Output.line(JSONValue.array(reports.map(\.json)).jsonText) } else { reports.forEach(Self.print) }
            if !reports.allSatisfy(\.differences.isEmpty) { throw ExitCode(1) }
        }
    }

    /// With --repair: how it is afterwards.
    private func report(_ org: OrgID, _ reconciliation: Reconciliation) async throws -> Reconciliation.Report {
        let report = try await reconciliation.report(org: org)
        guard repair, !report.differences.isEmpty else { return report }
        _ = try await reconciliation.repair(report)
        return try await reconciliation.report(org: org)
    }

    private func forget(_ node: String, org: OrgID, _ stores: Stores) async throws {
        let slots = [0] + (try await stores.root.slots(org: org)).filter { $0 > 0 }
        for slot in slots {
            let awaited = try await stores.root.awaited(org: CounterSlot(org: org, index: slot))
            for holder in awaited where holder.node == node { try await stores.root.leave(holder) }
        }
    }

    private static func print(_ report: Reconciliation.Report) {
        let verdict = report.differences.isEmpty ? "agree with the ledger" : "differ from the ledger in \(report.differences.count)"
        Output.line("org:\(report.org): \(report.windows) windows \(verdict)")
        for difference in report.differences {
            let unit = difference.window.unit
            Output.line(
                "  \(difference.window.text): counted \(unit.text(difference.counted)), charged \(unit.text(difference.charged))")
        }
        for row in report.suspended {
            Output.line(
                "  suspended at \(row.at.rfc3339): run \(row.attribution.run), lease \(row.lease), "
                    + "\(NanoUSD(row.nanoUSD).decimalText) usd, \(row.usage.total) tokens")
        }
        for holder in report.awaited { Output.line("  waits for node \(holder.node), which has not answered since the counters were lost") }
    }
}

extension Reconciliation.Report {
    var json: JSONValue {
        [
            "org": .string(org.text), "windows": .integer(Int64(windows)),
            "differences": .array(
                differences.map { difference in
                    let key = difference.window
                    return [
                        "scope": .string(key.scope.text), "unit": .string(key.unit.rawValue), "window": .string(key.period.rawValue),
                        "window_id": .string(key.window), "counted": .string(key.unit.text(difference.counted)),
                        "charged": .string(key.unit.text(difference.charged)),
                    ]
                }),
            "suspended": .array(
                suspended.map { row in
                    [
                        "run_id": .string(row.attribution.run), "lease": .string(row.lease), "at": .string(row.at.rfc3339),
                        "cost_usd": .string(NanoUSD(row.nanoUSD).decimalText), "tokens": .integer(row.usage.total),
                    ]
                }),
            "awaited": .array(awaited.map { ["node": .string($0.node), "fence": .integer($0.fence)] }),
        ]
    }
}
