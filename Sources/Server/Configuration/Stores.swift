internal import Accounting
internal import AccountingPostgres
internal import AccountingRedis
internal import AccountingSQLite
internal import Foundation
internal import Logging
internal import NIOPosix
internal import RedisClient

/// The stores that commands and the server share: Postgres when it is configured, else the database of the data directory; and Redis
/// when it is configured.
struct Stores: Sendable {
    /// Where everything is that has to outlive a process.
    enum Durable: Sendable {
        case embedded(EmbeddedDatabase)
        case postgres(PostgresDatabase)
    }

    let configuration: Configuration.Stores
    let durable: Durable
    let keys: any KeyStore
    let budgets: any BudgetStore
    let tenants: any TenantStore
    let ledger: any LedgerSums
    let usage: any UsageStore
    let root: any CounterRoot
    let runEnds: any RunEndStore
    let revocations: any RevocationStore
    let knowledge: any KnowledgeStore
    let memory: any UserMemoryStore
    let decisions: any DecisionStore
    /// The chain over the decisions; the same store.
    let audit: any AuditStore
    let idempotency: any IdempotencyStore
    let limits: any LimitStore
    let approvals: any ApprovalRows
    let policyVersions: any PolicyVersions
    let switches: any ToolSwitches
    let nodes: any NodeReports

    /// Makes the data directory if it is needed and not there. Reads files: not on an event loop. Postgres is connected to when it is
    /// first asked something.
    ///
    /// - Parameter metrics: where a Postgres counts what it does.
    init(_ configuration: Configuration.Stores, metrics: (any PostgresMetrics)? = nil) throws {
        self.configuration = configuration
        // Of this process: a key that another one claimed and never finished is nobody's to finish.
        let holder = "process-\(RandomText.urlSafe(bytes: 9))"
        guard configuration.postgres.isEmpty else {
            let database = PostgresDatabase(try Self.postgresURL(configuration.postgres), metrics: metrics)
            durable = .postgres(database)
            (decisions, audit) = (PostgresDecisions(database), PostgresDecisions(database))
            let changes = ChangeLog(decisions: decisions)
            keys = AuditedKeys(store: PostgresKeys(database), log: changes)
            budgets = AuditedBudgets(store: PostgresBudgets(database), keys: keys, log: changes)
            tenants = AuditedTenants(store: PostgresTenants(database), log: changes)
            ledger = PostgresLedger(database)
            usage = PostgresUsage(database)
            root = PostgresCounterRoot(database)
            runEnds = PostgresRunEnds(database)
            revocations = AuditedRevocations(store: PostgresRevocations(database), keys: keys, log: changes)
            knowledge = PostgresKnowledge(database)
            memory = PostgresUserMemory(database)
            idempotency = PostgresIdempotency(database, holder: holder, clock: WallClock.accounting)
            limits = PostgresLimitStore(database, clock: WallClock.accounting)
            approvals = PostgresApprovals(database)
            policyVersions = PostgresPolicyVersions(database)
            switches = PostgresToolSwitches(database)
            nodes = PostgresNodeReports(database)
            return
        }
        do {
            try FileManager.default.createDirectory(
                atPath: configuration.data, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
        } catch {
            throw CommandFailure("the data directory \(configuration.data) cannot be made; choose another with --data")
        }
        let database = try EmbeddedDatabase(path: configuration.data + "/kdcube.sqlite")
        durable = .embedded(database)
        (decisions, audit) = (DecisionTable(database), DecisionTable(database))
        let changes = ChangeLog(decisions: decisions)
        keys = AuditedKeys(store: KeyTable(database), log: changes)
        budgets = AuditedBudgets(store: BudgetTable(database), keys: keys, log: changes)
        tenants = AuditedTenants(store: TenantTable(database), log: changes)
        ledger = SQLiteLedger(database)
        usage = UsageQuery(database)
        root = SQLiteCounterRoot(database, clock: WallClock.accounting)
        runEnds = RunEndTable(database)
        revocations = AuditedRevocations(store: RevocationTable(database), keys: keys, log: changes)
        knowledge = KnowledgeTable(database)
        memory = UserMemoryTable(database)
        idempotency = IdempotencyTable(database, holder: holder, clock: WallClock.accounting)
        limits = LimitTable(database, clock: WallClock.accounting)
        approvals = ApprovalTable(database)
        policyVersions = PolicyVersionTable(database)
        switches = ToolSwitchTable(database)
        nodes = NodeReportTable(database)
    }

    func conversations(of owner: ConversationOwner) -> any ConversationArchive {
        switch durable {
        case .embedded(let database): ConversationTable(database, of: owner)
        case .postgres(let database): PostgresConversations(database, of: owner)
        }
    }

    /// What `/readyz` calls the durable store when it does not answer.
    var durableName: String {
        switch durable {
        case .embedded: "database"
        case .postgres: "postgres"
        }
    }

    /// Whether other servers may serve from these stores: embedded counters have one server at a time.
    var mayBeShared: Bool { !configuration.redis.isEmpty }

    /// Answers when the durable store does.
    func ping() async throws {
        switch durable {
        case .embedded(let database): try await database.ping()
        case .postgres(let database): try await database.ping()
        }
    }

    func close() async {
        switch durable {
        case .embedded(let database): database.close()
        case .postgres(let database): await database.close()
        }
    }

    private static func postgresURL(_ text: String) throws -> PostgresURL {
        do { return try PostgresURL(parsing: text) } catch {
            throw CommandFailure("stores.postgres is no Postgres address such as postgresql://user:password@127.0.0.1:5432/kdcube")
        }
    }

    /// A Redis connection that is being made; nil when counters are embedded.
    func redis(logger: Logger) throws -> RedisConnection? {
        guard !configuration.redis.isEmpty else { return nil }
        do {
            let url = try RedisURL(parsing: configuration.redis)
            return RedisConnection(.counters(url: url, logger: logger), on: MultiThreadedEventLoopGroup.singleton.next())
        } catch {
            throw CommandFailure(
                "stores.redis is no Redis address such as redis://127.0.0.1:6379/0, or redis://h1:6379,h2:6379 for a cluster")
        }
    }
}

extension RedisConnection {
    /// Connects. What only the operator can put right is a ``CommandFailure``; a Redis that is away is a `RedisFault`.
    func startChecked() async throws {
        do { try await start() } catch .notCluster(let address) {
            await close()
            throw CommandFailure(
                "stores.redis (--redis) has several addresses, which only the nodes of one Redis Cluster may be, and \(address) stands alone"
            )
        }
    }
}

extension Configuration.Stores {
    /// Embedded counters write their ledger beside themselves, and two servers with counters of their own would each spend the whole of
    /// a shared budget.
    func checkServable() throws(CommandFailure) {
        guard !postgres.isEmpty, redis.isEmpty else { return }
        throw CommandFailure("stores.postgres needs counters that all its servers share: set stores.redis (--redis) as well")
    }
}
