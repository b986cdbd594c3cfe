-- Budgets, keys, and the orgs, projects and users that keys brought about.

CREATE TABLE counter (name text PRIMARY KEY, value bigint NOT NULL);
-- Grows with every change of any budget, also with a removal.
INSERT INTO counter VALUES ('budgets', 0);

CREATE TABLE budgets (
    scope text COLLATE "C" NOT NULL,
    unit text COLLATE "C" NOT NULL,
    period text COLLATE "C" NOT NULL,
    amount bigint NOT NULL,
    version bigint NOT NULL,
    generation bigint NOT NULL,
    PRIMARY KEY (scope, unit, period)
);

CREATE TABLE orgs (name text COLLATE "C" PRIMARY KEY, created_at bigint NOT NULL);
CREATE TABLE projects (
    org text COLLATE "C" NOT NULL REFERENCES orgs, name text COLLATE "C" NOT NULL, created_at bigint NOT NULL, PRIMARY KEY (org, name)
);
CREATE TABLE users (
    org text COLLATE "C" NOT NULL, project text COLLATE "C" NOT NULL, name text COLLATE "C" NOT NULL, created_at bigint NOT NULL,
    PRIMARY KEY (org, project, name), FOREIGN KEY (org, project) REFERENCES projects
);
CREATE TABLE keys (
    id text COLLATE "C" PRIMARY KEY,
    hash text COLLATE "C" NOT NULL UNIQUE,
    org text COLLATE "C" NOT NULL,
    project text COLLATE "C" NOT NULL,
    user_id text COLLATE "C",
    roles text NOT NULL,
    on_cut text NOT NULL,
    created_at bigint NOT NULL,
    revoked_at bigint,
    FOREIGN KEY (org, project) REFERENCES projects,
    FOREIGN KEY (org, project, user_id) REFERENCES users
);
CREATE INDEX keys_by_org ON keys (org, id);
