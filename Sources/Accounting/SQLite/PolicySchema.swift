/// The tables of what policies count, of approvals, of versions of the policies and of the switches of tools.
enum PolicySchema {
    /// A reservation's takes are those of its counters' windows: what is given back goes into no other one.
    static let tables = """
        CREATE TABLE limit_counts (
            org TEXT NOT NULL, id TEXT NOT NULL, window_start INTEGER NOT NULL, ends_at INTEGER NOT NULL, used INTEGER NOT NULL,
            PRIMARY KEY (org, id)
        ) STRICT, WITHOUT ROWID;
        CREATE INDEX limit_counts_end ON limit_counts (ends_at);
        CREATE TABLE limit_reservations (
            org TEXT NOT NULL, reservation TEXT NOT NULL, at INTEGER NOT NULL, is_refunded INTEGER NOT NULL,
            PRIMARY KEY (org, reservation)
        ) STRICT, WITHOUT ROWID;
        CREATE INDEX limit_reservations_at ON limit_reservations (at);
        CREATE TABLE limit_takes (
            org TEXT NOT NULL, reservation TEXT NOT NULL, id TEXT NOT NULL, amount INTEGER NOT NULL, window_start INTEGER NOT NULL,
            ends_at INTEGER NOT NULL, used INTEGER NOT NULL, PRIMARY KEY (org, reservation, id),
            FOREIGN KEY (org, reservation) REFERENCES limit_reservations ON DELETE CASCADE
        ) STRICT, WITHOUT ROWID;
        CREATE TABLE approvals (
            org TEXT NOT NULL, id TEXT NOT NULL, project TEXT NOT NULL, user TEXT NOT NULL, conversation TEXT NOT NULL, run TEXT NOT NULL,
            tool TEXT NOT NULL, digest TEXT NOT NULL, state TEXT NOT NULL, created_at INTEGER NOT NULL, expires_at INTEGER NOT NULL,
            version INTEGER NOT NULL, record TEXT NOT NULL, UNIQUE (org, id)
        ) STRICT;
        CREATE INDEX approvals_new ON approvals (org, created_at, id);
        CREATE INDEX approvals_state ON approvals (org, state, created_at, id);
        CREATE INDEX approvals_user ON approvals (org, project, user, created_at, id);
        CREATE INDEX approvals_conversation ON approvals (org, conversation, created_at, id);
        CREATE INDEX approvals_tool ON approvals (org, tool, created_at, id);
        CREATE INDEX approvals_digest ON approvals (org, digest, created_at, id);
        CREATE INDEX approvals_run ON approvals (org, run, created_at, id);
        CREATE INDEX approvals_due ON approvals (expires_at) WHERE state = 'pending';
        CREATE TABLE policy_versions (
            version TEXT PRIMARY KEY, at INTEGER NOT NULL, files TEXT NOT NULL
        ) STRICT;
        CREATE INDEX policy_versions_at ON policy_versions (at, version);
        CREATE TABLE tool_switches (
            tool TEXT PRIMARY KEY, is_off INTEGER NOT NULL, author TEXT NOT NULL, reason TEXT NOT NULL, at INTEGER NOT NULL
        ) STRICT, WITHOUT ROWID;
        """
}
