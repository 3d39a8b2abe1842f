
-- Whose rows of {side} changed. (The first line fails where its key is of another type than that of {table}.)
SELECT 1 FROM {table} p JOIN {side} s ON p.{key} = s.{user} WHERE false;

CREATE OR REPLACE FUNCTION {function}() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $told$
BEGIN
    IF TG_OP = 'TRUNCATE' THEN
        INSERT INTO {outbox} ({person}) SELECT DISTINCT p.{id}::text
        FROM {table} p JOIN {side} s ON p.{key} = s.{user} WHERE p.{id} IS NOT NULL;
        RETURN NULL;
    END IF;
    IF TG_OP <> 'INSERT' THEN
        INSERT INTO {outbox} ({person}) {whose_old};
    END IF;
    IF TG_OP = 'INSERT' THEN
        INSERT INTO {outbox} ({person}) {whose_new};
    ELSIF TG_OP = 'UPDATE' THEN
        IF NEW.{user} IS DISTINCT FROM OLD.{user} THEN
            INSERT INTO {outbox} ({person}) {whose_new};
        END IF;
    END IF;
    RETURN NULL;
END
$told$;

DROP TRIGGER IF EXISTS {on_change} ON {side};
CREATE TRIGGER {on_change} AFTER INSERT OR DELETE ON {side}
    FOR EACH ROW EXECUTE FUNCTION {function}();
DROP TRIGGER IF EXISTS {on_update} ON {side};
CREATE TRIGGER {on_update} AFTER UPDATE ON {side}
    FOR EACH ROW WHEN (OLD *<> NEW) EXECUTE FUNCTION {function}();
DROP TRIGGER IF EXISTS {on_truncate} ON {side};
CREATE TRIGGER {on_truncate} BEFORE TRUNCATE ON {side}
    FOR EACH STATEMENT EXECUTE FUNCTION {function}();
