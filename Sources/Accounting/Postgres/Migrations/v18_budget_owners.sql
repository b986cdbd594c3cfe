-- On whose word a budget stands: 'org' or 'operator'. What was there before is its organisation's, as it was. The release before does not
-- see the column, and leaves it as it is; to it every budget is the organisation's, so owners hold when every server has been upgraded.
ALTER TABLE budgets ADD COLUMN owner text COLLATE "C" NOT NULL DEFAULT 'org';
ALTER TABLE model_budgets ADD COLUMN owner text COLLATE "C" NOT NULL DEFAULT 'org';

CREATE OR REPLACE VIEW all_budgets AS
    SELECT scope, ''::text COLLATE "C" AS model, unit, period, amount, version, generation, zone, owner FROM budgets
    UNION ALL SELECT scope, model, unit, period, amount, version, generation, zone, owner FROM model_budgets;
