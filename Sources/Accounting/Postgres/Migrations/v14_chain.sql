-- The chain over decisions and outcomes, and its signed checkpoints. The rows that were there stay as they are, and the release before
-- goes on beside this one: an org's chain begins with the number after the last one that it had.

CREATE TABLE decision_chain (
    org text COLLATE "C" NOT NULL,
    seq bigint NOT NULL,
    hash text COLLATE "C" NOT NULL,
    PRIMARY KEY (org, seq)
);

-- Written under the org's row of decision_heads; `signed` is the number of the last checkpoint.
CREATE TABLE decision_chain_heads (
    org text COLLATE "C" PRIMARY KEY,
    first bigint NOT NULL,
    seq bigint NOT NULL,
    hash text COLLATE "C" NOT NULL,
    signed bigint NOT NULL
) WITH (fillfactor = 50);
CREATE INDEX decision_chain_moved ON decision_chain_heads (org) WHERE seq > signed;

CREATE TABLE audit_keys (id text COLLATE "C" PRIMARY KEY, public_key text COLLATE "C" NOT NULL, at bigint NOT NULL);

CREATE TABLE audit_checkpoints (
    org text COLLATE "C" NOT NULL,
    seq bigint NOT NULL,
    count bigint NOT NULL,
    hash text COLLATE "C" NOT NULL,
    at bigint NOT NULL,
    key text COLLATE "C" NOT NULL REFERENCES audit_keys,
    signature text COLLATE "C" NOT NULL,
    PRIMARY KEY (org, seq)
);

CREATE TRIGGER decision_chain_is_immutable BEFORE UPDATE OR DELETE ON decision_chain
    FOR EACH ROW EXECUTE FUNCTION decisions_refuse();
CREATE TRIGGER decision_chain_is_kept BEFORE TRUNCATE ON decision_chain EXECUTE FUNCTION decisions_refuse();
CREATE TRIGGER decision_chain_head_grows BEFORE UPDATE ON decision_chain_heads
    FOR EACH ROW WHEN (
        NEW.org <> OLD.org OR NEW.first <> OLD.first OR NEW.seq < OLD.seq OR NEW.signed < OLD.signed
        OR (NEW.seq = OLD.seq AND NEW.hash <> OLD.hash)
    ) EXECUTE FUNCTION decisions_refuse();
CREATE TRIGGER decision_chain_head_is_kept BEFORE DELETE ON decision_chain_heads FOR EACH ROW EXECUTE FUNCTION decisions_refuse();
CREATE TRIGGER decision_chain_heads_are_kept BEFORE TRUNCATE ON decision_chain_heads EXECUTE FUNCTION decisions_refuse();
CREATE TRIGGER audit_key_is_immutable BEFORE UPDATE OR DELETE ON audit_keys FOR EACH ROW EXECUTE FUNCTION decisions_refuse();
CREATE TRIGGER audit_keys_are_kept BEFORE TRUNCATE ON audit_keys EXECUTE FUNCTION decisions_refuse();
CREATE TRIGGER audit_checkpoint_is_immutable BEFORE UPDATE OR DELETE ON audit_checkpoints
    FOR EACH ROW EXECUTE FUNCTION decisions_refuse();
CREATE TRIGGER audit_checkpoints_are_kept BEFORE TRUNCATE ON audit_checkpoints EXECUTE FUNCTION decisions_refuse();
