-- +goose Up

-- The authors. email is as accounts.NormalEmail returns it. password_hash is a
-- PHC string; password_revision grows with each change of the password, so that
-- a login that was checked against an old copy can be refused.
CREATE TABLE users (
    id                INTEGER PRIMARY KEY,
    email             TEXT NOT NULL UNIQUE,
    name              TEXT NOT NULL,
    password_hash     TEXT NOT NULL,
    password_revision INTEGER NOT NULL DEFAULT 1,
    created_at        TEXT NOT NULL
);

-- Who is signed in. Only the SHA-256 of a token is kept, in hex.
CREATE TABLE sessions (
    token_hash TEXT PRIMARY KEY,
    user_id    INTEGER NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    created_at TEXT NOT NULL,
    expires_at TEXT NOT NULL,
    user_agent TEXT NOT NULL DEFAULT ''
) WITHOUT ROWID;

CREATE INDEX sessions_user ON sessions (user_id, created_at);
CREATE INDEX sessions_expires ON sessions (expires_at);

-- The one-time link for the first author: one row at the most, none once there
-- is an author.
CREATE TABLE setup (
    id         INTEGER PRIMARY KEY CHECK (id = 1),
    token_hash TEXT NOT NULL,
    created_at TEXT NOT NULL
);
