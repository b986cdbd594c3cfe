-- Documents of projects in passages, and what users want remembered.
--
-- `terms` is made of words that the server has read, each with the project's number before it; no parser or dictionary of Postgres
-- has a part in it, so its locale has none either. A passage's row stays in its page uncompressed: ranking reads many of them.
CREATE TABLE knowledge_projects (
    number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    org text COLLATE "C" NOT NULL,
    project text COLLATE "C" NOT NULL,
    documents bigint NOT NULL,
    bytes bigint NOT NULL,
    UNIQUE (org, project)
);

CREATE TABLE knowledge_documents (
    number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    project bigint NOT NULL REFERENCES knowledge_projects,
    id text COLLATE "C" NOT NULL,
    title text NOT NULL,
    digest text COLLATE "C" NOT NULL,
    bytes bigint NOT NULL,
    passages bigint NOT NULL,
    updated_at bigint NOT NULL,
    UNIQUE (project, id)
);

CREATE TABLE knowledge_passages (
    document bigint NOT NULL REFERENCES knowledge_documents ON DELETE CASCADE,
    position bigint NOT NULL,
    text text NOT NULL,
    terms tsvector NOT NULL,
    PRIMARY KEY (document, position)
) WITH (toast_tuple_target = 8160);
CREATE INDEX knowledge_passages_by_term ON knowledge_passages USING gin (terms);

CREATE TABLE user_memory (
    org text COLLATE "C" NOT NULL,
    project text COLLATE "C" NOT NULL,
    user_id text COLLATE "C" NOT NULL,
    key text COLLATE "C" NOT NULL,
    value text NOT NULL,
    updated_at bigint NOT NULL,
    PRIMARY KEY (org, project, user_id, key)
);
