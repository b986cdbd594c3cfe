internal import HTTPTypes
internal import JSON
internal import Supervisor

/// The files that somebody sends to be checked or published: all policies, and the tests that are to be others. Read strictly.
struct PolicyDraft: Sendable {
    /// Files of tests that are sent at once: as many as policies.
    private static let testFilesMax = PolicyLimits.filesMax

    let policies: [PolicyFile]
    let tests: [PolicyFile]
    /// Tests that are to go.
    let removedTests: Set<String>

    /// False for a set of old that brings the tests of its time: those in force go.
    private let keepsTests: Bool

    /// A version that once served. One that was kept without its tests stands beside those in force.
    init(policies: [PolicyFile], tests: [PolicyFile]) {
        self.policies = policies
        self.tests = tests
        removedTests = []
        keepsTests = tests.isEmpty
    }

    /// `[{"name", "text"}]`; a test with the text null is removed.
    init(_ fields: FieldReader) throws(HTTPFailure) {
        guard let list = fields.value("files")?.arrayValue, !list.isEmpty else {
            throw fields.failure("files", "must be an array of {name, text}, and not empty")
        }
        guard list.count <= PolicyLimits.filesMax + Self.testFilesMax else {
            throw Self.refusal("files", "There are more than \(PolicyLimits.filesMax) files of policies and as many of tests.")
        }
        var (policies, tests, removed): ([PolicyFile], [PolicyFile], Set<String>) = ([], [], [])
        var names: Set<String> = []
        for (index, value) in list.enumerated() {
            guard let object = value.objectValue, object.members.allSatisfy({ $0.key == "name" || $0.key == "text" }),
                let name = object["name"]?.stringValue
            else { throw fields.failure("files[\(index)]", "must be {name, text}") }
            guard PolicyFileName.isFine(name) else {
                throw Self.refusal(
                    "files[\(index)].name",
                    "A file's name ends with .cedar, .test.yaml or .test.yml and has letters, digits, “.”, “_” and “-”, in at most four folders."
                )
            }
            guard names.insert(name).inserted else { throw Self.refusal("files[\(index)].name", "There are two files of this name.") }
            if object["text"] == .null, PolicyFolder.isTest(name) {
                removed.insert(name)
                continue
            }
            guard let text = object["text"]?.stringValue, text.utf8.count <= PolicyLimits.fileBytesMax, !text.utf8.contains(0) else {
                throw Self.refusal("files[\(index)].text", "A file's text has at most \(PolicyLimits.fileBytesMax) bytes, and no U+0000.")
            }
            if PolicyFolder.isTest(name) {
                tests.append(PolicyFile(name: name, text: text))
            } else {
                policies.append(PolicyFile(name: name, text: text))
            }
        }
        guard policies.count <= PolicyLimits.filesMax else {
            throw Self.refusal("files", "There are more than \(PolicyLimits.filesMax) files of policies.")
        }
        self.policies = policies
        self.tests = tests
        removedTests = removed
        keepsTests = true
    }

    /// The draft beside the tests of those in force that it says nothing about, in the order of their names.
    func texts(beside inForce: [PolicyFile]) -> [PolicyFile] {
        let sent = Set(tests.map(\.name)).union(removedTests)
        let kept = keepsTests ? inForce.filter { !sent.contains($0.name) } : []
        return (policies + tests + kept).sorted { $0.name < $1.name }
    }

    private static func refusal(_ param: String, _ message: String) -> HTTPFailure {
        HTTPFailure(.badRequest, code: "invalid_policy_file", message: message, param: param, headers: [.shouldRetry: "false"])
    }
}
