-- Budgets of one model, in a table of their own: the release before them does not see it, and goes on with its own.
CREATE TABLE model_budgets (
    scope text COLLATE "C" NOT NULL,
    model text COLLATE "C" NOT NULL,
    unit text COLLATE "C" NOT NULL,
    period text COLLATE "C" NOT NULL,
    amount bigint NOT NULL,
    version bigint NOT NULL,
    generation bigint NOT NULL,
    PRIMARY KEY (scope, model, unit, period)
);

CREATE VIEW all_budgets AS
    SELECT scope, ''::text COLLATE "C" AS model, unit, period, amount, version, generation FROM budgets
    UNION ALL SELECT scope, model, unit, period, amount, version, generation FROM model_budgets;
