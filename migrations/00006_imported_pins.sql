-- +goose Up

-- Whether the file says that its post is pinned: a pin leaves the post's revision as it is, so an import finds by
-- this what was pinned or unpinned here since.
ALTER TABLE imports ADD COLUMN pinned INTEGER NOT NULL DEFAULT 0;
