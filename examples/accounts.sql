-- The examples' business table, beside the outbox that outbox-migrate makes.
CREATE TABLE accounts (
    id    TEXT PRIMARY KEY,
    cents BIGINT NOT NULL CHECK (cents >= 0)
);
INSERT INTO accounts VALUES ('ada', 1000), ('bob', 0);
