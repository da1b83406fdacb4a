-- +goose Up

-- When a post last began or ended to show the picture, or somebody uploaded it:
-- it stays for a day from then. NULL is a time that nobody has noted, and the
-- day begins when the sweep finds it.
ALTER TABLE media ADD COLUMN used_at TEXT;

-- The release before knows nothing of used_at and may be primary beside this
-- one. What its writes take from a post gets its day all the same.
-- +goose StatementBegin
CREATE TRIGGER media_use_ended AFTER DELETE ON post_media
BEGIN
    UPDATE media SET used_at = NULL WHERE hash = OLD.hash;
END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER media_use_moved AFTER UPDATE OF hash ON post_media WHEN OLD.hash <> NEW.hash
BEGIN
    UPDATE media SET used_at = NULL WHERE hash = OLD.hash;
END;
-- +goose StatementEnd

-- The release before removes a picture with the last post that shows it. Here
-- only a sweep removes a complete one, and makes it incomplete before it does.
-- +goose StatementBegin
CREATE TRIGGER media_kept BEFORE DELETE ON media WHEN OLD.complete = 1
BEGIN
    SELECT RAISE(IGNORE);
END;
-- +goose StatementEnd
