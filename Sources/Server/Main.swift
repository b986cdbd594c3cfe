internal import ArgumentParser

/// The command line.
@main
struct KDCube: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "kdcube", abstract: "A realtime server for AI agents that pays for every token before it forwards it.",
        version: LiveServer.version,
        subcommands: [
            ServeCommand.self, OrgsCommand.self, ProjectsCommand.self, UsersCommand.self, KeysCommand.self, BudgetCommand.self,
            UsageCommand.self, PricesCommand.self, ExportCommand.self, WhyCommand.self, KillCommand.self, TopCommand.self,
            ReconcileCommand.self, AuditCommand.self, CheckConfigCommand.self,
            DoctorCommand.self, AuthorizeCommand.self, ValidateCommand.self, PolicyCommand.self, ToolsCommand.self, ApprovalsCommand.self,
        ])
}
