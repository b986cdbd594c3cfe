internal import ArgumentParser
internal import Engine
internal import JSON
internal import JWT

/// `kdcube check-config`.
struct CheckConfigCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "check-config", abstract: "Check the configuration and print it merged, secrets masked.")

    @OptionGroup var store: StoreOptions
    @Flag(help: "Print JSON on one line.") var json = false

    func run() async throws {
        try await reportingFailures {
            let configuration = try store.configuration()
            // What the server would find wrong only at its start is found here as well.
            try configuration.stores.checkServable()
            let keys = configuration.tokens.areAccepted ? try TokenKeys.load(configuration.tokens).keys : nil
            if let tls = configuration.server.tls { _ = try CertificateFiles(tls).load(connectsToPeers: true) }
            _ = try Prices.load(configuration.priceFile, models: configuration.models)
            for setting in configuration.budgets { _ = try setting.budget }
            if !configuration.tools.file.isEmpty {
                let catalog = try ToolsFile(configuration.tools.file).catalog
                let folders = [("directory", configuration.policies.directory), ("candidate", configuration.policies.candidate)]
                for (key, folder) in folders where !folder.isEmpty { _ = try PolicyRoom.load(folder, "policies.\(key)", catalog) }
            }
            if json { return Output.line(configuration.masked.jsonText) }
            for member in configuration.masked.objectValue?.members ?? [] {
                Output.line("\(member.key): \(member.value.jsonText)")
            }
            for notice in configuration.notices + (keys?.notes.map { "auth.jwt.jwks: \($0)" } ?? []) { Output.line("# \(notice)") }
        }
    }
}
