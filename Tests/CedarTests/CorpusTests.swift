internal import Foundation
internal import Testing

@testable internal import Cedar

/// The public corpus of the language, where the machine has it: `CEDAR_CORPUS` names a folder with the cases, or with
/// `corpus.tar.xz`. It is not part of this repository.
@Suite("Corpus")
struct CorpusTests {
    static let variable = ProcessInfo.processInfo.environment["CEDAR_CORPUS"] ?? ""

    @Test(
        "every answer of the corpus is the official one",
        .enabled(if: !variable.isEmpty, "CEDAR_CORPUS does not name the folder of the corpus"))
    func answers() async throws {
        let folder = try CorpusFolder(Self.variable)
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
        print("corpus: \(tally.agreed) of \(tally.requests) answers agree, in \(stems.count) cases")
        #expect(tally.faults.isEmpty, "\(tally.faults.sorted().prefix(10).joined(separator: "\n"))")
        #expect(tally.agreed == tally.requests)
    }

    struct Tally: Sendable {
        var requests = 0
        var agreed = 0
        var faults: [String] = []

        mutating func add(_ folder: CorpusFolder, _ stem: String) {
            do {
                let policies = try PolicySet(parsing: folder.text(stem + ".cedar"))
                let entities = try Entities(parsing: folder.text(stem + ".entities.json"))
                let printed = PolicyFormatter.format(policies.policies)
                if try PolicySet(parsing: printed).policies != policies.policies { faults.append("\(stem): printed as \(printed)") }
                let suite = try JSONReader.parse(folder.text(stem + ".json"))
                guard case .array(let cases)? = suite["requests"] else { throw DataError("no requests") }
                for (number, wanted) in cases.enumerated() {
                    requests += 1
                    let response = Authorizer(policies).authorize(try Request(wanted, nil, path: ""), entities)
                    let same =
                        wanted["decision"]?.text == response.decision.rawValue && wanted["reason"]?.texts == Set(response.reason)
                        && wanted["errors"]?.texts == Set(response.errors)
                    if same { agreed += 1 } else { faults.append("\(stem) request \(number): \(response)") }
                }
            } catch {
                faults.append("\(stem): \(error)")
            }
        }

        mutating func merge(_ other: Tally) {
            requests += other.requests
            agreed += other.agreed
            faults += other.faults
        }
    }
}

/// The folder with the cases; unpacked into a temporary one if it has the archive only.
struct CorpusFolder: Sendable {
    private let path: String
    private let isTemporary: Bool

    init(_ path: String) throws {
        let archive = path + "/corpus.tar.xz"
        guard FileManager.default.fileExists(atPath: archive) else {
            self.path = path
            isTemporary = false
            return
        }
        let target = FileManager.default.temporaryDirectory.appendingPathComponent("cedar-corpus-\(UUID())").path
        try FileManager.default.createDirectory(atPath: target, withIntermediateDirectories: true)
        let tar = Process()
        tar.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        tar.arguments = ["tar", "-xJf", archive, "-C", target, "--strip-components=1"]
        try tar.run()
        tar.waitUntilExit()
        try #require(tar.terminationStatus == 0)
        self.path = target
        isTemporary = true
    }

    func remove() {
        if isTemporary { try? FileManager.default.removeItem(atPath: path) }
    }

    func stems() throws -> [String] {
        try FileManager.default.contentsOfDirectory(atPath: path).filter { $0.hasSuffix(".cedar") }.map { String($0.dropLast(6)) }.sorted()
    }

    func text(_ name: String) throws -> String { try String(contentsOfFile: path + "/" + name, encoding: .utf8) }
}

extension JSONTree {
    var text: String? { if case .string(let text) = self { text.string } else { nil } }
    var texts: Set<String>? { if case .array(let elements) = self { Set(elements.compactMap(\.text)) } else { nil } }
}
