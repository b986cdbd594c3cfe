-- Decisions about calls of tools and what became of them, and calls that are to happen once.

-- The last number of each org. Decisions and outcomes share the numbers, so that one chain can follow both; whoever takes a number
-- holds the row until the commit, so there are no gaps, and the order of numbers is that of commits.
CREATE TABLE decision_heads (org text COLLATE "C" PRIMARY KEY, seq bigint NOT NULL) WITH (fillfactor = 50);

CREATE TABLE tool_decisions (
    org text COLLATE "C" NOT NULL,
    seq bigint NOT NULL,
    id text COLLATE "C" NOT NULL,
    project text COLLATE "C" NOT NULL,
    user_id text COLLATE "C",
    key_id text COLLATE "C",
    run text COLLATE "C" NOT NULL,
    call text COLLATE "C" NOT NULL,
    parent_call text COLLATE "C",
    source text COLLATE "C" NOT NULL,
    tool text COLLATE "C" NOT NULL,
    arguments_digest text COLLATE "C" NOT NULL,
    arguments text,
    decision text COLLATE "C" NOT NULL,
    rule text,
    code text,
    message text,
    roles text NOT NULL,
    at bigint NOT NULL,
    PRIMARY KEY (org, seq),
    UNIQUE (org, id)
);
CREATE INDEX tool_decisions_by_project ON tool_decisions (org, project, seq);
CREATE INDEX tool_decisions_by_user ON tool_decisions (org, project, user_id, seq) WHERE user_id IS NOT NULL;
CREATE INDEX tool_decisions_by_run ON tool_decisions (org, run, seq);
CREATE INDEX tool_decisions_by_tool ON tool_decisions (org, tool, seq);
CREATE INDEX tool_decisions_denied ON tool_decisions (org, seq) WHERE decision = 'deny';

CREATE TABLE tool_outcomes (
    org text COLLATE "C" NOT NULL,
    decision text COLLATE "C" NOT NULL,
    seq bigint NOT NULL,
    status text COLLATE "C" NOT NULL,
    code text,
    result_digest text COLLATE "C",
    bytes bigint NOT NULL,
    elapsed bigint NOT NULL,
    at bigint NOT NULL,
    PRIMARY KEY (org, decision),
    UNIQUE (org, seq),
    FOREIGN KEY (org, decision) REFERENCES tool_decisions (org, id)
);

-- The server owns the tables, so rights alone would not hold it back.
CREATE FUNCTION decisions_refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'decisions and outcomes are immutable';
END $$;
CREATE TRIGGER tool_decision_is_immutable BEFORE UPDATE OR DELETE ON tool_decisions
    FOR EACH ROW EXECUTE FUNCTION decisions_refuse();
CREATE TRIGGER tool_decisions_are_kept BEFORE TRUNCATE ON tool_decisions EXECUTE FUNCTION decisions_refuse();
CREATE TRIGGER tool_outcome_is_immutable BEFORE UPDATE OR DELETE ON tool_outcomes
    FOR EACH ROW EXECUTE FUNCTION decisions_refuse();
CREATE TRIGGER tool_outcomes_are_kept BEFORE TRUNCATE ON tool_outcomes EXECUTE FUNCTION decisions_refuse();
CREATE TRIGGER decision_head_grows BEFORE UPDATE ON decision_heads
    FOR EACH ROW WHEN (NEW.seq <= OLD.seq OR NEW.org <> OLD.org) EXECUTE FUNCTION decisions_refuse();
CREATE TRIGGER decision_head_is_kept BEFORE DELETE ON decision_heads FOR EACH ROW EXECUTE FUNCTION decisions_refuse();
CREATE TRIGGER decision_heads_are_kept BEFORE TRUNCATE ON decision_heads EXECUTE FUNCTION decisions_refuse();

-- The outcomes have a table of their own: what a caller has is summed over the keys, and a row of these is short.
CREATE TABLE idempotency_keys (
    number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    org text COLLATE "C" NOT NULL,
    project text COLLATE "C" NOT NULL,
    caller text COLLATE "C" NOT NULL,
    key text COLLATE "C" NOT NULL,
    digest text COLLATE "C" NOT NULL,
    holder text COLLATE "C" NOT NULL,
    token bigint NOT NULL,
    claim_ends bigint NOT NULL,
    kept_until bigint NOT NULL,
    bytes bigint,
    UNIQUE (org, project, caller, key)
);
CREATE INDEX idempotency_keys_by_end ON idempotency_keys (kept_until);

CREATE TABLE idempotency_outcomes (
    number bigint PRIMARY KEY REFERENCES idempotency_keys ON DELETE CASCADE,
    outcome bytea NOT NULL
);
