internal import GRDB

/// The tables, as steps that are never edited once released. Amounts are integers in base units, times milliseconds.
enum Schema {
    static var migrator: DatabaseMigrator {
        var migrator = DatabaseMigrator()
        migrator.registerMigration("1 accounting") { db in
            try db.execute(sql: counters)
            try db.execute(sql: ledger)
        }
        migrator.registerMigration("2 tenancy") { db in try db.execute(sql: tenancy) }
        migrator.registerMigration("3 conversations") { db in try db.execute(sql: conversations) }
        migrator.registerMigration("4 budget edition") { db in try db.execute(sql: budgetEdition) }
        migrator.registerMigration("5 counter root") { db in try db.execute(sql: epochs) }
        migrator.registerMigration("6 visibility") { db in try db.execute(sql: visibility) }
        migrator.registerMigration("7 model budgets") { db in try db.execute(sql: modelBudgets) }
        migrator.registerMigration("8 revocations") { db in try db.execute(sql: revocations) }
        migrator.registerMigration("9 disconnect policy of keys") { db in
            try db.execute(sql: "ALTER TABLE key_settings ADD COLUMN on_disconnect TEXT")
        }
        migrator.registerMigration("10 slots") { db in try db.execute(sql: slots) }
        migrator.registerMigration("11 zones of budgets") { db in try db.execute(sql: zones) }
        // What is live already is taken to know of no budget: then it counts in every window that it may lack.
        migrator.registerMigration("12 late windows") { db in
            try db.execute(sql: "ALTER TABLE leases ADD COLUMN known INTEGER NOT NULL DEFAULT 0")
        }
        migrator.registerMigration("13 knowledge and memory") { db in try db.execute(sql: knowledge) }
        migrator.registerMigration("14 calls of tools") { db in
            try db.execute(sql: "ALTER TABLE ledger ADD COLUMN calls INTEGER NOT NULL DEFAULT 0")
        }
        migrator.registerMigration("15 decisions") { db in
            try db.execute(sql: DecisionSchema.decisions)
            try db.execute(sql: DecisionSchema.idempotency)
        }
        migrator.registerMigration("16 chain of decisions") { db in try db.execute(sql: DecisionSchema.chain) }
        migrator.registerMigration("17 policies") { db in
            try db.execute(sql: DecisionSchema.kinds)
            try db.execute(sql: PolicySchema.tables)
            try db.execute(sql: "ALTER TABLE keys ADD COLUMN identity TEXT")
        }
        migrator.registerMigration("18 administration") { db in try db.execute(sql: administration) }
        migrator.registerMigration("19 reports of servers") { db in try db.execute(sql: NodeReportTable.schema) }
        migrator.registerMigration("20 owners of budgets") { db in try db.execute(sql: owners) }
        migrator.registerMigration("21 accounts of keys") { db in
            try db.execute(sql: "ALTER TABLE keys ADD COLUMN account TEXT; CREATE INDEX keys_account ON keys (account);")
        }
        migrator.registerMigration("22 reasons of orders") { db in
            try db.execute(sql: "ALTER TABLE revocations ADD COLUMN reason TEXT")
        }
        return migrator
    }

    /// In tables of their own, because the release before writes rows of orgs, projects and users without naming columns.
    private static let administration = """
        CREATE TABLE tenant_names (scope TEXT PRIMARY KEY, name TEXT NOT NULL) STRICT, WITHOUT ROWID;
        CREATE TABLE key_uses (key_id TEXT PRIMARY KEY, used_at INTEGER NOT NULL) STRICT, WITHOUT ROWID;
        ALTER TABLE keys ADD COLUMN kind TEXT NOT NULL DEFAULT 'key';
        CREATE INDEX keys_org ON keys (org, id);
        CREATE INDEX keys_place ON keys (org, project, user, id);
        """

    /// The index has a copy of its words, so that what a passage put in is taken out whatever release takes it out. Numbers are never
    /// given twice: the index knows passages and projects by them.
    private static let knowledge = """
        CREATE TABLE knowledge_projects (
            number INTEGER PRIMARY KEY AUTOINCREMENT, org TEXT NOT NULL, project TEXT NOT NULL, documents INTEGER NOT NULL,
            bytes INTEGER NOT NULL, UNIQUE (org, project)
        ) STRICT;
        CREATE TABLE knowledge_documents (
            number INTEGER PRIMARY KEY AUTOINCREMENT, project INTEGER NOT NULL REFERENCES knowledge_projects, id TEXT NOT NULL,
            title TEXT NOT NULL, digest TEXT NOT NULL, bytes INTEGER NOT NULL, passages INTEGER NOT NULL, updated_at INTEGER NOT NULL,
            UNIQUE (project, id)
        ) STRICT;
        CREATE TABLE knowledge_passages (
            number INTEGER PRIMARY KEY AUTOINCREMENT, document INTEGER NOT NULL REFERENCES knowledge_documents ON DELETE CASCADE,
            position INTEGER NOT NULL, text TEXT NOT NULL, UNIQUE (document, position)
        ) STRICT;
        CREATE VIRTUAL TABLE knowledge_index USING fts5(title, body, tokenize = 'ascii');
        CREATE TRIGGER knowledge_passage_is_gone AFTER DELETE ON knowledge_passages
            BEGIN DELETE FROM knowledge_index WHERE rowid = old.number; END;
        CREATE TABLE user_memory (
            org TEXT NOT NULL, project TEXT NOT NULL, user TEXT NOT NULL, key TEXT NOT NULL, value TEXT NOT NULL,
            updated_at INTEGER NOT NULL, PRIMARY KEY (org, project, user, key)
        ) STRICT, WITHOUT ROWID;
        """

    /// The slots that an org's counters are split over. Slots from 1 have their releases in a table of their own: the release before goes on
    /// with the other, and raises there without a turn.
    private static let slots = """
        ALTER TABLE ledger ADD COLUMN slot INTEGER NOT NULL DEFAULT 0;
        ALTER TABLE releases ADD COLUMN turn INTEGER NOT NULL DEFAULT 1;
        CREATE TABLE slot_releases (
            window TEXT NOT NULL, generation INTEGER NOT NULL, slot INTEGER NOT NULL, released INTEGER NOT NULL, ends_at INTEGER NOT NULL,
            turn INTEGER NOT NULL, PRIMARY KEY (window, generation, slot)
        ) STRICT, WITHOUT ROWID;
        CREATE INDEX slot_releases_end ON slot_releases (ends_at);
        CREATE VIEW all_releases AS
            SELECT window, generation, 0 AS slot, released, turn FROM releases
            UNION ALL SELECT window, generation, slot, released, turn FROM slot_releases;
        CREATE TRIGGER release_is_raised AFTER UPDATE OF released ON releases WHEN new.released > old.released AND new.turn = old.turn
            BEGIN UPDATE releases SET turn = old.turn + 1 WHERE window = new.window AND generation = new.generation; END;
        """

    /// Empty: UTC. The release before it reads the view by name and does not see the zone: to it every budget follows UTC.
    private static let zones = """
        ALTER TABLE budgets ADD COLUMN zone TEXT NOT NULL DEFAULT '';
        ALTER TABLE model_budgets ADD COLUMN zone TEXT NOT NULL DEFAULT '';
        DROP VIEW all_budgets;
        CREATE VIEW all_budgets AS
            SELECT scope, '' AS model, unit, period, amount, version, generation, zone FROM budgets
            UNION ALL SELECT scope, model, unit, period, amount, version, generation, zone FROM model_budgets;
        """

    /// Whose a budget is; what was there before is its organisation's, as it was.
    private static let owners = """
        ALTER TABLE budgets ADD COLUMN owner TEXT NOT NULL DEFAULT 'org';
        ALTER TABLE model_budgets ADD COLUMN owner TEXT NOT NULL DEFAULT 'org';
        DROP VIEW all_budgets;
        CREATE VIEW all_budgets AS
            SELECT scope, '' AS model, unit, period, amount, version, generation, zone, owner FROM budgets
            UNION ALL SELECT scope, model, unit, period, amount, version, generation, zone, owner FROM model_budgets;
        """

    private static let revocations = """
        CREATE TABLE revocations (
            id INTEGER PRIMARY KEY AUTOINCREMENT, target TEXT NOT NULL, org TEXT, author TEXT NOT NULL, at INTEGER NOT NULL
        ) STRICT;
        """

    private static let modelBudgets = """
        CREATE TABLE model_budgets (
            scope TEXT NOT NULL, model TEXT NOT NULL, unit TEXT NOT NULL, period TEXT NOT NULL, amount INTEGER NOT NULL,
            version INTEGER NOT NULL, generation INTEGER NOT NULL, PRIMARY KEY (scope, model, unit, period)
        ) STRICT, WITHOUT ROWID;
        CREATE TRIGGER model_budget_is_new AFTER INSERT ON model_budgets
            BEGIN UPDATE counter SET value = value + 1 WHERE name = 'budget edition'; END;
        CREATE TRIGGER model_budget_is_changed AFTER UPDATE ON model_budgets
            BEGIN UPDATE counter SET value = value + 1 WHERE name = 'budget edition'; END;
        CREATE TRIGGER model_budget_is_gone AFTER DELETE ON model_budgets
            BEGIN UPDATE counter SET value = value + 1 WHERE name = 'budget edition'; END;
        CREATE VIEW all_budgets AS
            SELECT scope, '' AS model, unit, period, amount, version, generation FROM budgets
            UNION ALL SELECT scope, model, unit, period, amount, version, generation FROM model_budgets;
        """

    private static let epochs = """
        CREATE TABLE epochs (
            org TEXT PRIMARY KEY, number INTEGER NOT NULL, incarnation TEXT NOT NULL, cleared INTEGER NOT NULL
        ) STRICT, WITHOUT ROWID;
        CREATE TABLE holders (
            node TEXT NOT NULL, fence INTEGER NOT NULL, seen_at INTEGER NOT NULL, PRIMARY KEY (node, fence)
        ) STRICT, WITHOUT ROWID;
        CREATE TABLE releases (
            window TEXT NOT NULL, generation INTEGER NOT NULL, released INTEGER NOT NULL, ends_at INTEGER NOT NULL,
            PRIMARY KEY (window, generation)
        ) STRICT, WITHOUT ROWID;
        CREATE INDEX releases_end ON releases (ends_at);
        CREATE TABLE confirmations (
            org TEXT NOT NULL, node TEXT NOT NULL, fence INTEGER NOT NULL, PRIMARY KEY (org, node, fence)
        ) STRICT, WITHOUT ROWID;
        ALTER TABLE ledger ADD COLUMN epoch INTEGER NOT NULL DEFAULT 0;
        """

    private static let counters = """
        CREATE TABLE windows (
            key TEXT PRIMARY KEY, scope TEXT NOT NULL, starts_at INTEGER NOT NULL, ends_at INTEGER NOT NULL, cap INTEGER NOT NULL,
            version INTEGER NOT NULL, generation INTEGER NOT NULL, used INTEGER NOT NULL, held INTEGER NOT NULL,
            suspense INTEGER NOT NULL, live_leases INTEGER NOT NULL
        ) STRICT, WITHOUT ROWID;
        CREATE INDEX windows_scope ON windows (scope);
        CREATE TABLE leases (
            org TEXT NOT NULL, id TEXT NOT NULL, node TEXT NOT NULL, fence INTEGER NOT NULL, project TEXT NOT NULL, user TEXT, key TEXT,
            run TEXT NOT NULL, model TEXT NOT NULL, price_version TEXT NOT NULL, path TEXT NOT NULL, span_end INTEGER NOT NULL,
            held TEXT NOT NULL, spent TEXT NOT NULL, sequence INTEGER NOT NULL, decision TEXT NOT NULL, expires_at INTEGER NOT NULL,
            phase TEXT NOT NULL, PRIMARY KEY (org, id)
        ) STRICT, WITHOUT ROWID;
        """

    private static let ledger = """
        CREATE TABLE ledger (
            position INTEGER PRIMARY KEY AUTOINCREMENT, charge_id TEXT NOT NULL UNIQUE, kind TEXT NOT NULL, is_charge INTEGER NOT NULL,
            lease TEXT NOT NULL, org TEXT NOT NULL, project TEXT NOT NULL, user TEXT, key TEXT, run TEXT NOT NULL, model TEXT NOT NULL,
            price_version TEXT NOT NULL, nano_usd INTEGER NOT NULL, input_fresh INTEGER NOT NULL, input_cache_read INTEGER NOT NULL,
            input_cache_write INTEGER NOT NULL, output_visible INTEGER NOT NULL, output_reasoning INTEGER NOT NULL,
            requests INTEGER NOT NULL, estimated INTEGER NOT NULL, at INTEGER NOT NULL
        ) STRICT;
        CREATE INDEX ledger_org ON ledger (org, at);
        CREATE INDEX ledger_key ON ledger (key, at) WHERE key IS NOT NULL;
        CREATE INDEX ledger_run ON ledger (run);
        CREATE TRIGGER ledger_is_immutable BEFORE UPDATE ON ledger BEGIN SELECT RAISE(ABORT, 'ledger rows are immutable'); END;
        CREATE TRIGGER ledger_is_kept BEFORE DELETE ON ledger BEGIN SELECT RAISE(ABORT, 'ledger rows are kept'); END;
        """

    private static let tenancy = """
        CREATE TABLE counter (name TEXT PRIMARY KEY, value INTEGER NOT NULL) STRICT, WITHOUT ROWID;
        CREATE TABLE budgets (
            scope TEXT NOT NULL, unit TEXT NOT NULL, period TEXT NOT NULL, amount INTEGER NOT NULL, version INTEGER NOT NULL,
            generation INTEGER NOT NULL, PRIMARY KEY (scope, unit, period)
        ) STRICT, WITHOUT ROWID;
        CREATE TABLE orgs (name TEXT PRIMARY KEY, created_at INTEGER NOT NULL) STRICT, WITHOUT ROWID;
        CREATE TABLE projects (
            org TEXT NOT NULL REFERENCES orgs, name TEXT NOT NULL, created_at INTEGER NOT NULL, PRIMARY KEY (org, name)
        ) STRICT, WITHOUT ROWID;
        CREATE TABLE users (
            org TEXT NOT NULL, project TEXT NOT NULL, name TEXT NOT NULL, created_at INTEGER NOT NULL,
            PRIMARY KEY (org, project, name), FOREIGN KEY (org, project) REFERENCES projects
        ) STRICT, WITHOUT ROWID;
        CREATE TABLE keys (
            id TEXT PRIMARY KEY, hash TEXT NOT NULL UNIQUE, org TEXT NOT NULL, project TEXT NOT NULL, user TEXT, roles TEXT NOT NULL,
            on_cut TEXT NOT NULL, created_at INTEGER NOT NULL, revoked_at INTEGER,
            FOREIGN KEY (org, project) REFERENCES projects, FOREIGN KEY (org, project, user) REFERENCES users
        ) STRICT, WITHOUT ROWID;
        """

    /// Counts changes of budgets, whatever program makes them. Readers compare it, because `PRAGMA data_version` would move
    /// with every ledger row that another connection writes.
    private static let budgetEdition = """
        INSERT INTO counter VALUES ('budget edition', 1);
        CREATE TRIGGER budget_is_new AFTER INSERT ON budgets
            BEGIN UPDATE counter SET value = value + 1 WHERE name = 'budget edition'; END;
        CREATE TRIGGER budget_is_changed AFTER UPDATE ON budgets
            BEGIN UPDATE counter SET value = value + 1 WHERE name = 'budget edition'; END;
        CREATE TRIGGER budget_is_gone AFTER DELETE ON budgets
            BEGIN UPDATE counter SET value = value + 1 WHERE name = 'budget edition'; END;
        """

    /// Why runs were cut, and what may change of a key.
    private static let visibility = """
        CREATE TABLE run_ends (
            run TEXT PRIMARY KEY, org TEXT NOT NULL, project TEXT NOT NULL, user TEXT, key TEXT, model TEXT NOT NULL,
            outcome TEXT NOT NULL, detail TEXT NOT NULL, at INTEGER NOT NULL
        ) STRICT, WITHOUT ROWID;
        CREATE INDEX run_ends_at ON run_ends (at);
        CREATE TABLE key_settings (
            key_id TEXT PRIMARY KEY REFERENCES keys, alias TEXT, models TEXT NOT NULL, metadata TEXT NOT NULL, expires_at INTEGER,
            blocked INTEGER NOT NULL
        ) STRICT, WITHOUT ROWID;
        """

    private static let conversations = """
        CREATE TABLE conversations (
            org TEXT NOT NULL, project TEXT NOT NULL, user TEXT NOT NULL, id TEXT NOT NULL, created_at INTEGER NOT NULL,
            updated_at INTEGER NOT NULL, PRIMARY KEY (org, project, user, id)
        ) STRICT, WITHOUT ROWID;
        CREATE TABLE turns (
            position INTEGER PRIMARY KEY AUTOINCREMENT, org TEXT NOT NULL, project TEXT NOT NULL, user TEXT NOT NULL,
            conversation TEXT NOT NULL, turn TEXT NOT NULL, run TEXT NOT NULL, user_text TEXT NOT NULL, assistant_text TEXT NOT NULL,
            status TEXT NOT NULL, started_at INTEGER NOT NULL, UNIQUE (org, project, user, conversation, turn),
            FOREIGN KEY (org, project, user, conversation) REFERENCES conversations ON DELETE CASCADE
        ) STRICT;
        CREATE INDEX turns_run ON turns (org, project, user, run);
        """
}
