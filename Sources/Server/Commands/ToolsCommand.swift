internal import ArgumentParser
internal import Foundation
internal import JSON
internal import NIOHTTP1
internal import Supervisor

/// `kdcube tools`: the catalog of tools of a running server, and files that may become it.
struct ToolsCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "tools", abstract: "List, check and publish the tools that a server's models and their code may call.",
        subcommands: [List.self, Check.self, Publish.self, Rollback.self])

    /// `kdcube tools list`.
    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Show the tools of a running server.")

        @OptionGroup var server: ServerOptions
        @Flag(help: "Print JSON.") var json = false

        func run() async throws {
            try await reportingFailures {
                let (_, answer) = try await server.ask(.GET, PublishedDocument.tools.address)
                if let message = answer["error"]?["message"]?.stringValue { throw CommandFailure(message) }
                if json { return Output.line(answer.jsonText) }
                for tool in answer["data"]?.arrayValue ?? [] {
                    let made = tool["builtin"]?.stringValue.map { "built in: \($0)" } ?? tool["kind"]?.stringValue ?? ""
                    let roles = tool["roles"]?.arrayValue.map { "roles \($0.compactMap(\.stringValue).joined(separator: ", "))" }
                    let off = tool["disabled"]?.objectValue == nil ? nil : "switched off"
                    let facts = [tool["effect"]?.stringValue, made, roles, off, tool["fault"]?.stringValue].compactMap { $0 }
                    Output.line("\(tool["name"]?.stringValue ?? ""): \(facts.joined(separator: "; "))")
                }
                if let version = answer["version"]?.stringValue { Output.line("version \(version)") }
                for finding in answer["failure"]?["findings"]?.arrayValue ?? [] {
                    PolicyOptions.printFindings(["the newest file is not in force: \(PolicyFinding.line(finding))"])
                }
            }
        }
    }

    /// `kdcube tools check`.
    struct Check: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Find what is wrong with a catalog of tools, and which policies it would break; exit 1 for errors.")

        @Argument(help: "The file, such as tools.yaml.") var file: String
        @Option(help: "The directory of policies that are to fit; without it, policies beside the file if there are any.") var policies:
            String?
        @Flag(help: "Print JSON.") var json = false

        func run() async throws {
            try await reportingFailures {
                var findings: [PolicyFinding] = []
                var version: String?
                do throws(ConfigurationError) {
                    let read = try ToolsFile(file, environment: nil)
                    findings = try fits(read)
                    version = read.version
                } catch {
                    findings = [PolicyFinding(.error, "tools", file: file, message: error.rule)]
                }
                let isGood = !findings.contains { $0.severity == .error }
                if json {
                    let said: JSONValue = [
                        "ok": .bool(isGood), "version": version.map { .string($0) } ?? .null, "findings": .array(findings.map(\.json)),
                    ]
                    Output.line(said.jsonText)
                } else {
                    for finding in findings { Output.line(finding.description) }
                    Output.line(isGood ? "version \(version ?? "")" : "these tools would not be loaded")
                }
                if !isGood { throw ExitCode(1) }
            }
        }

        private func fits(_ read: ToolsFile) throws(ConfigurationError) -> [PolicyFinding] {
            var directory = policies ?? ""
            if directory.isEmpty {
                let beside = URL(fileURLWithPath: file).standardizedFileURL.deletingLastPathComponent().appending(path: "policies").path
                if FileManager.default.fileExists(atPath: beside) { directory = beside }
            }
            guard !directory.isEmpty else { return [] }
            do throws(PolicyLoadError) {
                return PolicyCheck.findings(try PolicyFolder(directory).bundle(for: read.catalog))
            } catch { return error.findings }
        }
    }

    /// `kdcube tools publish`.
    struct Publish: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Put a catalog into the place of the one that a running server works by; exit 1 when it refuses it.")

        @Argument(help: "The file, such as tools.yaml.") var file: String
        @OptionGroup var options: PublishOptions

        func run() async throws {
            try await reportingFailures {
                guard let data = FileManager.default.contents(atPath: file), let text = String(data: data, encoding: .utf8) else {
                    throw CommandFailure("\(file) cannot be read as UTF-8 text")
                }
                try await options.publish(.tools) { _ in ("text", .string(text)) }
            }
        }
    }

    /// `kdcube tools rollback`.
    struct Rollback: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Have a running server work again by a version of its tools that once was in force.")

        @OptionGroup var options: RollbackOptions

        func run() async throws { try await reportingFailures { try await options.rollBack(.tools) } }
    }
}
