internal import Accounting
internal import Engine
internal import Executor
internal import Logging
internal import NIOCore
internal import Supervisor
internal import SupervisorAdapters
internal import Telemetry

/// Everything that tools need in a server process: the catalog, the adapters, the supervisor, and the sandboxes for code.
struct ToolRoom: Sendable {
    /// How often the isolation is probed again: what an update or an administrator took away is noticed within it.
    private static let probing = Duration.seconds(3_600)

    let catalog: ToolCatalog
    let supervisor: ToolSupervisor
    let gate: ToolGateBinding
    /// Nil where no tool runs code.
    let host: SandboxHost?
    /// Below it no code is run.
    let minimum: IsolationLevel
    private let elsewhere: ToolAdapters
    private let gateOfCode = StartGate()
    private let logger: Logger

    /// Reads files: not on an event loop.
    ///
    /// - Returns: nil where the settings name no catalog.
    static func make(
        _ configuration: Configuration, stores: Stores, accountant: Accountant, writer: DecisionWriter, group: any EventLoopGroup, registry: MetricRegistry,
        logger: Logger
    ) throws -> ToolRoom? {
        guard !configuration.tools.file.isEmpty else { return nil }
        return try ToolRoom(
            ToolsFile(configuration.tools.file).catalog, configuration, stores, accountant, writer, group, registry, logger)
    }

    private init(
        _ catalog: ToolCatalog, _ configuration: Configuration, _ stores: Stores, _ accountant: Accountant, _ writer: DecisionWriter,
        _ group: any EventLoopGroup, _ registry: MetricRegistry, _ logger: Logger
    ) throws {
        self.catalog = catalog
        self.logger = logger
        minimum = configuration.sandbox.executor.minimum
        let runsCode = catalog.tools.contains { $0.adapter == .builtin(BuiltinTool.runCode.rawValue) }
        host = runsCode ? SandboxHost(configuration.sandbox.executor, observer: SandboxMetrics(registry, logger: logger)) : nil
        elsewhere = ToolAdapters(group: group) { server, line in
            logger.info("an MCP server says", metadata: ["server": "\(server)", "line": "\(line)"])
        }
        let metrics = ToolMetrics(registry)
        var adapters: [String: any ToolAdapter] = [:]
        for tool in catalog.tools {
            adapters[tool.name] = Self.own(tool.adapter, of: catalog, host, gateOfCode, stores) ?? elsewhere.adapter(for: tool.adapter)
        }
        supervisor = try ToolSupervisor(
            catalog: catalog, adapters: adapters,
            ports: ToolSupervisor.Ports(
                log: DecisionLogBinding(writer: writer, metrics: metrics, logger: logger),
                meter: ToolMeterBinding(accountant: accountant),
                idempotency: IdempotencyBinding(stores.idempotency, logger: logger), metrics: metrics))
        gate = ToolGateBinding(supervisor: supervisor, onKill: configuration.sandbox.onKill)
    }

    /// The tools that work on what the server itself has.
    private static func own(
        _ definition: AdapterDefinition, of catalog: ToolCatalog, _ host: SandboxHost?, _ gate: StartGate, _ stores: Stores
    ) -> (any ToolAdapter)? {
        guard case .builtin(let name) = definition, let builtin = BuiltinTool(rawValue: name) else { return nil }
        switch builtin {
        case .runCode: return host.map { CodeTool(host: $0, gate: gate, catalog: catalog) }
        case .knowledgeSearch: return KnowledgeSearchTool(knowledge: stores.knowledge)
        case .memoryGet: return UserMemoryTool(verb: .get, memory: stores.memory)
        case .memorySet: return UserMemoryTool(verb: .set, memory: stores.memory)
        case .paymentsRefund, .mailDraft, .mailSend, .crmLookup, .recordsRead: return nil
        }
    }

    /// Probes the machine and fills the pool. Code is refused until then, and after it when the machine is too weak.
    func start() async {
        async let checked: Void = checkElsewhere()
        await startSandboxes()
        await checked
    }

    private func checkElsewhere() async {
        for tool in catalog.tools {
            do { try await elsewhere.check(tool.adapter) } catch {
                logger.error("a tool cannot be called as it is defined", metadata: ["tool": "\(tool.name)", "fault": "\(error.message)"])
            }
        }
    }

    private func startSandboxes() async {
        guard let host else { return }
        defer { gateOfCode.open() }
        do {
            try await host.start()
            if let report = host.report { logger.notice("code runs in sandboxes", metadata: ["isolation": "\(report.level.rawValue)"]) }
        } catch {
            logger.error("code is not run; kdcube doctor says what is missing", metadata: ["fault": "\(error)"])
        }
    }

    /// Until the task is cancelled.
    func probeForEver() async {
        guard let host else { return }
        while !Task.isCancelled {
            try? await Task.sleep(for: Self.probing)
            if !Task.isCancelled { _ = await host.probe() }
        }
    }

    /// When no run lives any more.
    func shutdown() async {
        await host?.shutdown()
        await elsewhere.shutdown()
    }
}

/// The tools that the server itself has (contract, section 5).
enum BuiltinTool: String, CaseIterable {
    case runCode = "run_code"
    case knowledgeSearch = "knowledge.search"
    case memoryGet = "memory.get"
    case memorySet = "memory.set"
    case paymentsRefund = "payments.refund"
    case mailDraft = "mail.draft"
    case mailSend = "mail.send"
    case crmLookup = "crm.lookup"
    case recordsRead = "records.read"
}
