-- Conversations of one owner each; `user_id` is empty for a key that is bound to no user.

CREATE TABLE conversations (
    org text COLLATE "C" NOT NULL,
    project text COLLATE "C" NOT NULL,
    user_id text COLLATE "C" NOT NULL,
    id text COLLATE "C" NOT NULL,
    created_at bigint NOT NULL,
    updated_at bigint NOT NULL,
    PRIMARY KEY (org, project, user_id, id)
);
CREATE INDEX conversations_by_use ON conversations (org, project, user_id, updated_at DESC);

CREATE TABLE turns (
    position bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    org text COLLATE "C" NOT NULL,
    project text COLLATE "C" NOT NULL,
    user_id text COLLATE "C" NOT NULL,
    conversation text COLLATE "C" NOT NULL,
    turn text COLLATE "C" NOT NULL,
    run text COLLATE "C" NOT NULL,
    user_text text NOT NULL,
    assistant_text text NOT NULL,
    status text NOT NULL,
    started_at bigint NOT NULL,
    UNIQUE (org, project, user_id, conversation, turn),
    FOREIGN KEY (org, project, user_id, conversation) REFERENCES conversations ON DELETE CASCADE
);
CREATE INDEX turns_by_conversation ON turns (org, project, user_id, conversation, position);
CREATE INDEX turns_by_run ON turns (org, project, user_id, run);
