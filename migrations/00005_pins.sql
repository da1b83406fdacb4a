-- +goose Up

-- The posts that come first in lists of cards, whatever their state. The largest
-- position comes first: it is one more than the largest that there was, so the
-- order asks no clock. This is no column of posts, since a new column would come
-- behind the long ones, and each list would read through the text of its posts.
CREATE TABLE pins (
    position INTEGER PRIMARY KEY,
    post_id  INTEGER NOT NULL UNIQUE REFERENCES posts (id) ON DELETE CASCADE
);
