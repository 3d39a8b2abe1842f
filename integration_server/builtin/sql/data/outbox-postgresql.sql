-- PostgreSQL 11 or later: the outbox {outbox}, and triggers that note in it whose row of {table} changed.
-- Run it as the owner of the tables, for example: psql --single-transaction -f this-file DATABASE. It may be run again.
-- The functions run with their owner's rights, so the application's accounts need none on the outbox.
-- After an INSERT, lastval() is now the outbox's; RETURNING and currval() are as before.
-- Let the server's account read it: GRANT SELECT ON {outbox} TO {reader};
-- Delete old rows now and then, but never the newest one:
--   DELETE FROM {outbox} WHERE {made_at} < now() - interval '14 days'
--     AND {sequence} < (SELECT max({sequence}) FROM {outbox});

CREATE TABLE IF NOT EXISTS {outbox} (
    {sequence} bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    {person} text NOT NULL,
    {made_at} timestamptz NOT NULL DEFAULT clock_timestamp()
);

CREATE OR REPLACE FUNCTION {function}() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $told$
BEGIN
    IF TG_OP = 'TRUNCATE' THEN
        INSERT INTO {outbox} ({person}) SELECT {id}::text FROM {table} WHERE {id} IS NOT NULL;
        RETURN NULL;
    END IF;
    IF TG_OP <> 'INSERT' THEN
        INSERT INTO {outbox} ({person}) SELECT OLD.{id}::text WHERE OLD.{id} IS NOT NULL;
    END IF;
    IF TG_OP = 'INSERT' THEN
        INSERT INTO {outbox} ({person}) SELECT NEW.{id}::text WHERE NEW.{id} IS NOT NULL;
    ELSIF TG_OP = 'UPDATE' THEN
        INSERT INTO {outbox} ({person}) SELECT NEW.{id}::text
        WHERE NEW.{id} IS NOT NULL AND NEW.{id}::text IS DISTINCT FROM OLD.{id}::text;
    END IF;
    RETURN NULL;
END
$told$;

DROP TRIGGER IF EXISTS {on_change} ON {table};
CREATE TRIGGER {on_change} AFTER INSERT OR DELETE ON {table}
    FOR EACH ROW EXECUTE FUNCTION {function}();
DROP TRIGGER IF EXISTS {on_update} ON {table};
CREATE TRIGGER {on_update} AFTER UPDATE ON {table}
    FOR EACH ROW WHEN (OLD *<> NEW) EXECUTE FUNCTION {function}();
DROP TRIGGER IF EXISTS {on_truncate} ON {table};
CREATE TRIGGER {on_truncate} BEFORE TRUNCATE ON {table}
    FOR EACH STATEMENT EXECUTE FUNCTION {function}();
{sides}
