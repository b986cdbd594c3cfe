-- Decisions that are not about calls, what policies count, approvals, versions of the policies, switches of tools, and whose a key is.

-- The rows that were there, and those of the release before, are all about calls.
ALTER TABLE tool_decisions ADD COLUMN kind text COLLATE "C" NOT NULL DEFAULT 'call';
ALTER TABLE tool_decisions ADD COLUMN conversation text COLLATE "C";
ALTER TABLE tool_decisions ADD COLUMN subject text;
ALTER TABLE tool_decisions ADD COLUMN approval text COLLATE "C";
ALTER TABLE tool_decisions ADD COLUMN details text;
CREATE INDEX tool_decisions_by_conversation ON tool_decisions (org, conversation, seq) WHERE conversation IS NOT NULL;
CREATE INDEX tool_decisions_by_rule ON tool_decisions (org, rule, seq) WHERE rule IS NOT NULL;
CREATE INDEX tool_decisions_by_time ON tool_decisions (org, at, seq);
CREATE INDEX tool_decisions_by_kind ON tool_decisions (org, kind, seq) WHERE kind <> 'call';

ALTER TABLE keys ADD COLUMN identity text;

-- One row for each counter; a window that is over is begun anew by the next who takes, and never by a clock that goes back.
CREATE TABLE limit_counts (
    org text COLLATE "C" NOT NULL,
    id text COLLATE "C" NOT NULL,
    window_start bigint NOT NULL,
    ends_at bigint NOT NULL,
    used bigint NOT NULL,
    PRIMARY KEY (org, id)
) WITH (fillfactor = 70);
CREATE INDEX limit_counts_by_end ON limit_counts (ends_at);

CREATE TABLE limit_reservations (
    org text COLLATE "C" NOT NULL,
    reservation text COLLATE "C" NOT NULL,
    at bigint NOT NULL,
    is_refunded boolean NOT NULL,
    PRIMARY KEY (org, reservation)
);
CREATE INDEX limit_reservations_by_time ON limit_reservations (at);

-- A reservation's takes are those of its counters' windows: what is given back goes into no other one.
CREATE TABLE limit_takes (
    org text COLLATE "C" NOT NULL,
    reservation text COLLATE "C" NOT NULL,
    id text COLLATE "C" NOT NULL,
    amount bigint NOT NULL,
    window_start bigint NOT NULL,
    ends_at bigint NOT NULL,
    used bigint NOT NULL,
    PRIMARY KEY (org, reservation, id),
    FOREIGN KEY (org, reservation) REFERENCES limit_reservations ON DELETE CASCADE
);

-- Takes all or nothing, in one statement of the client: what LimitPlan decides. The ids are distinct and come in the order of their bytes,
-- in which every transaction locks them.
--
-- Answers `reserved` with the counters as they are after it, `exceeded` with those that have no room, or `taken` when the reservation was
-- given back or took something else.
CREATE FUNCTION limit_reserve(
    the_org text, the_reservation text, ids text[], amounts bigint[], caps bigint[], starts bigint[], ends bigint[], clock bigint,
    retention bigint, pruned bigint
) RETURNS TABLE (answer text, limit_id text, now_used bigint, resets_at bigint) LANGUAGE plpgsql AS $$
DECLARE
    was_refunded boolean;
BEGIN
    PERFORM set_config('synchronous_commit', 'on', true) WHERE current_setting('synchronous_commit') IN ('off', 'local');
    -- Locks also the rows that it leaves as they are.
    INSERT INTO limit_counts AS c (org, id, window_start, ends_at, used)
        SELECT the_org, w.id, w.window_start, w.ends_at, 0
        FROM unnest(ids, starts, ends) WITH ORDINALITY AS w (id, window_start, ends_at, place) ORDER BY w.place
        ON CONFLICT (org, id) DO UPDATE SET window_start = excluded.window_start, ends_at = excluded.ends_at, used = 0
        WHERE c.ends_at <= clock;

    SELECT r.is_refunded INTO was_refunded FROM limit_reservations r WHERE r.org = the_org AND r.reservation = the_reservation;
    IF FOUND THEN
        IF was_refunded OR EXISTS (
            SELECT FROM (SELECT t.id, t.amount FROM limit_takes t WHERE t.org = the_org AND t.reservation = the_reservation) AS t
            FULL JOIN unnest(ids, amounts) AS w (id, amount) ON w.id = t.id WHERE w.amount IS DISTINCT FROM t.amount
        ) THEN
            RETURN QUERY SELECT 'taken', '', 0::bigint, 0::bigint;
        ELSE
            RETURN QUERY SELECT 'reserved', t.id, t.used, t.ends_at FROM limit_takes t
                WHERE t.org = the_org AND t.reservation = the_reservation;
        END IF;
        RETURN;
    END IF;

    RETURN QUERY SELECT 'exceeded', c.id, c.used, c.ends_at
        FROM unnest(ids, amounts, caps) AS w (id, amount, cap) JOIN limit_counts c ON c.org = the_org AND c.id = w.id
        WHERE w.cap < w.amount OR c.used > w.cap - w.amount;
    IF FOUND THEN RETURN; END IF;

    UPDATE limit_counts c SET used = c.used + w.amount FROM unnest(ids, amounts) AS w (id, amount)
        WHERE c.org = the_org AND c.id = w.id;
    INSERT INTO limit_reservations VALUES (the_org, the_reservation, clock, false) ON CONFLICT DO NOTHING;
    -- Somebody has made it meanwhile, of other counters: the client asks again and is told.
    IF NOT FOUND THEN RAISE EXCEPTION 'a reservation was made twice at once' USING ERRCODE = 'serialization_failure'; END IF;
    INSERT INTO limit_takes SELECT the_org, the_reservation, c.id, w.amount, c.window_start, c.ends_at, c.used
        FROM unnest(ids, amounts) AS w (id, amount) JOIN limit_counts c ON c.org = the_org AND c.id = w.id;
    RETURN QUERY SELECT 'reserved', t.id, t.used, t.ends_at FROM limit_takes t
        WHERE t.org = the_org AND t.reservation = the_reservation;

    -- After that nothing of another transaction is waited for: two that remove each other's rows cannot wait in a circle.
    DELETE FROM limit_reservations r USING (
        SELECT o.org, o.reservation FROM limit_reservations o WHERE o.at <= clock - retention ORDER BY o.at LIMIT pruned
        FOR UPDATE SKIP LOCKED
    ) AS old WHERE r.org = old.org AND r.reservation = old.reservation;
    DELETE FROM limit_counts c USING (
        SELECT o.org, o.id FROM limit_counts o WHERE o.ends_at <= clock - retention ORDER BY o.ends_at LIMIT pruned
        FOR UPDATE SKIP LOCKED
    ) AS old WHERE c.org = old.org AND c.id = old.id;
END $$;

-- Gives back once, and only into the window that was taken from.
CREATE FUNCTION limit_refund(the_org text, the_reservation text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    PERFORM set_config('synchronous_commit', 'on', true) WHERE current_setting('synchronous_commit') IN ('off', 'local');
    -- The counters first, in the order of all, as a reservation takes them.
    PERFORM FROM limit_counts c WHERE c.org = the_org
        AND c.id IN (SELECT t.id FROM limit_takes t WHERE t.org = the_org AND t.reservation = the_reservation)
        ORDER BY c.id FOR UPDATE;
    UPDATE limit_reservations r SET is_refunded = true
        WHERE r.org = the_org AND r.reservation = the_reservation AND NOT r.is_refunded;
    IF NOT FOUND THEN RETURN; END IF;
    UPDATE limit_counts c SET used = c.used - t.amount FROM limit_takes t
        WHERE t.org = the_org AND t.reservation = the_reservation AND c.org = the_org AND c.id = t.id
        AND c.window_start = t.window_start;
END $$;

-- What an approval is about never changes; `version` is compared by whoever changes the rest.
CREATE TABLE approvals (
    org text COLLATE "C" NOT NULL,
    id text COLLATE "C" NOT NULL,
    project text COLLATE "C" NOT NULL,
    user_id text COLLATE "C" NOT NULL,
    conversation text COLLATE "C" NOT NULL,
    run text COLLATE "C" NOT NULL,
    tool text COLLATE "C" NOT NULL,
    digest text COLLATE "C" NOT NULL,
    state text COLLATE "C" NOT NULL,
    created_at bigint NOT NULL,
    expires_at bigint NOT NULL,
    version bigint NOT NULL,
    record text NOT NULL,
    PRIMARY KEY (org, id)
);
CREATE INDEX approvals_by_time ON approvals (org, created_at, id);
CREATE INDEX approvals_by_state ON approvals (org, state, created_at, id);
CREATE INDEX approvals_by_user ON approvals (org, project, user_id, created_at, id);
CREATE INDEX approvals_by_conversation ON approvals (org, conversation, created_at, id);
CREATE INDEX approvals_by_tool ON approvals (org, tool, created_at, id);
CREATE INDEX approvals_by_digest ON approvals (org, digest, created_at, id);
CREATE INDEX approvals_by_run ON approvals (org, run, created_at, id);
CREATE INDEX approvals_due ON approvals (expires_at) WHERE state = 'pending';

CREATE TABLE policy_versions (version text COLLATE "C" PRIMARY KEY, at bigint NOT NULL, files text NOT NULL);
CREATE INDEX policy_versions_by_time ON policy_versions (at, version);

CREATE TABLE tool_switches (
    tool text COLLATE "C" PRIMARY KEY,
    is_off boolean NOT NULL,
    author text NOT NULL,
    reason text NOT NULL,
    at bigint NOT NULL
);
