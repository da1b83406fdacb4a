-- +goose Up

-- One row a write, appended by the write's own transaction: see internal/repo.
CREATE TABLE writes (
    seq    INTEGER PRIMARY KEY AUTOINCREMENT,
    key    TEXT NOT NULL UNIQUE,
    digest BLOB NOT NULL,
    mark   BLOB NOT NULL,
    name   TEXT NOT NULL,
    actor  TEXT NOT NULL,
    topics TEXT NOT NULL,
    result TEXT NOT NULL,
    at     TEXT NOT NULL
);

-- The newest position of each topic outlives its row in writes.
CREATE TABLE topics (
    topic TEXT PRIMARY KEY,
    seq   INTEGER NOT NULL,
    mark  BLOB NOT NULL
) WITHOUT ROWID;

CREATE INDEX topics_seq ON topics (seq);
