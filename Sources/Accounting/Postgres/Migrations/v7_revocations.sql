-- Orders to cut what runs. Never reused ids: servers remember the last one that they carried out.

CREATE TABLE revocations (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    target text COLLATE "C" NOT NULL,
    org text COLLATE "C",
    author text NOT NULL,
    at bigint NOT NULL
);
