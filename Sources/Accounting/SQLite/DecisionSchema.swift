/// The tables of decisions about calls of tools, and of calls that are to happen once.
enum DecisionSchema {
    /// Decisions and outcomes of an org share the numbers of `decision_heads`, so that one chain can follow both.
    static let decisions = """
        CREATE TABLE decision_heads (org TEXT PRIMARY KEY, seq INTEGER NOT NULL) STRICT, WITHOUT ROWID;
        CREATE TABLE tool_decisions (
            org TEXT NOT NULL, seq INTEGER NOT NULL, id TEXT NOT NULL, project TEXT NOT NULL, user TEXT, key TEXT, run TEXT NOT NULL,
            call TEXT NOT NULL, parent_call TEXT, source TEXT NOT NULL, tool TEXT NOT NULL, arguments_digest TEXT NOT NULL, arguments TEXT,
            decision TEXT NOT NULL, rule TEXT, code TEXT, message TEXT, roles TEXT NOT NULL, at INTEGER NOT NULL,
            UNIQUE (org, seq), UNIQUE (org, id)
        ) STRICT;
        CREATE INDEX tool_decisions_project ON tool_decisions (org, project, seq);
        CREATE INDEX tool_decisions_user ON tool_decisions (org, project, user, seq) WHERE user IS NOT NULL;
        CREATE INDEX tool_decisions_run ON tool_decisions (org, run, seq);
        CREATE INDEX tool_decisions_tool ON tool_decisions (org, tool, seq);
        CREATE INDEX tool_decisions_denied ON tool_decisions (org, seq) WHERE decision = 'deny';
        CREATE TABLE tool_outcomes (
            org TEXT NOT NULL, decision TEXT NOT NULL, seq INTEGER NOT NULL, status TEXT NOT NULL, code TEXT, result_digest TEXT,
            bytes INTEGER NOT NULL, elapsed INTEGER NOT NULL, at INTEGER NOT NULL, PRIMARY KEY (org, decision), UNIQUE (org, seq),
            FOREIGN KEY (org, decision) REFERENCES tool_decisions (org, id)
        ) STRICT, WITHOUT ROWID;
        CREATE TRIGGER tool_decision_is_immutable BEFORE UPDATE ON tool_decisions
            BEGIN SELECT RAISE(ABORT, 'decisions are immutable'); END;
        CREATE TRIGGER tool_decision_is_kept BEFORE DELETE ON tool_decisions BEGIN SELECT RAISE(ABORT, 'decisions are kept'); END;
        CREATE TRIGGER tool_outcome_is_immutable BEFORE UPDATE ON tool_outcomes BEGIN SELECT RAISE(ABORT, 'outcomes are immutable'); END;
        CREATE TRIGGER tool_outcome_is_kept BEFORE DELETE ON tool_outcomes BEGIN SELECT RAISE(ABORT, 'outcomes are kept'); END;
        CREATE TRIGGER decision_head_grows BEFORE UPDATE ON decision_heads WHEN new.seq <= old.seq OR new.org <> old.org
            BEGIN SELECT RAISE(ABORT, 'numbers of decisions only grow'); END;
        CREATE TRIGGER decision_head_is_kept BEFORE DELETE ON decision_heads
            BEGIN SELECT RAISE(ABORT, 'numbers of decisions are kept'); END;
        """

    /// The chain has a table of its own: the rows that were there stay as they are, and the release before goes on beside this one. An org's
    /// chain begins with the number after the last one that it had.
    static let chain = """
        CREATE TABLE decision_chain (
            org TEXT NOT NULL, seq INTEGER NOT NULL, hash TEXT NOT NULL, PRIMARY KEY (org, seq)
        ) STRICT, WITHOUT ROWID;
        CREATE TABLE decision_chain_heads (
            org TEXT PRIMARY KEY, first INTEGER NOT NULL, seq INTEGER NOT NULL, hash TEXT NOT NULL, signed INTEGER NOT NULL
        ) STRICT, WITHOUT ROWID;
        CREATE INDEX decision_chain_moved ON decision_chain_heads (org) WHERE seq > signed;
        CREATE TABLE audit_keys (id TEXT PRIMARY KEY, public_key TEXT NOT NULL, at INTEGER NOT NULL) STRICT, WITHOUT ROWID;
        CREATE TABLE audit_checkpoints (
            org TEXT NOT NULL, seq INTEGER NOT NULL, count INTEGER NOT NULL, hash TEXT NOT NULL, at INTEGER NOT NULL,
            key TEXT NOT NULL REFERENCES audit_keys, signature TEXT NOT NULL, PRIMARY KEY (org, seq)
        ) STRICT, WITHOUT ROWID;
        CREATE TRIGGER decision_chain_is_immutable BEFORE UPDATE ON decision_chain BEGIN SELECT RAISE(ABORT, 'the chain is immutable'); END;
        CREATE TRIGGER decision_chain_is_kept BEFORE DELETE ON decision_chain BEGIN SELECT RAISE(ABORT, 'the chain is kept'); END;
        CREATE TRIGGER decision_chain_head_grows BEFORE UPDATE ON decision_chain_heads
            WHEN new.org <> old.org OR new.first <> old.first OR new.seq < old.seq OR new.signed < old.signed
            OR (new.seq = old.seq AND new.hash <> old.hash)
            BEGIN SELECT RAISE(ABORT, 'the chain only grows'); END;
        CREATE TRIGGER decision_chain_head_is_kept BEFORE DELETE ON decision_chain_heads
            BEGIN SELECT RAISE(ABORT, 'the chain is kept'); END;
        CREATE TRIGGER audit_key_is_immutable BEFORE UPDATE ON audit_keys BEGIN SELECT RAISE(ABORT, 'keys are immutable'); END;
        CREATE TRIGGER audit_key_is_kept BEFORE DELETE ON audit_keys BEGIN SELECT RAISE(ABORT, 'keys are kept'); END;
        CREATE TRIGGER audit_checkpoint_is_immutable BEFORE UPDATE ON audit_checkpoints
            BEGIN SELECT RAISE(ABORT, 'checkpoints are immutable'); END;
        CREATE TRIGGER audit_checkpoint_is_kept BEFORE DELETE ON audit_checkpoints BEGIN SELECT RAISE(ABORT, 'checkpoints are kept'); END;
        """

    /// Decisions that are not about calls. The rows that were there, and those of the release before, are all about calls.
    static let kinds = """
        ALTER TABLE tool_decisions ADD COLUMN kind TEXT NOT NULL DEFAULT 'call';
        ALTER TABLE tool_decisions ADD COLUMN conversation TEXT;
        ALTER TABLE tool_decisions ADD COLUMN subject TEXT;
        ALTER TABLE tool_decisions ADD COLUMN approval TEXT;
        ALTER TABLE tool_decisions ADD COLUMN details TEXT;
        CREATE INDEX tool_decisions_conversation ON tool_decisions (org, conversation, seq) WHERE conversation IS NOT NULL;
        CREATE INDEX tool_decisions_rule ON tool_decisions (org, rule, seq) WHERE rule IS NOT NULL;
        CREATE INDEX tool_decisions_at ON tool_decisions (org, at, seq);
        CREATE INDEX tool_decisions_kind ON tool_decisions (org, kind, seq) WHERE kind <> 'call';
        """

    /// The outcomes have a table of their own: what a caller has is summed over the keys, and a row of these is short.
    static let idempotency = """
        CREATE TABLE idempotency_keys (
            number INTEGER PRIMARY KEY AUTOINCREMENT, org TEXT NOT NULL, project TEXT NOT NULL, caller TEXT NOT NULL, key TEXT NOT NULL,
            digest TEXT NOT NULL, holder TEXT NOT NULL, token INTEGER NOT NULL, claim_ends INTEGER NOT NULL, kept_until INTEGER NOT NULL,
            bytes INTEGER, UNIQUE (org, project, caller, key)
        ) STRICT;
        CREATE INDEX idempotency_keys_end ON idempotency_keys (kept_until);
        CREATE TABLE idempotency_outcomes (
            number INTEGER PRIMARY KEY REFERENCES idempotency_keys ON DELETE CASCADE, outcome BLOB NOT NULL
        ) STRICT;
        """
}
