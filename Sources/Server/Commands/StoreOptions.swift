internal import ArgumentParser
internal import Foundation
internal import Logging

/// The options of every command that touches stores: the same as `serve` has.
struct StoreOptions: ParsableArguments {
    @Option(help: "A YAML configuration file.")
    var config: String?

    @Option(help: "The data directory.")
    var data: String?

    @Option(help: "The Redis of the counters, such as redis://127.0.0.1:6379/0.")
    var redis: String?

    @Option(help: "The Postgres of ledger, keys, budgets and conversations, such as postgresql://127.0.0.1/kdcube.")
    var postgres: String?

    /// Flags by the path of the setting that they override.
    var flags: [String: String] {
        var flags: [String: String] = [:]
        flags["stores.data"] = data
        flags["stores.redis"] = redis
        flags["stores.postgres"] = postgres
        return flags
    }

    func configuration(_ more: [String: String] = [:]) throws -> Configuration {
        try Configuration.load(file: config, flags: flags.merging(more) { $1 })
    }

    func stores() throws -> Stores { try Stores(configuration().stores) }
}

/// Runs a command's body and turns what goes wrong into one line on standard error and exit code 1.
///
/// - Parameter author: who changes what the body changes, for the decision log.
func reportingFailures(as author: AuditAuthor = .commandLine, _ body: () async throws -> Void) async throws {
    do {
        try await AuditAuthor.$current.withValue(author) { try await body() }
    } catch let exit as ExitCode {
        throw exit
    } catch let validation as ValidationError {
        throw validation
    } catch {
        FileHandle.standardError.write(Data("kdcube: \(SettingsTree.oneLine("\(error)"))\n".utf8))
        throw ExitCode(1)
    }
}

extension Logger {
    /// For commands: what a command has to say it prints, one line for each error.
    static let silent = Logger(label: "kdcube") { _ in SwiftLogNoOpLogHandler() }
}

/// Standard output of commands.
enum Output {
    static func line(_ text: String) {
        FileHandle.standardOutput.write(Data((text + "\n").utf8))
    }

    /// Columns padded to their widest cell; numbers are the caller's to align.
    static func table(_ rows: [[String]]) {
        let widths = (0..<(rows.first?.count ?? 0)).map { column in rows.map { $0[column].count }.max() ?? 0 }
        for row in rows {
            let cells = zip(row, widths).map { text, width in text + String(repeating: " ", count: width - text.count) }
            line(cells.joined(separator: "  ").trimmingSpaces)
        }
    }
}
