internal import Foundation
internal import Testing

@testable internal import Cedar

/// The schemas and verdicts of the public corpus, where the machine has it. `CorpusTests` says where.
@Suite("Corpus with schemas")
struct ValidationCorpusTests {
    @Test(
        "every verdict of the corpus is the official one, and all its requests and entities fit their schemas",
        .enabled(if: !CorpusTests.variable.isEmpty, "CEDAR_CORPUS does not name the folder of the corpus"))
    func verdicts() async throws {
        let folder = try CorpusFolder(CorpusTests.variable)
        defer { folder.remove() }
        let stems = try folder.stems()
        try #require(!stems.isEmpty)
        let lanes = ProcessInfo.processInfo.activeProcessorCount
        let tally = await withTaskGroup(of: Tally.self) { group in
            for lane in 0..<lanes {
                group.addTask {
                    var tally = Tally()
                    for stem in stride(from: lane, to: stems.count, by: lanes).map({ stems[$0] }) { tally.add(folder, stem) }
                    return tally
                }
            }
            return await group.reduce(into: Tally()) { $0.merge($1) }
        }
        print("corpus: \(tally.verdicts) of \(stems.count) verdicts agree, \(tally.valid) valid; \(tally.requests) requests fit")
        #expect(tally.faults.isEmpty, "\(tally.faults.sorted().prefix(10).joined(separator: "\n"))")
        #expect(tally.verdicts == stems.count)
    }

    private struct Tally: Sendable {
        var verdicts = 0
        var valid = 0
        var requests = 0
        var faults: [String] = []

        mutating func add(_ folder: CorpusFolder, _ stem: String) {
            do {
                let document = try SchemaDocument(text: folder.text(stem + ".cedarschema"))
                let schema = try Schema(document)
                if try Schema(text: document.text()) != schema { faults.append("\(stem): printed otherwise") }
                if try Schema(json: SchemaJSONPrinter.text(document)) != schema { faults.append("\(stem): otherwise in JSON") }
                let suite = try JSONReader.parse(folder.text(stem + ".json"))
                let policies = try PolicySet(parsing: folder.text(stem + ".cedar"))
                let report = schema.validate(policies.policies)
                if report.isValid { valid += 1 }
                if case .bool(report.isValid)? = suite["shouldValidate"] {
                    verdicts += 1
                } else {
                    faults.append("\(stem): \(report.errors.first.map(\.description) ?? "valid")")
                }
                let entities = try Entities(parsing: folder.text(stem + ".entities.json"), hints: schema)
                try schema.validate(entities)
                guard case .array(let cases)? = suite["requests"] else { throw DataError("no requests") }
                for (number, wanted) in cases.enumerated() {
                    let request = try Request(wanted, schema, path: "")
                    if case .bool(true)? = wanted["validateRequest"] { try schema.validate(request) }
                    requests += 1
                    check(Authorizer(policies).authorize(request, entities), report, wanted, "\(stem) request \(number)")
                }
            } catch {
                faults.append("\(stem): \(error)")
            }
        }

        /// The schema changes no answer, and valid policies fail only where validation does not look.
        private mutating func check(_ response: Response, _ report: ValidationReport, _ wanted: JSONTree, _ name: String) {
            let isExpected = response.failures.allSatisfy { failure in
                switch failure.error.kind {
                case .overflow, .missingEntity, .extensionValue: true
                default: false
                }
            }
            if report.isValid, !isExpected { faults.append("\(name): valid, and \(response.failures)") }
            if wanted["decision"]?.text != response.decision.rawValue || wanted["errors"]?.texts != Set(response.errors) {
                faults.append("\(name): another answer with the schema")
            }
        }

        mutating func merge(_ other: Tally) {
            verdicts += other.verdicts
            valid += other.valid
            requests += other.requests
            faults += other.faults
        }
    }
}
