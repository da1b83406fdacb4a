-- +goose Up

CREATE TABLE posts (
    id           INTEGER PRIMARY KEY AUTOINCREMENT,
    slug         TEXT NOT NULL UNIQUE,
    title        TEXT NOT NULL,
    description  TEXT NOT NULL,
    author_id    INTEGER NOT NULL REFERENCES users (id),
    -- Whether readers see a post is this column and nothing else: no reader's
    -- clock is asked. published_at is the date that is shown, and for a
    -- scheduled post the date at which the primary releases it.
    state        TEXT NOT NULL CHECK (state IN ('draft', 'scheduled', 'published')),
    published_at TEXT,
    created_at   TEXT NOT NULL,
    updated_at   TEXT NOT NULL,
    -- Grows with what authors change; neither a release nor a new rendering is one.
    revision     INTEGER NOT NULL,
    -- The labels of post_tags, for lists and search: one wide row a post.
    labels       TEXT NOT NULL,
    -- Makes the ids of footnotes different from those of other posts.
    anchor       TEXT NOT NULL,
    -- What follows from body, by the renderer of that version.
    renderer     INTEGER NOT NULL,
    minutes      INTEGER NOT NULL,
    excerpt      TEXT NOT NULL,
    -- The long columns come last: SQLite reads through a row's pages from its
    -- start, and a list needs none of these.
    headings     TEXT NOT NULL,
    html         TEXT NOT NULL,
    plain        TEXT NOT NULL,
    body         TEXT NOT NULL,
    CHECK (state = 'draft' OR published_at IS NOT NULL)
);

CREATE INDEX posts_listed ON posts (published_at DESC, id DESC) WHERE state = 'published';
CREATE INDEX posts_due ON posts (published_at) WHERE state = 'scheduled';

-- Slugs that a post had before. They point at the post, not at a slug.
CREATE TABLE old_slugs (
    slug    TEXT PRIMARY KEY,
    post_id INTEGER NOT NULL REFERENCES posts (id) ON DELETE CASCADE
) WITHOUT ROWID;
CREATE INDEX old_slugs_post ON old_slugs (post_id);

-- Further addresses at the root of the site.
CREATE TABLE permalinks (
    path     TEXT PRIMARY KEY,
    post_id  INTEGER NOT NULL REFERENCES posts (id) ON DELETE CASCADE,
    position INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX permalinks_post ON permalinks (post_id);

CREATE TABLE tags (
    id    INTEGER PRIMARY KEY,
    label TEXT NOT NULL UNIQUE
);

CREATE TABLE post_tags (
    post_id  INTEGER NOT NULL REFERENCES posts (id) ON DELETE CASCADE,
    tag_id   INTEGER NOT NULL REFERENCES tags (id),
    position INTEGER NOT NULL,
    PRIMARY KEY (post_id, tag_id)
) WITHOUT ROWID;
CREATE INDEX post_tags_tag ON post_tags (tag_id);

-- The file that a post was last imported from, as it was: its export is these
-- bytes as long as the post still has this revision.
CREATE TABLE imports (
    post_id  INTEGER PRIMARY KEY REFERENCES posts (id) ON DELETE CASCADE,
    path     TEXT NOT NULL,
    raw      BLOB NOT NULL,
    revision INTEGER NOT NULL
);

-- Pictures by content, in chunks of under 256 KB so that no transaction is large.
CREATE TABLE media (
    hash     TEXT PRIMARY KEY,
    type     TEXT NOT NULL,
    ext      TEXT NOT NULL,
    width    INTEGER NOT NULL,
    height   INTEGER NOT NULL,
    size     INTEGER NOT NULL,
    chunks   INTEGER NOT NULL,
    complete INTEGER NOT NULL DEFAULT 0,
    added_at TEXT NOT NULL
) WITHOUT ROWID;

CREATE TABLE media_chunks (
    hash TEXT NOT NULL REFERENCES media (hash) ON DELETE CASCADE,
    n    INTEGER NOT NULL,
    data BLOB NOT NULL,
    PRIMARY KEY (hash, n)
);

-- Which pictures a post shows, by the path that its text names them with. A
-- picture is public while a published post shows it.
CREATE TABLE post_media (
    post_id INTEGER NOT NULL REFERENCES posts (id) ON DELETE CASCADE,
    path    TEXT NOT NULL,
    hash    TEXT NOT NULL REFERENCES media (hash),
    PRIMARY KEY (post_id, path)
) WITHOUT ROWID;
CREATE INDEX post_media_hash ON post_media (hash);

-- Full-text search over what readers see. Segments are merged in small steps by
-- each write: an automatic merge can make one commit of several megabytes.
CREATE VIEW searchable AS
SELECT id, title, description, plain, labels FROM posts WHERE state = 'published';

CREATE VIRTUAL TABLE search USING fts5 (
    title, description, plain, labels,
    content = 'searchable', content_rowid = 'id',
    tokenize = 'porter unicode61 remove_diacritics 2'
);
INSERT INTO search (search, rank) VALUES ('automerge', 0);
