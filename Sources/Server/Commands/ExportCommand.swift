internal import Accounting
internal import ArgumentParser
internal import Foundation
internal import Logging

/// `kdcube export`: the ledger, row by row, on standard output.
struct ExportCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "export", abstract: "Write the ledger as CSV or JSON lines to standard output, the oldest row first.")

    @OptionGroup var store: StoreOptions
    @Option(help: "csv or jsonl.") var format = "csv"
    @Option(help: "Only rows of this scope: org:O, project:O/P, user:O/P/U or key:ID.") var scope: String?
    @Option(name: .customLong("run"), help: "Only rows of this run.") var onlyRun: String?
    @Option(help: "From this day or instant on (UTC, RFC 3339).") var from: String?
    @Option(help: "Until before this day or instant (UTC, RFC 3339).") var to: String?
    @Flag(help: "The same as --format jsonl.") var json = false

    func validate() throws {
        guard LedgerFormat(rawValue: format) != nil else { throw ValidationError("--format must be csv or jsonl") }
        do throws(LedgerSelection.Failure) {
            _ = try LedgerSelection(scope: scope, run: onlyRun, from: from, to: to)
        } catch {
            throw ValidationError("--\(error.description)")
        }
    }

    func run() async throws {
        try await reportingFailures {
            let format = json ? .jsonl : LedgerFormat(rawValue: format) ?? .csv
            var query = try LedgerSelection(scope: scope, run: onlyRun, from: from, to: to).query
            let stores = try store.stores()
            if let scope = query.scope { query.scope = try await stores.payer(of: scope) }
            let windows = try await WindowReader(stores, logger: Logger(label: "kdcube.export"))
            try await windows.flush(query.scope)
            await windows.close()
            let out = FileHandle.standardOutput
            if !format.head.isEmpty { try out.write(contentsOf: Data(format.head.utf8)) }
            try await stores.ledger.forEachPage(of: query) { rows in
                try out.write(contentsOf: Data(format.text(rows).utf8))
            }
            await stores.close()
        }
    }
}
