internal import AccountingRedis
internal import Hummingbird
internal import Logging
internal import NIOCore
internal import Telemetry
internal import Transport

/// All addresses of the server in one list.
struct ServerRoutes: Sendable {
    let configuration: Configuration
    let intake: RunIntake
    let authenticator: Authenticator
    let models: ConfiguredModels
    let prices: PriceBook
    let windows: WindowReader
    let stores: Stores
    let readiness: Readiness
    let metrics: ServerMetrics
    let outbox: RedisOutbox?
    let tools: ToolRoom?
    let trail: AuditTrail
    let live: LiveServer
    let approvals: ApprovalCount
    let upstreams: UpstreamBook
    let logger: Logger
    /// Nil where nothing is traced.
    let traces: TraceExport?

    func router() -> Router<AppContext> {
        let router = Router(context: AppContext.self)
        let compressing = configuration.transport.httpCompression
        if compressing { router.add(middleware: CompressionMiddleware()) }
        router.add(middleware: ErrorDocumentMiddleware())
        router.add(middleware: OriginMiddleware(policy: configuration.originPolicy))
        if traces != nil { router.add(middleware: TraceMiddleware()) }
        PageRoutes(files: StaticFiles(root: configuration.server.webClient, compressing: compressing)).add(to: router)
        HealthRoutes(readiness: readiness, metrics: metrics) {
            metrics.outboxRows.set(Int64(outbox?.backlog ?? 0))
            traces?.measure()
        }.add(to: router)

        // On the groups: the router itself has turned a thrown refusal into a response by the time its own middleware sees it.
        let refusals = RefusalMetricsMiddleware<AppContext>(metrics: metrics)
        let authentication = AuthenticationMiddleware(authenticator: authenticator)
        let api = router.group("v1").add(middleware: AnthropicErrors()).add(middleware: refusals).add(middleware: authentication)
        RunRoutes(intake: intake).add(to: api)
        WhyRoutes(explainer: RunExplainer(stores: stores, windows: windows), coordinator: intake.coordinator).add(to: api)
        ChatCompletionRoutes(intake: intake).add(to: api)
        ResponseRoutes(intake: intake).add(to: api)
        MessageRoutes(intake: intake, models: models).add(to: api)
        AccountRoutes(models: models, prices: prices, windows: windows, stores: stores).add(to: api)
        KnowledgeRoutes(knowledge: stores.knowledge, trail: trail).add(to: api)
        let twoCall = router.group("sse").add(middleware: refusals).add(middleware: authentication)
        TwoCallRoutes(intake: intake).add(to: twoCall)
        VirtualKeyRoutes(stores: stores).add(to: router.group("key").add(middleware: refusals).add(middleware: authentication))
        SpendRoutes(stores: stores, windows: windows).add(to: router, refusals, authentication)
        let approvals = ApprovalRoutes(desk: tools?.desk)
        approvals.add(to: router.group("api").add(middleware: refusals).add(middleware: authentication))
        let admin = router.group("api/admin").add(middleware: refusals)
            .add(middleware: AuthenticationMiddleware(authenticator: authenticator, projectIsHint: false)).add(
                middleware: AdminMiddleware())
        AdminTenantRoutes(stores: stores).add(to: admin)
        AdminKeyRoutes(stores: stores).add(to: admin)
        AdminBudgetRoutes(stores: stores, windows: windows, live: live).add(to: admin)
        AdminUsageRoutes(stores: stores, windows: windows).add(to: admin)
        AdminLedgerRoutes(stores: stores, windows: windows).add(to: admin)
        AdminStreamRoutes(live: live, approvals: self.approvals, stores: stores, trail: trail).add(to: admin)
        AdminRunRoutes(explainer: RunExplainer(stores: stores, windows: windows), live: live).add(to: admin)
        AdminSystemRoutes(
            configuration: configuration, live: live, stores: stores, prices: prices, models: models, upstreams: upstreams, tools: tools,
            metrics: metrics, logger: logger
        ).add(to: admin)
        AdminAuditRoutes(configuration: configuration, stores: stores).add(to: admin)
        AdminPriceRoutes(prices: prices, models: models).add(to: admin)
        let toolRoutes = AdminToolRoutes(stores: stores, room: tools)
        toolRoutes.add(to: admin)
        AdminCatalogRoutes(room: tools, tools: toolRoutes).add(to: admin)
        AdminPolicyRoutes(stores: stores, room: tools).add(to: admin)
        AdminPublishRoutes(room: tools).add(to: admin)
        AdminLogRoutes(trail: trail).add(to: admin)
        approvals.add(toAdmin: admin)
        ReferenceRoutes().add(to: router)
        return router
    }
}
