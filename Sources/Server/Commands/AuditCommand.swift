internal import Accounting
internal import ArgumentParser
internal import Foundation
internal import JSON

/// `kdcube audit`: the log of decisions about calls of tools.
struct AuditCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "audit", abstract: "Verify the log of decisions, or write it out.", subcommands: [Verify.self, Export.self])

    /// `kdcube audit verify`.
    struct Verify: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "verify", abstract: "Follow the chain of every organisation's decisions; exit 1 and name the first bad record.",
            discussion: """
                It may run beside servers. Only a file of checkpoints that was kept where nobody could change it (--checkpoints, or the \
                one of audit.checkpoints) shows that the end was cut off or that all was written anew together with its checkpoints.
                """)

        @OptionGroup var store: StoreOptions
        @Option(help: "One organisation; without it, all.") var org: OrgID?
        @Option(help: "A file of checkpoints; without it, that of the setting audit.checkpoints if it is there.") var checkpoints: String?
        @Option(help: "Believe only checkpoints that are signed by keys of these ids.") var key: [String] = []
        @Flag(help: "Print JSON.") var json = false

        func run() async throws {
            try await reportingFailures {
                let settings = try store.configuration()
                let stores = try Stores(settings.stores)
                let (org, isPrinting) = (org, !json)
                let found = try await AuditVerification.run(
                    stores.audit, org: org, anchors: checkpoints ?? AuditVerification.anchors(settings), trusted: Set(key)
                ) { report in
                    if isPrinting { Self.print(report) }
                }
                await stores.close()
                guard let found else { throw CommandFailure("nothing is known of decisions of \(org?.text ?? "any organisation")") }
                if json { Output.line(found.json.jsonText) } else { Self.printEnd(found) }
                if !found.isGood { throw ExitCode(1) }
            }
        }

        private static func print(_ report: ChainReport) {
            let anchored = report.anchoredTo.map { "anchored up to \($0)" } ?? "no file of checkpoints"
            let ends = "signed up to \(report.signedTo), \(anchored)"
            guard let fault = report.fault else {
                let before = report.unchained == 0 ? "" : ", \(report.unchained) from before the chain"
                Output.line("org:\(report.org): \(report.records) records are as they were written\(before)")
                return Output.line("  \(ends); \(report.unanchored) at the end could be cut off unseen")
            }
            Output.line("org:\(report.org): BROKEN at \(fault.seq): \(fault.text)")
            Output.line("  \(report.records) records before it are as they were written; \(ends)")
        }

        private static func printEnd(_ found: AuditVerification) {
            for key in found.keys { Output.line("key \(key.id) since \(key.at.rfc3339)\(key.isGenuine ? "" : ": its id is not its own")") }
            if found.unreadableLines > 0 { Output.line("\(found.unreadableLines) lines of the file are no checkpoints") }
            if let damage = found.damage { Output.line("BROKEN: the database file is damaged: \(damage)") }
        }
    }

    /// `kdcube audit export`.
    struct Export: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "export", abstract: "Write decisions and outcomes as JSON lines to standard output, with their hashes.",
            discussion: """
                hash is SHA-256 over the line without its member hash: canonical JSON (RFC 8785), as the line is. prev is the hash of the \
                record before it in its organisation. Records from before the chain have neither.
                """)

        @OptionGroup var store: StoreOptions
        @Option(help: "One organisation; without it, all.") var org: OrgID?
        @Option(help: "From this day or instant on (UTC, RFC 3339).") var from: String?
        @Option(help: "Until before this day or instant (UTC, RFC 3339).") var to: String?
        @Flag(help: "It is JSON in any case.") var json = false

        func validate() throws {
            do throws(LedgerSelection.Failure) {
                _ = (try LedgerSelection.instant(from, "from"), try LedgerSelection.instant(to, "to"))
            } catch {
                throw ValidationError("--\(error.description)")
            }
        }

        func run() async throws {
            try await reportingFailures {
                let stores = try store.stores()
                let export = ChainExport(
                    stores.audit, from: try LedgerSelection.instant(from, "from"), to: try LedgerSelection.instant(to, "to"))
                let out = FileHandle.standardOutput
                try await export.forEachPage(org: org) { lines in
                    try out.write(contentsOf: Data((lines.joined(separator: "\n") + "\n").utf8))
                }
                await stores.close()
            }
        }
    }
}
