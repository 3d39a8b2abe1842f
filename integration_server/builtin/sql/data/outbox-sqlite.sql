-- SQLite: the outbox {outbox}, and triggers that note in it whose row of {table} changed.
-- Run it as the owner of the file, for example: sqlite3 people.db < this-file. It may be run again.
-- A row that REPLACE takes away from somebody else is noted only with PRAGMA recursive_triggers = ON.
-- Delete old rows now and then, but never the newest one:
--   DELETE FROM {outbox} WHERE {made_at} < datetime('now', '-14 days')
--     AND {sequence} < (SELECT MAX({sequence}) FROM {outbox});

BEGIN IMMEDIATE;

-- AUTOINCREMENT: a number is never given out twice. {person} has no type, so that it keeps that of the id.
CREATE TABLE IF NOT EXISTS {outbox} (
    {sequence} INTEGER PRIMARY KEY AUTOINCREMENT,
    {person} NOT NULL,
    {made_at} TEXT NOT NULL DEFAULT CURRENT_TIMESTAMP
);

DROP TRIGGER IF EXISTS {on_insert};
CREATE TRIGGER {on_insert} AFTER INSERT ON {table} WHEN NEW.{id} IS NOT NULL
BEGIN
    INSERT INTO {outbox} ({person}) VALUES (NEW.{id});
END;

DROP TRIGGER IF EXISTS {on_update};
CREATE TRIGGER {on_update} AFTER UPDATE ON {table}
BEGIN
    INSERT INTO {outbox} ({person}) SELECT OLD.{id} WHERE OLD.{id} IS NOT NULL;
    INSERT INTO {outbox} ({person}) SELECT NEW.{id}
    WHERE NEW.{id} IS NOT NULL AND CAST(NEW.{id} AS BLOB) IS NOT CAST(OLD.{id} AS BLOB);
END;

DROP TRIGGER IF EXISTS {on_delete};
CREATE TRIGGER {on_delete} AFTER DELETE ON {table} WHEN OLD.{id} IS NOT NULL
BEGIN
    INSERT INTO {outbox} ({person}) VALUES (OLD.{id});
END;
{sides}
COMMIT;
