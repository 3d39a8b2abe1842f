-- What customers.db was made of: sqlite3 customers.db < customers.sql
CREATE TABLE customer (
    id INTEGER PRIMARY KEY,
    login TEXT NOT NULL UNIQUE,
    first_name TEXT,
    last_name TEXT,
    password TEXT,
    active INTEGER NOT NULL DEFAULT 1
);
CREATE TABLE customer_address (
    customer_id INTEGER NOT NULL REFERENCES customer (id),
    address TEXT NOT NULL,
    position INTEGER NOT NULL,
    PRIMARY KEY (customer_id, position)
);
INSERT INTO customer VALUES (1001, 'mary', 'Mary', 'Shelley', '{SSHA256}dEM4zYGpfEWyHEosFEZ3sx6zY8Zi5xX8sr2IV6QEe5Hcau1V8HS9QQ==', 1);
INSERT INTO customer VALUES (1002, 'li.wei', '伟', '李', '{SSHA256}C/AN8ie16mlMrIqC9lxc2nNKGA6a+IHIlsgvo9BCRGOqx+B0wVM8Ag==', 1);
INSERT INTO customer VALUES (1003, 'former', 'Former', 'Customer', '{SSHA256}cAe/gNcUlAsu27hlpzSdpMHQAmUzxqARkICqk1neXiXKryZrIuCWnw==', 0);
INSERT INTO customer VALUES (1004, 'ada', 'Ada', 'Namesake', '{SSHA256}TOrNYnOJmi18J4ewZNN6r0vl4LcuuqPfzxq8R4e7mYo9kesNyxtvlA==', 1);
INSERT INTO customer_address VALUES (1001, 'mary@example.com', 1);
INSERT INTO customer_address VALUES (1001, 'm.shelley@example.com', 2);
INSERT INTO customer_address VALUES (1002, 'li.wei@example.com', 1);
INSERT INTO customer_address VALUES (1003, 'former@example.com', 1);
INSERT INTO customer_address VALUES (1004, 'namesake@example.com', 1);
