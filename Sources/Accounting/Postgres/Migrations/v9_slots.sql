-- The slots that a hot org's counters are split over: `slot` is 0 for an org that is not split. The names of their counters
-- (`acme/3`) stand in `epochs.org` and `confirmations.org`.
--
-- The sums and releases of slots from 1 are in tables of their own: a primary key that held the slot would take from the release
-- before, which goes on beside this one, what its ON CONFLICT names.
ALTER TABLE ledger ADD COLUMN slot smallint NOT NULL DEFAULT 0;

-- Beside `ledger_sums`, which goes on to hold the sum over all slots.
CREATE TABLE slot_sums (
    scope text COLLATE "C" NOT NULL,
    grain bigint NOT NULL,
    bucket bigint NOT NULL,
    slot smallint NOT NULL,
    nano_usd bigint NOT NULL,
    input_fresh bigint NOT NULL,
    input_cache_read bigint NOT NULL,
    input_cache_write bigint NOT NULL,
    output_visible bigint NOT NULL,
    output_reasoning bigint NOT NULL,
    requests bigint NOT NULL,
    PRIMARY KEY (scope, grain, bucket, slot)
) WITH (fillfactor = 70);

-- By slot; what slot 0 has is what no other slot has.
CREATE VIEW sums_by_slot AS
    SELECT slot, scope, grain, bucket, nano_usd, input_fresh, input_cache_read, input_cache_write, output_visible, output_reasoning,
        requests
    FROM slot_sums
    UNION ALL SELECT 0::smallint, scope, grain, bucket, nano_usd, input_fresh, input_cache_read, input_cache_write, output_visible,
        output_reasoning, requests
    FROM ledger_sums
    UNION ALL SELECT 0::smallint, scope, grain, bucket, -nano_usd, -input_fresh, -input_cache_read, -input_cache_write, -output_visible,
        -output_reasoning, -requests
    FROM slot_sums;

-- `turn` grows with every change of what the counters were given.
ALTER TABLE releases ADD COLUMN turn bigint NOT NULL DEFAULT 1;

CREATE TABLE slot_releases (
    window_key text COLLATE "C" NOT NULL,
    generation bigint NOT NULL,
    slot smallint NOT NULL,
    released bigint NOT NULL,
    ends_at bigint NOT NULL,
    turn bigint NOT NULL DEFAULT 1,
    PRIMARY KEY (window_key, generation, slot)
);
CREATE INDEX slot_releases_by_end ON slot_releases (ends_at);

CREATE VIEW all_releases AS
    SELECT window_key, generation, 0::smallint AS slot, released, turn FROM releases
    UNION ALL SELECT window_key, generation, slot, released, turn FROM slot_releases;

-- The release before raises without a turn.
CREATE FUNCTION release_takes_a_turn() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.turn := OLD.turn + 1;
    RETURN NEW;
END $$;
CREATE TRIGGER release_is_raised BEFORE UPDATE ON releases FOR EACH ROW
    WHEN (NEW.released > OLD.released AND NEW.turn = OLD.turn) EXECUTE FUNCTION release_takes_a_turn();
