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
    /// The catalog in force, and how it changes.
    let catalogs: CatalogRoom
    let supervisor: ToolSupervisor
    let gate: ToolGateBinding
    let desk: ApprovalDesk
    /// Consoles; they hear of approvals.
    let listeners: ApprovalListeners
    let switches: SwitchWatch
    /// Where code runs, if a tool of the catalog runs any.
    let code: CodeRoom
    private let webhook: ApprovalWebhook?
    private let maker: AdapterMaker
    private let checks: ToolChecks

    var catalog: ToolCatalog { catalogs.catalog }
    /// Nil where there are no policies: then the roles of the catalog decide alone.
    var policies: PolicyRoom? { catalogs.policies }
    /// Nil where no tool runs code.
    var host: SandboxHost? { code.host }
    /// Nil where no tool runs code.
    var sandboxes: SandboxMetrics? { code.metrics }
    /// Below it no code is run.
    var minimum: IsolationLevel { code.minimum }

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
        return try ToolRoom(configuration, surroundings)
    }

    private init(_ configuration: Configuration, _ server: Surroundings) throws {
        let (stores, registry, logger) = (server.stores, server.registry, server.logger)
        // Before anything that would have to be shut down again: a set with a mistake ends here.
        let catalogs = try CatalogRoom(configuration, server)
        self.catalogs = catalogs
        let catalog = catalogs.catalog
        code = CodeRoom(configuration.sandbox.executor, registry: registry, logger: logger)
        maker = AdapterMaker(
            elsewhere: ToolAdapters(group: server.group) { server, line in
                logger.info("an MCP server says", metadata: ["server": "\(server)", "line": "\(line)"])
            }, code: code, stores: stores, catalog: { catalogs.catalog })
        checks = ToolChecks(maker.elsewhere, catalogs, logger: logger)
        let metrics = ToolMetrics(registry)
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
        supervisor = try ToolSupervisor(
            catalog: catalog, adapters: maker.adapters(of: catalog),
            ports: ToolSupervisor.Ports(
                decider: catalogs.policies?.decider ?? AllowListDecider(),
                log: DecisionLogBinding(writer: server.writer, metrics: metrics, logger: logger),
                meter: ToolMeterBinding(accountant: server.accountant),
                idempotency: IdempotencyBinding(stores.idempotency, logger: logger), metrics: metrics, killSwitch: killSwitch,
                sessions: SessionLogBinding(decisions: stores.decisions, logger: logger),
                limits: LimitBinding(store: stores.limits, logger: logger), approvals: desk, isolation: { [code] in code.standing },
                readsWithoutLog: configuration.audit.readsWithoutLog))
        gate = ToolGateBinding(supervisor: supervisor, onKill: configuration.sandbox.onKill)
    }

    /// Puts a catalog into force.
    var put: CatalogRoom.Put {
        { catalog, deciding throws(CatalogError) in
            let adapters = maker.adapters(of: catalog)
            // Before the first call of a new tool: one of its name may be switched off.
            switches.follow(catalog.tools.map(\.name))
            try supervisor.replace(catalog, adapters: adapters, deciding: deciding)
            maker.elsewhere.keep(catalog.tools.map(\.adapter))
            checks.soon()
        }
    }

    /// Tells whether the lists of hosts of a tool can be meant so.
    static func checkHosts(_ definition: AdapterDefinition) throws(ToolFailure) { try ToolAdapters.checkHosts(definition) }

    /// Loops that live as long as the server.
    var loops: [@Sendable () async -> Void] {
        [
            { await self.checks.run { await self.code.start() } }, { await self.code.probeForEver() }, { await self.switches.run() },
            { await self.policies?.run { await self.catalogs.retry(self.put) } }, { await self.catalogs.run(self.put) },
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
        await code.shutdown()
        await maker.elsewhere.shutdown()
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
