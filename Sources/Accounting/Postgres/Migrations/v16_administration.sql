-- Names for people, when keys were last used, and who holds a key. The release before leaves all of it alone.

CREATE TABLE tenant_names (scope text COLLATE "C" PRIMARY KEY, name text NOT NULL);

-- Written once a minute for a key that is in use.
CREATE TABLE key_uses (key_id text COLLATE "C" PRIMARY KEY, used_at bigint NOT NULL) WITH (fillfactor = 50);

ALTER TABLE keys ADD COLUMN kind text COLLATE "C" NOT NULL DEFAULT 'key';
CREATE INDEX keys_by_place ON keys (org, project, user_id, id);
