-- The lives of the counters beside this ledger: `number` is the present one of an org. Rows of an older life are refused, in the
-- transaction that would append them; rows of life 0 come from counters that lose nothing.
ALTER TABLE ledger ADD COLUMN epoch bigint NOT NULL DEFAULT 0;

CREATE TABLE epochs (
    org text COLLATE "C" PRIMARY KEY,
    number bigint NOT NULL,
    incarnation text COLLATE "C" NOT NULL,
    cleared boolean NOT NULL
);

-- How much of a window's cap the counters were given: the sum of its tranches. Never above the highest cap that the window had.
CREATE TABLE releases (
    window_key text COLLATE "C" NOT NULL,
    generation bigint NOT NULL,
    released bigint NOT NULL,
    ends_at bigint NOT NULL,
    PRIMARY KEY (window_key, generation)
);
CREATE INDEX releases_by_end ON releases (ends_at);

-- Processes that were heard of and did not leave, and those among them that have brought all that they held into the present life of an org.
CREATE TABLE holders (
    node text COLLATE "C" NOT NULL,
    fence bigint NOT NULL,
    seen_at timestamptz NOT NULL,
    PRIMARY KEY (node, fence)
);
CREATE TABLE confirmations (
    org text COLLATE "C" NOT NULL,
    node text COLLATE "C" NOT NULL,
    fence bigint NOT NULL,
    PRIMARY KEY (org, node, fence)
);
