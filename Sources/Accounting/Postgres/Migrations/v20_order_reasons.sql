-- Why somebody ordered runs to be cut, in their own words. The release before does not see the column.
ALTER TABLE revocations ADD COLUMN reason text;
