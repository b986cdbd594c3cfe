internal import ArgumentParser
internal import Foundation
internal import JSON
internal import NIOHTTP1
internal import Supervisor

/// The options of a command that publishes a document of a running server.
struct PublishOptions: ParsableArguments {
    @Option(help: "Why, for the decision log.") var reason: String
    @Option(help: "The version that was changed; without it, whatever is in force.") var base: String?
    @OptionGroup var server: ServerOptions
    @Flag(help: "Print JSON.") var json = false

    /// - Parameter content: what is published, in the place of what the server shows of the document.
    func publish(_ document: PublishedDocument, _ content: (_ standing: JSONValue) -> (key: String, value: JSONValue)) async throws {
        let (_, standing) = try await server.ask(.GET, document.address)
        guard let inForce = standing["version"]?.stringValue else {
            throw CommandFailure(standing["error"]?["message"]?.stringValue ?? document.words.absent.there)
        }
        let body = JSONObject([content(standing), ("base", .string(base ?? inForce)), ("reason", .string(reason))])
        try document.report(try await server.ask(.PUT, document.address, .object(body)).answer, json: json)
    }
}

/// The options of a command that puts a document of a running server back.
struct RollbackOptions: ParsableArguments {
    @Argument(help: "The version, as in the decision log.") var version: String
    @Option(help: "Why, for the decision log.") var reason: String
    @OptionGroup var server: ServerOptions
    @Flag(help: "Print JSON.") var json = false

    func rollBack(_ document: PublishedDocument) async throws {
        let body: JSONValue = ["version": .string(version), "reason": .string(reason)]
        try document.report(try await server.ask(.POST, "\(document.address)/rollback", body).answer, json: json)
    }
}

extension PublishedDocument {
    /// Prints what a server has answered.
    fileprivate func report(_ answer: JSONValue, json: Bool) throws {
        if json { Output.line(answer.jsonText) }
        if let message = answer["error"]?["message"]?.stringValue {
            if !json { PolicyOptions.printFindings((answer["findings"]?.arrayValue ?? []).map(PolicyFinding.line)) }
            throw CommandFailure(message)
        }
        guard !json, let version = answer["version"]?.stringValue else { return }
        for (kind, word) in [("made", "new"), ("changed", "changed"), ("removed", "removed")] {
            let names = (answer["changes"]?[kind]?.arrayValue ?? []).compactMap(\.stringValue)
            if !names.isEmpty { Output.line("\(word): \(names.joined(separator: ", "))") }
        }
        Output.line(
            answer["changed"]?.boolValue == true ? "\(name) are now version \(version)" : "\(name) are as before: version \(version)")
    }
}

extension PolicyFinding {
    /// A finding of a server's answer as this type writes it.
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
