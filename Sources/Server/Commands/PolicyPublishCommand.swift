internal import ArgumentParser
internal import JSON
internal import Supervisor

extension PolicyCommand {
    /// `kdcube policy publish`.
    struct Publish: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract:
                "Put the policies of a directory into the place of those that a running server decides by; exit 1 when it refuses them.")

        @Argument(help: "The directory of policies and their tests.") var directory: String
        @OptionGroup var options: PublishOptions

        func run() async throws {
            try await reportingFailures {
                let folder: PolicyFolder
                do throws(PolicyLoadError) { folder = try PolicyFolder(directory) } catch {
                    PolicyOptions.printFindings(error.findings.map(\.description))
                    throw CommandFailure("the policies of \(directory) cannot be read")
                }
                try await options.publish(.policies) { standing in
                    let files = (folder.files + folder.testTexts).map { ["name": .string($0.name), "text": .string($0.text)] as JSONValue }
                    // What the directory has no more is to go on the server as well.
                    let kept = Set(folder.testTexts.map(\.name))
                    let there = (standing["test_files"]?.arrayValue ?? []).compactMap { $0["name"]?.stringValue }
                    let gone = there.filter { !kept.contains($0) }.map { ["name": .string($0), "text": .null] as JSONValue }
                    return ("files", .array(files + gone))
                }
            }
        }
    }

    /// `kdcube policy rollback`.
    struct Rollback: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Have a running server decide again by a version of its policies that once was in force.")

        @OptionGroup var options: RollbackOptions

        func run() async throws { try await reportingFailures { try await options.rollBack(.policies) } }
    }
}
