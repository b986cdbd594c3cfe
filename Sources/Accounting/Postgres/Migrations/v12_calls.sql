-- Calls of tools. The release before does not see the columns: what it appends has none.
ALTER TABLE ledger ADD COLUMN calls bigint NOT NULL DEFAULT 0;
ALTER TABLE ledger_sums ADD COLUMN calls bigint NOT NULL DEFAULT 0;
ALTER TABLE slot_sums ADD COLUMN calls bigint NOT NULL DEFAULT 0;

CREATE OR REPLACE VIEW sums_by_slot AS
    SELECT slot, scope, grain, bucket, nano_usd, input_fresh, input_cache_read, input_cache_write, output_visible, output_reasoning,
        requests, calls
    FROM slot_sums
    UNION ALL SELECT 0::smallint, scope, grain, bucket, nano_usd, input_fresh, input_cache_read, input_cache_write, output_visible,
        output_reasoning, requests, calls
    FROM ledger_sums
    UNION ALL SELECT 0::smallint, scope, grain, bucket, -nano_usd, -input_fresh, -input_cache_read, -input_cache_write, -output_visible,
        -output_reasoning, -requests, -calls
    FROM slot_sums;
