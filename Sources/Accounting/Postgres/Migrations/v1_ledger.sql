-- The ledger. Amounts are integers in base units, times are milliseconds since 1970 (UTC).
--
-- Text that names something has the collation "C": it is compared bytewise, whatever the database's locale is, and so sorts
-- as the embedded store sorts.

-- One row for every charge id that was ever appended. `ledger` is partitioned by time, and a unique constraint of a
-- partitioned table must hold the partition key: (charge_id, at) would let one id in twice with two times, which a
-- counter store that was rebuilt may well send. This table is not partitioned, so the id is unique over all days.
CREATE TABLE ledger_ids (charge_id text COLLATE "C" PRIMARY KEY);

CREATE SEQUENCE ledger_position;

CREATE TABLE ledger (
    position bigint NOT NULL DEFAULT nextval('ledger_position'),
    charge_id text COLLATE "C" NOT NULL,
    kind text NOT NULL,
    is_charge boolean NOT NULL,
    lease text COLLATE "C" NOT NULL,
    org text COLLATE "C" NOT NULL,
    project text COLLATE "C" NOT NULL,
    user_id text COLLATE "C",
    key_id text COLLATE "C",
    run text COLLATE "C" NOT NULL,
    model text NOT NULL,
    price_version text NOT NULL,
    nano_usd bigint NOT NULL,
    input_fresh bigint NOT NULL,
    input_cache_read bigint NOT NULL,
    input_cache_write bigint NOT NULL,
    output_visible bigint NOT NULL,
    output_reasoning bigint NOT NULL,
    requests bigint NOT NULL,
    estimated boolean NOT NULL,
    at bigint NOT NULL
) PARTITION BY RANGE (at);

CREATE INDEX ledger_by_position ON ledger (position);
CREATE INDEX ledger_by_org ON ledger (org, position);
CREATE INDEX ledger_by_key ON ledger (key_id, position) WHERE key_id IS NOT NULL;
CREATE INDEX ledger_by_run ON ledger (run);

CREATE FUNCTION ledger_refuses() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'ledger rows are immutable';
END $$;
CREATE TRIGGER ledger_is_immutable BEFORE UPDATE OR DELETE ON ledger FOR EACH ROW EXECUTE FUNCTION ledger_refuses();

-- Makes the partition of one day (days since 1970) unless it is there. Attaching takes a weaker lock of `ledger` than
-- CREATE TABLE … PARTITION OF would: appends of other servers go on.
CREATE FUNCTION ledger_make_day(day bigint) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    name text := 'ledger_' || to_char(to_timestamp(day * 86400.0) AT TIME ZONE 'UTC', 'YYYY_MM_DD');
BEGIN
    IF to_regclass(format('kdcube.%I', name)) IS NOT NULL THEN RETURN; END IF;
    PERFORM pg_advisory_xact_lock(hashtextextended('kdcube.ledger_make_day', 0));
    -- Asked of the table itself: to_regclass would answer from the cache that was filled before the lock.
    IF EXISTS (SELECT FROM pg_class WHERE relname = name AND relnamespace = 'kdcube'::regnamespace) THEN RETURN; END IF;
    EXECUTE format('CREATE TABLE kdcube.%I (LIKE kdcube.ledger INCLUDING DEFAULTS)', name);
    EXECUTE format(
        'ALTER TABLE kdcube.ledger ATTACH PARTITION kdcube.%I FOR VALUES FROM (%s) TO (%s)', name, day * 86400000, (day + 1) * 86400000);
END $$;

-- Sums of charges by scope and time, kept in the transaction that appends the rows: always exactly the sum of the rows.
-- `grain` is the length of the bucket (60000 a minute, 86400000 a day), `bucket` its start.
CREATE TABLE ledger_sums (
    scope text COLLATE "C" NOT NULL,
    grain bigint NOT NULL,
    bucket bigint NOT NULL,
    nano_usd bigint NOT NULL,
    input_fresh bigint NOT NULL,
    input_cache_read bigint NOT NULL,
    input_cache_write bigint NOT NULL,
    output_visible bigint NOT NULL,
    output_reasoning bigint NOT NULL,
    requests bigint NOT NULL,
    PRIMARY KEY (scope, grain, bucket)
) WITH (fillfactor = 70);
