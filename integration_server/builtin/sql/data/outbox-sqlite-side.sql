
-- Whose rows of {side} changed.
DROP TRIGGER IF EXISTS {on_insert};
CREATE TRIGGER {on_insert} AFTER INSERT ON {side}
BEGIN
    INSERT INTO {outbox} ({person}) {whose_new};
END;

DROP TRIGGER IF EXISTS {on_update};
CREATE TRIGGER {on_update} AFTER UPDATE ON {side}
BEGIN
    INSERT INTO {outbox} ({person}) {whose_old} UNION {whose_new};
END;

DROP TRIGGER IF EXISTS {on_delete};
CREATE TRIGGER {on_delete} AFTER DELETE ON {side}
BEGIN
    INSERT INTO {outbox} ({person}) {whose_old};
END;
