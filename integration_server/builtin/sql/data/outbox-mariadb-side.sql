
-- Whose rows of {side} changed.
DROP TRIGGER IF EXISTS {on_insert};
CREATE TRIGGER {on_insert} AFTER INSERT ON {side} FOR EACH ROW
    INSERT INTO {outbox} ({person}) {whose_new};

DROP TRIGGER IF EXISTS {on_update};
CREATE TRIGGER {on_update} AFTER UPDATE ON {side} FOR EACH ROW
    INSERT INTO {outbox} ({person}) {whose_old} UNION {whose_new};

DROP TRIGGER IF EXISTS {on_delete};
CREATE TRIGGER {on_delete} AFTER DELETE ON {side} FOR EACH ROW
    INSERT INTO {outbox} ({person}) {whose_old};
