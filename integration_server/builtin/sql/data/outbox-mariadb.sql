-- MariaDB 10.2.4 or MySQL 8 (InnoDB): the outbox {outbox}, and triggers that note in it whose row of {table} changed.
-- Run it as an account with the TRIGGER right, for example: mariadb DATABASE < this-file. It may be run again.
-- The triggers run with that account's rights, so the application's accounts need none on the outbox.
-- TRUNCATE, and what foreign keys cascade to a second table, fire no triggers here.
-- Let the server's account read it: GRANT SELECT ON {outbox} TO {reader};
-- Delete old rows now and then, but never the newest one:
--   DELETE FROM {outbox} WHERE {made_at} < now() - INTERVAL 14 DAY
--     AND {sequence} < (SELECT newest FROM (SELECT MAX({sequence}) AS newest FROM {outbox}) AS last_one);

CREATE TABLE IF NOT EXISTS {outbox} (
    {sequence} BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY,
    {person} VARCHAR(1024) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
    {made_at} TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP
) ENGINE = InnoDB;

DROP TRIGGER IF EXISTS {on_insert};
CREATE TRIGGER {on_insert} AFTER INSERT ON {table} FOR EACH ROW
    INSERT INTO {outbox} ({person}) {whose_new};

DROP TRIGGER IF EXISTS {on_update};
CREATE TRIGGER {on_update} AFTER UPDATE ON {table} FOR EACH ROW
    INSERT INTO {outbox} ({person}) {whose_old} UNION {whose_new};

DROP TRIGGER IF EXISTS {on_delete};
CREATE TRIGGER {on_delete} AFTER DELETE ON {table} FOR EACH ROW
    INSERT INTO {outbox} ({person}) {whose_old};
{sides}
