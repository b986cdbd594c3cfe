-- Why runs were cut, and what may change of a key.

CREATE TABLE run_ends (
    run text COLLATE "C" PRIMARY KEY,
    org text COLLATE "C" NOT NULL,
    project text COLLATE "C" NOT NULL,
    user_id text COLLATE "C",
    key_id text COLLATE "C",
    model text NOT NULL,
    outcome text NOT NULL,
    detail text NOT NULL,
    at bigint NOT NULL
);
CREATE INDEX run_ends_by_time ON run_ends (at);

CREATE TABLE key_settings (
    key_id text COLLATE "C" PRIMARY KEY REFERENCES keys,
    alias text,
    models text NOT NULL,
    metadata text NOT NULL,
    expires_at bigint,
    blocked boolean NOT NULL
);
