-- Whose account a key spends from: the first of those that replaced one another; null: its own. The release before does not see the column:
-- to it a key that replaced another has nothing to spend under but its organisation's, project's and user's budgets.
ALTER TABLE keys ADD COLUMN account text COLLATE "C";
CREATE INDEX keys_by_account ON keys (account) WHERE account IS NOT NULL;
