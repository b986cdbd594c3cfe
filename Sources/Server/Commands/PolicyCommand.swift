internal import Accounting
internal import ArgumentParser
internal import Foundation
internal import JSON
internal import Supervisor

/// `kdcube policy`: policies beside a server, or without one.
struct PolicyCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "policy", abstract: "Check, test, explain and publish policies, and replay past decisions under them.",
        subcommands: [Check.self, Test.self, Explain.self, Replay.self, SchemaText.self, Publish.self, Rollback.self])

    /// `kdcube policy check`.
    struct Check: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Find what is wrong with a directory of policies, and what hardly means what it says; exit 1 for errors.")

        @OptionGroup var policies: PolicyOptions
        @Flag(help: "Exit 1 for warnings too.") var strict = false
        @Flag(help: "Print JSON.") var json = false

        func run() async throws {
            try await reportingFailures {
                let (version, findings) = try policies.findings()
                let isGood = !findings.contains { $0.severity == .error || strict && $0.severity == .warning }
                if json {
                    Output.line(
                        ([
                            "ok": .bool(isGood), "version": version.map { .string($0) } ?? .null,
                            "findings": .array(findings.map(\.json)),
                        ] as JSONValue).jsonText)
                } else {
                    for finding in findings { Output.line(finding.description) }
                    Output.line(version.map { "version \($0)" } ?? "this set would not be loaded")
                }
                if !isGood { throw ExitCode(1) }
            }
        }
    }

    /// `kdcube policy test`.
    struct Test: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Run the tests beside the policies; exit 1 if one fails.")

        @OptionGroup var policies: PolicyOptions
        @Flag(name: .customLong("coverage"), help: "Exit 1 unless every rule was matched and not matched by some test.")
        var demandsCoverage = false
        @Flag(help: "Print JSON.") var json = false

        func run() async throws {
            try await reportingFailures {
                let runner = try policies.tested()
                let (results, coverage) = (runner.run(), runner.coverage())
                let uncovered = coverage.filter { !$0.isComplete }
                let failed = results.filter { !$0.passed }
                if json {
                    Output.line(
                        ([
                            "passed": .integer(Int64(results.count - failed.count)), "failed": .integer(Int64(failed.count)),
                            "tests": .array(results.map(\.json)), "coverage": .array(coverage.map(\.json)),
                        ] as JSONValue).jsonText)
                } else {
                    for result in results {
                        Output.line(
                            result.passed
                                ? "ok      \(result.file): \(result.name)"
                                : "FAILED  \(result.file): \(result.name): \(result.difference ?? "")")
                    }
                    for rule in uncovered {
                        let what = rule.matched == 0 ? "no test satisfies it" : "every test about its tools satisfies it"
                        Output.line("note    \(rule.rule): \(what)")
                    }
                    Output.line("\(results.count - failed.count) passed, \(failed.count) failed")
                }
                if !failed.isEmpty || demandsCoverage && !uncovered.isEmpty { throw ExitCode(1) }
            }
        }
    }

    /// `kdcube policy explain`.
    struct Explain: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Say what policies decide of a call, and why.",
            discussion: """
                The request is JSON: {"call": "payments.refund", "args": {…}, "as": {"org", "project", "user", "roles": […]}, "source": \
                "model", "history": [{"tool", "key"}], "now": "2026-11-28T09:00:00Z"}; everything but call has a default.
                """)

        @OptionGroup var policies: PolicyOptions
        @Option(help: "A JSON file of one request.") var request: String
        @Flag(help: "Print JSON.") var json = false

        func run() async throws {
            try await reportingFailures {
                let catalog = try policies.catalog()
                let bundle = try policies.bundle(catalog)
                let question: DecisionRequest
                do {
                    question = try DecisionRequest(question: JSONValue(parsing: Array(try CedarFiles.text(request).utf8)), catalog: catalog)
                } catch {
                    throw CommandFailure("\(request): \(error)")
                }
                let explanation = PolicyExplanation(bundle, question)
                Output.line(json ? explanation.json.jsonText : explanation.text)
            }
        }
    }

    /// `kdcube policy schema`.
    struct SchemaText: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "schema", abstract: "Print the Cedar schema that policies are checked against, made of the tools.")

        @Option(help: "The catalog of tools; without it, that of the configuration.") var tools: String?
        @Option(help: "A YAML configuration file.") var config: String?

        func run() async throws {
            try await reportingFailures {
                let catalog = try PolicyOptions.catalog(tools: tools, config: config, beside: nil)
                Output.line(try PolicySchema(catalog).text())
            }
        }
    }
}

/// Which policies, for which tools.
struct PolicyOptions: ParsableArguments {
    @Argument(help: "The directory of policies.") var directory: String
    @Option(help: "The catalog of tools; without it, tools.file of the configuration, or tools.yaml beside the directory.") var tools:
        String?
    @Option(help: "A YAML configuration file.") var config: String?

    func catalog() throws -> ToolCatalog { try Self.catalog(tools: tools, config: config, beside: directory) }

    static func catalog(tools: String?, config: String?, beside directory: String?) throws -> ToolCatalog {
        var path = tools ?? ""
        if path.isEmpty { path = try Configuration.load(file: config).tools.file }
        if path.isEmpty, let directory {
            let beside = URL(fileURLWithPath: directory).standardizedFileURL.deletingLastPathComponent().appending(path: "tools.yaml").path
            if FileManager.default.fileExists(atPath: beside) { path = beside }
        }
        guard !path.isEmpty else { throw CommandFailure("policies are about tools: name their catalog with --tools FILE") }
        return try ToolsFile(path, environment: nil).catalog
    }

    /// - Throws: ``CommandFailure`` with every finding, for commands that need a set that would be loaded.
    func bundle(_ catalog: ToolCatalog) throws -> PolicyBundle { try Self.bundle(directory, catalog) }

    static func bundle(_ directory: String, _ catalog: ToolCatalog) throws -> PolicyBundle {
        do throws(PolicyLoadError) { return try PolicyFolder(directory).bundle(for: catalog) } catch {
            for finding in error.findings { FileHandle.standardError.write(Data("\(finding)\n".utf8)) }
            throw CommandFailure("the policies of \(directory) would not be loaded")
        }
    }

    /// The version of a set that would be loaded, and everything that is to be said about it.
    func findings() throws -> (version: String?, findings: [PolicyFinding]) {
        let catalog = try catalog()
        do throws(PolicyLoadError) {
            let bundle = try PolicyFolder(directory).bundle(for: catalog)
            return (bundle.version, PolicyCheck.findings(bundle))
        } catch {
            return (nil, error.findings)
        }
    }

    /// The tests' results, also of a set whose tests fail.
    func tested() throws -> PolicyTestRunner {
        let catalog = try catalog()
        do throws(PolicyLoadError) {
            let folder = try PolicyFolder(directory)
            return PolicyTestRunner(
                try PolicyBundle(files: folder.files, tests: folder.tests, catalog: catalog, demandsTests: false))
        } catch {
            for finding in error.findings { FileHandle.standardError.write(Data("\(finding)\n".utf8)) }
            throw CommandFailure("the policies of \(directory) cannot be tested")
        }
    }
}
