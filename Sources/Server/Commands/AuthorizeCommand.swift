internal import ArgumentParser
internal import Cedar
internal import Foundation
internal import JSON

/// `kdcube authorize`: Cedar authorizations outside of the server, for scripts and for tests of policies.
struct AuthorizeCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "authorize",
        abstract: "Decide Cedar requests and print the decision, the policies that made it, and those with errors.",
        discussion: "A request is {principal:{type,id}, action:{type,id}, resource:{type,id}, context:{…}, validateRequest?:bool}.")

    @Option(help: "A file of Cedar policies; their ids are policy0, policy1, … in its order.") var policies: String
    @Option(help: "A JSON file of entities.") var entities: String
    @Option(help: "A Cedar schema, in its own form or in JSON: entities and requests are checked against it.") var schema: String?
    @Option(help: "A JSON file of one request.") var requestJSON: String?
    @Option(help: "A file of requests, one a line; one answer a line, in their order.") var batch: String?

    func validate() throws {
        guard (requestJSON == nil) != (batch == nil) else { throw ValidationError("give either --request-json or --batch") }
    }

    func run() async throws {
        try await reportingFailures {
            let desk = try CedarDesk(policies: policies, entities: entities, schema: schema)
            if let requestJSON {
                return Output.line(try desk.answer(try CedarFiles.text(requestJSON), place: requestJSON).jsonText)
            }
            var wrong = 0
            for (index, line) in try CedarFiles.text(batch ?? "").split(separator: "\n").enumerated() {
                do {
                    Output.line(try desk.answer(String(line), place: "line \(index + 1)").jsonText)
                } catch {
                    wrong += 1
                    Output.line(JSONValue.object(JSONObject([("error", .string("\(error)"))])).jsonText)
                }
            }
            if wrong > 0 { throw CommandFailure("\(wrong) of the requests could not be decided; their lines say why") }
        }
    }
}

/// `kdcube validate`: strict validation of Cedar policies against a schema.
struct ValidateCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "validate", abstract: "Check Cedar policies against a schema. Exits 1 with the findings when they do not fit it.")

    @Option(help: "A file of Cedar policies.") var policies: String
    @Option(help: "A Cedar schema, in its own form or in JSON.") var schema: String

    func run() async throws {
        try await reportingFailures {
            let schema = try CedarFiles.schema(schema)
            let report = schema.validate(try CedarFiles.policies(policies).policies)
            for finding in report.errors { Output.line("error: \(finding)") }
            for finding in report.warnings { Output.line("warning: \(finding)") }
            guard report.isValid else { throw ExitCode(1) }
        }
    }
}

/// Policies, entities and a schema, read once, and requests that are decided by them.
private struct CedarDesk {
    let authorizer: Authorizer
    let entities: Entities
    let schema: Schema?

    init(policies: String, entities path: String, schema schemaPath: String?) throws {
        authorizer = Authorizer(try CedarFiles.policies(policies))
        let schema = try schemaPath.map(CedarFiles.schema)
        let text = try CedarFiles.text(path)
        do {
            var entities = try Entities(parsing: text, hints: schema)
            if let schema {
                entities = try entities.adding(schema.actions)
                try schema.validate(entities)
            }
            self.entities = entities
        } catch {
            throw CommandFailure("\(path): \(error)")
        }
        self.schema = schema
    }

    func answer(_ text: String, place: String) throws(CommandFailure) -> JSONValue {
        do {
            let request = try Request(parsing: text, hints: schema)
            // A request is held against the schema unless it asks not to be.
            let wants = (try? JSONValue(parsing: text))?["validateRequest"]?.boolValue ?? true
            if let schema, wants { try schema.validate(request) }
            let response = authorizer.authorize(request, entities)
            return [
                "decision": .string(response.decision.rawValue), "reason": .array(response.reason.map { .string($0) }),
                "errors": .array(response.errors.map { .string($0) }),
            ]
        } catch {
            throw CommandFailure("\(place): \(error)")
        }
    }
}

enum CedarFiles {
    /// Larger than any set of policies or entities that a person has written.
    private static let bytesMax = 64 << 20

    static func text(_ path: String) throws -> String {
        guard let data = FileManager.default.contents(atPath: path) else { throw CommandFailure("\(path) cannot be read") }
        guard data.count <= bytesMax, let text = String(validating: data, as: UTF8.self) else {
            throw CommandFailure("\(path) must be UTF-8 text of at most 64 MiB")
        }
        return text
    }

    static func policies(_ path: String) throws -> PolicySet {
        let text = try text(path)
        do { return try PolicySet(parsing: text) } catch { throw CommandFailure("\(path): \(error)") }
    }

    /// JSON begins with a brace, and no schema in Cedar's own form does.
    static func schema(_ path: String) throws -> Schema {
        let text = try text(path)
        do {
            return try text.first { !$0.isWhitespace } == "{" ? Schema(json: text) : Schema(text: text)
        } catch {
            throw CommandFailure("\(path): \(error)")
        }
    }
}
