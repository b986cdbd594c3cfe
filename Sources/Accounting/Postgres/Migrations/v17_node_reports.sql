-- What servers say of themselves, every second: not worth a log, and gone after a crash of the database, as it is old by then.
CREATE UNLOGGED TABLE node_reports (
    node text PRIMARY KEY, at bigint NOT NULL, report text NOT NULL, is_draining boolean NOT NULL DEFAULT false
);
CREATE INDEX node_reports_at ON node_reports (at);
