internal import Accounting
internal import ArgumentParser
internal import Foundation
internal import JSON
internal import Logging

/// `kdcube usage`: what scopes have spent, and what their windows hold.
struct UsageCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(commandName: "usage", abstract: "Show windows and totals.")

    @OptionGroup var store: StoreOptions
    @Option(help: "org:O, project:O/P, user:O/P/U or key:ID; without it, every scope that has a budget or was charged.")
    var scope: String?
    @Flag(help: "Print JSON: an object with --scope, else an array of them.") var json = false

    func run() async throws {
        try await reportingFailures {
            let stores = try store.stores()
            let reader = try await WindowReader(stores, logger: .silent)
            let scopes: [Scope]
            if let scope {
                scopes = [try await stores.payer(of: WindowOptions.parse(scope: scope))]
            } else {
                scopes = try await stores.usage.scopes()
            }
            var usages: [ScopeUsage] = []
            for scope in scopes { usages.append(try await reader.usage(of: scope)) }
            await reader.close()
            if json {
                let values = usages.map(\.json)
                Output.line((scope == nil ? JSONValue.array(values) : values[0]).jsonText)
            } else {
                Self.print(usages)
            }
        }
    }

    private static func print(_ usages: [ScopeUsage]) {
        for usage in usages {
            Output.line(
                "\(usage.scope.text): \(usage.totals.usage.input) tokens in, \(usage.totals.usage.output) out, "
                    + "\(usage.totals.requests) requests, \(usage.totals.calls) calls, \(NanoUSD(usage.totals.nanoUSD).decimalText) usd")
            guard !usage.windows.isEmpty else { continue }
            Output.table(
                [["  UNIT", "WINDOW", "LIMIT", "USED", "HELD", "SUSPENSE", "RESETS"]]
                    + usage.windows.map { window in
                        let unit = window.key.unit
                        return [
                            "  " + unit.rawValue + ((window.key.tool?.text ?? window.key.model).map { " (\($0))" } ?? ""),
                            window.key.period.rawValue + (window.key.zone.map { " (\($0))" } ?? ""),
                            unit.text(window.cap), unit.text(window.used),
                            unit.text(window.held),
                            unit.text(window.suspense), window.resetsAt?.rfc3339 ?? "never",
                        ]
                    })
        }
    }
}

extension ScopeUsage {
    var json: JSONValue {
        [
            "scope": .string(scope.text), "windows": .array(windows.map(\.json)),
            "totals": totals.json,
        ]
    }
}
