internal import ArgumentParser
internal import Foundation
internal import JSON
internal import NIOHTTP1
internal import Supervisor

extension PolicyCommand {
    /// `kdcube policy publish`.
    struct Publish: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract:
                "Put the policies of a directory into the place of those that a running server decides by; exit 1 when it refuses them.")

        @Argument(help: "The directory of policies and their tests.") var directory: String
        @Option(help: "Why, for the decision log.") var reason: String
        @Option(help: "The version that was changed; without it, whatever is in force.") var base: String?
        @OptionGroup var server: ServerOptions
        @Flag(help: "Print JSON.") var json = false

        func run() async throws {
            try await reportingFailures {
                let folder: PolicyFolder
                do throws(PolicyLoadError) { folder = try PolicyFolder(directory) } catch {
                    PolicyOptions.printFindings(error.findings.map(\.description))
                    throw CommandFailure("the policies of \(directory) cannot be read")
                }
                let (_, standing) = try await server.ask(.GET, "/api/admin/policies")
                guard let inForce = standing["version"]?.stringValue else {
                    throw CommandFailure(standing["error"]?["message"]?.stringValue ?? "the server has no directory of policies")
                }
                let files = (folder.files + folder.testTexts).map { ["name": .string($0.name), "text": .string($0.text)] as JSONValue }
                // What the directory has no more is to go on the server as well.
                let kept = Set(folder.testTexts.map(\.name))
                let gone = (standing["test_files"]?.arrayValue ?? []).compactMap { $0["name"]?.stringValue }.filter { !kept.contains($0) }
                let body: JSONValue = [
                    "files": .array(files + gone.map { ["name": .string($0), "text": .null] }), "base": .string(base ?? inForce),
                    "reason": .string(reason),
                ]
                try PolicyCommand.report(try await server.ask(.PUT, "/api/admin/policies", body).answer, json: json)
            }
        }
    }

    /// `kdcube policy rollback`.
    struct Rollback: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Have a running server decide again by a version of its policies that once was in force.")

        @Argument(help: "The version, as in the decision log.") var version: String
        @Option(help: "Why, for the decision log.") var reason: String
        @OptionGroup var server: ServerOptions
        @Flag(help: "Print JSON.") var json = false

        func run() async throws {
            try await reportingFailures {
                let body: JSONValue = ["version": .string(version), "reason": .string(reason)]
                try PolicyCommand.report(try await server.ask(.POST, "/api/admin/policies/rollback", body).answer, json: json)
            }
        }
    }

    fileprivate static func report(_ answer: JSONValue, json: Bool) throws {
        if json { Output.line(answer.jsonText) }
        if let message = answer["error"]?["message"]?.stringValue {
            if !json { PolicyOptions.printFindings((answer["findings"]?.arrayValue ?? []).map(line)) }
            throw CommandFailure(message)
        }
        guard !json, let version = answer["version"]?.stringValue else { return }
        Output.line(
            answer["changed"]?.boolValue == true ? "policies are now version \(version)" : "policies are as before: version \(version)")
    }

    /// A finding of an answer as ``PolicyFinding`` writes it.
    static func line(_ finding: JSONValue) -> String {
        PolicyFinding(
            finding["severity"]?.stringValue.flatMap { PolicyFinding.Severity(rawValue: $0) } ?? .error, "",
            file: finding["file"]?.stringValue ?? "", line: Int(finding["line"]?.integerValue ?? 0),
            column: Int(finding["column"]?.integerValue ?? 0), rule: finding["rule"]?.stringValue,
            message: finding["message"]?.stringValue ?? ""
        ).description
    }
}

extension PolicyOptions {
    static func printFindings(_ findings: [String]) {
        for finding in findings { FileHandle.standardError.write(Data("\(finding)\n".utf8)) }
    }
}
