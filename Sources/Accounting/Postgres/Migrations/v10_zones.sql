-- Whose days, weeks and months a budget follows; empty: UTC. The release before it does not see the column: to it every budget follows
-- UTC, so a zone is set when every server has been upgraded.
ALTER TABLE budgets ADD COLUMN zone text COLLATE "C" NOT NULL DEFAULT '';
ALTER TABLE model_budgets ADD COLUMN zone text COLLATE "C" NOT NULL DEFAULT '';

CREATE OR REPLACE VIEW all_budgets AS
    SELECT scope, ''::text COLLATE "C" AS model, unit, period, amount, version, generation, zone FROM budgets
    UNION ALL SELECT scope, model, unit, period, amount, version, generation, zone FROM model_budgets;
