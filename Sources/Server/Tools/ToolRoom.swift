internal import Accounting
internal import AsyncHTTPClient
internal import Engine
internal import Executor
internal import JSON
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
    /// Nil where there are no policies: then the roles of the catalog decide alone.
    let policies: PolicyRoom?
    let desk: ApprovalDesk
    /// Consoles; they hear of approvals.
    let listeners: ApprovalListeners
    let switches: SwitchWatch
    /// Nil where no tool runs code.
    let host: SandboxHost?
    /// Nil where no tool runs code.
    let sandboxes: SandboxMetrics?
    /// Below it no code is run.
    let minimum: IsolationLevel
    private let webhook: ApprovalWebhook?
    private let elsewhere: ToolAdapters
    private let gateOfCode = StartGate()
    private let logger: Logger

    /// What the room works with; all of it is the server's.
    struct Surroundings: Sendable {
        let stores: Stores
        let accountant: Accountant
        let writer: DecisionWriter
        let trail: AuditTrail
        let client: HTTPClient
        let group: any EventLoopGroup
        let registry: MetricRegistry
        let logger: Logger
    }

    /// Reads files: not on an event loop.
    ///
    /// - Returns: nil where the settings name no catalog.
    static func make(_ configuration: Configuration, _ surroundings: Surroundings) throws -> ToolRoom? {
        guard !configuration.tools.file.isEmpty else { return nil }
        return try ToolRoom(ToolsFile(configuration.tools.file).catalog, configuration, surroundings)
    }

    private init(_ catalog: ToolCatalog, _ configuration: Configuration, _ server: Surroundings) throws {
        let (stores, registry, logger) = (server.stores, server.registry, server.logger)
        self.catalog = catalog
        self.logger = logger
        // Before anything that would have to be shut down again: a set with a mistake ends here.
        policies = try PolicyRoom(
            configuration.policies, catalog: catalog, versions: stores.policyVersions, trail: server.trail, registry: registry,
            logger: logger)
        minimum = configuration.sandbox.executor.minimum
        let runsCode = catalog.tools.contains { $0.adapter == .builtin(BuiltinTool.runCode.rawValue) }
        let observer = runsCode ? SandboxMetrics(registry, logger: logger) : nil
        sandboxes = observer
        host = observer.map { SandboxHost(configuration.sandbox.executor, observer: $0) }
        elsewhere = ToolAdapters(group: server.group) { server, line in
            logger.info("an MCP server says", metadata: ["server": "\(server)", "line": "\(line)"])
        }
        let metrics = ToolMetrics(registry)
        var adapters: [String: any ToolAdapter] = [:]
        for tool in catalog.tools {
            adapters[tool.name] = Self.own(tool.adapter, of: catalog, host, gateOfCode, stores) ?? elsewhere.adapter(for: tool.adapter)
        }
        let address = configuration.approvals.webhook
        webhook =
            address.isEmpty
            ? nil
            : ApprovalWebhook(
                url: address, secret: configuration.approvals.webhookSecret, client: server.client, registry: registry, logger: logger)
        listeners = ApprovalListeners()
        desk = ApprovalDesk(
            store: ApprovalBinding(rows: stores.approvals, logger: logger),
            observers: [ApprovalBroadcast(trail: server.trail, webhook: webhook, listeners: listeners)], metrics: metrics)
        let killSwitch = KillSwitch()
        switches = SwitchWatch(
            stores.switches, tools: catalog.tools.map(\.name), log: ChangeLog(decisions: stores.decisions), killSwitch: killSwitch,
            logger: logger)
        let isolation: @Sendable () -> IsolationStanding? = { [host, minimum] in
            guard let report = host?.report else { return nil }
            return IsolationStanding(
                level: report.level.rawValue, minimum: minimum.rawValue, isEnough: report.level >= minimum)
        }
        supervisor = try ToolSupervisor(
            catalog: catalog, adapters: adapters,
            ports: ToolSupervisor.Ports(
                decider: policies?.decider ?? AllowListDecider(),
                log: DecisionLogBinding(writer: server.writer, metrics: metrics, logger: logger),
                meter: ToolMeterBinding(accountant: server.accountant),
                idempotency: IdempotencyBinding(stores.idempotency, logger: logger), metrics: metrics, killSwitch: killSwitch,
                sessions: SessionLogBinding(decisions: stores.decisions, logger: logger),
                limits: LimitBinding(store: stores.limits, logger: logger), approvals: desk, isolation: isolation,
                readsWithoutLog: configuration.audit.readsWithoutLog))
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

    /// Loops that live as long as the server.
    var loops: [@Sendable () async -> Void] {
        [
            { await self.start() }, { await self.probeForEver() }, { await self.switches.run() }, { await self.policies?.run() },
            { await self.webhook?.run() }, { await ApprovalSweeper(desk: self.desk).run() },
        ]
    }

    /// A past decision in words: by the policies that made it if they are the ones in force, or else only what its record says.
    func explanation(of recorded: RecordedDecision) async -> JSONValue? {
        guard let bundle = policies?.decider.current, let past = RecordedQuestion(recorded.decision), past.version == bundle.version,
            let question = try? DecisionRequest(question: past.question, catalog: catalog)
        else { return nil }
        let explanation = PolicyExplanation(bundle, question)
        var object = explanation.json.objectValue ?? JSONObject()
        let considered = object["considered"]?.arrayValue ?? []
        object["considered"] = nil
        object["text"] = .string(explanation.text)
        object["rules"] = .array(
            considered.map { rule in
                var rule = rule.objectValue ?? JSONObject()
                rule["id"] = rule["rule"]
                rule["rule"] = nil
                return .object(rule)
            })
        return .object(object)
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
