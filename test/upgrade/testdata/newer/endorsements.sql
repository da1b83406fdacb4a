-- +goose Up

-- What the newer release adds: a table, and a column of a table that the older one writes to.
CREATE TABLE endorsements (
    post_id INTEGER PRIMARY KEY REFERENCES posts (id) ON DELETE CASCADE,
    by      TEXT NOT NULL
);

ALTER TABLE posts ADD COLUMN endorsed INTEGER NOT NULL DEFAULT 0;
