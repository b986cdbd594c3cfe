internal import Accounting
internal import ArgumentParser
internal import Engine
internal import JSON

/// `kdcube kill RUN… | --scope S`: cuts what runs. The servers that share the store follow within a second.
struct KillCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "kill", abstract: "Cut live runs at once: some by id, or all of a scope.")

    @OptionGroup var store: StoreOptions
    @Argument(help: "Ids of runs, as in run_id.") var runs: [String] = []
    @Option(help: "All live runs of org:O, project:O/P, user:O/P/U or key:ID.") var scope: String?
    @Flag(help: "Print JSON.") var json = false

    func validate() throws {
        guard runs.isEmpty != (scope == nil) else { throw ValidationError("name runs, or a --scope, and not both") }
    }

    func run() async throws {
        try await reportingFailures {
            var targets: [Revocation.Target] = []
            if let scope { targets.append(.scope(try WindowOptions.parse(scope: scope))) }
            for text in runs {
                guard let run = RunID(text) else { throw CommandFailure("\(text) is no run id; they begin with run_") }
                targets.append(.run(run.text))
            }
            let stores = try store.stores()
            for target in targets { try await stores.revocations.add(target, org: nil, author: "command line", at: WallClock.now()) }
            await stores.close()
            if json { return Output.line((["ordered": .array(targets.map { .string($0.text) })] as JSONValue).jsonText) }
            for target in targets { Output.line("ordered: \(target.text)") }
        }
    }
}
