/// The tables, as steps that are never edited once released (`Migrations/*.sql`).
///
/// Several servers may start at once: the steps run in one transaction under an advisory lock. A database with more steps than this
/// version knows was opened by a newer one; it is used as it is, because a step must not break the release before it.
enum PostgresMigrations {
    private static var steps: [(version: Int64, name: String, sql: [UInt8])] {
        [
            (1, "ledger", PackageResources.v1_ledger_sql), (2, "tenancy", PackageResources.v2_tenancy_sql),
            (3, "conversations", PackageResources.v3_conversations_sql), (4, "root", PackageResources.v4_root_sql),
            (5, "visibility", PackageResources.v5_visibility_sql),
            (6, "model budgets", PackageResources.v6_model_budgets_sql), (7, "revocations", PackageResources.v7_revocations_sql),
            (8, "disconnect policy of keys", PackageResources.v8_key_disconnect_sql),
            (9, "slots", PackageResources.v9_slots_sql),
            (10, "zones of budgets", PackageResources.v10_zones_sql), (11, "knowledge", PackageResources.v11_knowledge_sql),
            (12, "calls of tools", PackageResources.v12_calls_sql), (13, "decisions", PackageResources.v13_decisions_sql),
            (14, "chain of decisions", PackageResources.v14_chain_sql), (15, "policies", PackageResources.v15_policies_sql),
            (16, "administration", PackageResources.v16_administration_sql),
            (17, "reports of servers", PackageResources.v17_node_reports_sql),
            (18, "owners of budgets", PackageResources.v18_budget_owners_sql),
            (19, "accounts of keys", PackageResources.v19_key_accounts_sql),
            (20, "reasons of orders", PackageResources.v20_order_reasons_sql),
        ]
    }

    static func apply(to connection: inout PostgresConnection) throws(PostgresError) {
        try connection.transaction { (connection) throws(PostgresError) in
            try connection.query("SELECT pg_advisory_xact_lock(hashtextextended('kdcube.migrations', 0))")
            // Not IF NOT EXISTS: that needs the right to make schemas even when there is nothing to make.
            let schema = try connection.query("SELECT EXISTS (SELECT FROM pg_namespace WHERE nspname = 'kdcube')")
            if try schema.first?.bool(0) != true { try connection.script(Array("CREATE SCHEMA kdcube".utf8)) }
            let table = try connection.query(
                "SELECT EXISTS (SELECT FROM pg_tables WHERE schemaname = 'kdcube' AND tablename = 'migrations')")
            if try table.first?.bool(0) != true {
                try connection.script(
                    Array("CREATE TABLE migrations (version bigint PRIMARY KEY, name text NOT NULL, applied_at timestamptz NOT NULL)".utf8))
            }
            let done = try connection.query("SELECT version FROM migrations").map { row throws(PostgresError) in try row.int(0) }
            for step in steps where !done.contains(step.version) {
                try connection.script(step.sql)
                try connection.query(
                    "INSERT INTO migrations VALUES ($1, $2, now())", [.int(step.version), .text(step.name)])
            }
        }
    }
}
