-- What becomes of a key's runs that nobody reads any more; null: as configured. The release before it leaves the column alone.
ALTER TABLE key_settings ADD COLUMN on_disconnect text;
