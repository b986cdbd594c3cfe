internal import ArgumentParser
internal import Foundation
internal import JSON
internal import Logging

/// `kdcube serve`.
struct ServeCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(commandName: "serve", abstract: "Run the server.")

    @OptionGroup var store: StoreOptions
    @Option(help: "The address to listen on.") var host: String?
    @Option(help: "The port to listen on; 0 takes a free one.") var port: Int?
    @Option(help: "Least level of log lines: debug, info, notice, warning, error.") var logLevel: String?

    func validate() throws {
        guard logLevel.map({ Logger.Level(rawValue: $0) != nil }) ?? true else {
            throw ValidationError("--log-level must be debug, info, notice, warning or error")
        }
    }

    func run() async throws {
        try await reportingFailures(as: AuditAuthor(name: "server")) {
            var flags: [String: String] = [:]
            flags["server.host"] = host
            flags["server.port"] = port.map(String.init)
            flags["log.level"] = logLevel
            let settings = try store.configuration(flags)
            LogThreshold.shared.level = settings.logLevel
            LoggingSystem.bootstrap { JSONLogHandler(label: $0) }
            let logger = Logger(label: "kdcube")
            try await ServerGraph(configuration: settings, logger: logger).run { port in
                logger.info("serving", metadata: ["host": "\(settings.server.host)", "port": "\(port)"])
                Output.line("kdcube is serving \(settings.server.scheme)://\(settings.server.host):\(port)")
            }
        }
    }
}
