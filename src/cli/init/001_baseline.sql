-- Replace this with your own schema, or set [database] migrate-command.
CREATE TABLE accounts (
    id      bigint PRIMARY KEY,
    email   text NOT NULL UNIQUE,
    balance numeric(12, 2) NOT NULL CHECK (balance >= 0)
);
