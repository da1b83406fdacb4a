package compose

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"encoding/json"
	"fmt"
)

func (c *Copy) readPosts(ctx context.Context, db *sql.DB) error {
	const query = `
		SELECT id, slug, title, body, html, revision, state, coalesce(published_at, ''), labels
		FROM posts
		ORDER BY id`
	err := each(ctx, db, query, func(rows *sql.Rows) error {
		var p PostRow
		var labels string
		if err := rows.Scan(&p.ID, &p.Slug, &p.Title, &p.Body, &p.HTML, &p.Revision, &p.State, &p.PublishedAt,
			&labels); err != nil {
			return err
		}
		c.Posts = append(c.Posts, p)
		return json.Unmarshal([]byte(labels), &c.Posts[len(c.Posts)-1].Labels)
	})
	if err != nil {
		return fmt.Errorf("read posts: %w", err)
	}
	return nil
}

func (c *Copy) readWrites(ctx context.Context, db *sql.DB) error {
	err := each(ctx, db, "SELECT seq, key, mark, name, at, result FROM writes ORDER BY seq", func(rows *sql.Rows) error {
		var w WriteRow
		var mark []byte
		var result string
		if err := rows.Scan(&w.Seq, &w.Key, &mark, &w.Name, &w.At, &result); err != nil {
			return err
		}
		w.Mark = hex.EncodeToString(mark)
		// Results of another shape, such as a login's, are not needed.
		_ = json.Unmarshal([]byte(result), &w.Result)
		c.Writes = append(c.Writes, w)
		return nil
	})
	if err != nil {
		return fmt.Errorf("read writes: %w", err)
	}
	return nil
}

// post returns the post with this id, or nil.
func (c *Copy) post(id int64) *PostRow {
	for i := range c.Posts {
		if c.Posts[i].ID == id {
			return &c.Posts[i]
		}
	}
	return nil
}

// readTags reads the labels, and which posts have them. It fails for a row whose post is not there.
func (c *Copy) readTags(ctx context.Context, db *sql.DB) error {
	err := each(ctx, db, "SELECT label FROM tags ORDER BY label", func(rows *sql.Rows) error {
		var label string
		err := rows.Scan(&label)
		c.Tags = append(c.Tags, label)
		return err
	})
	if err != nil {
		return fmt.Errorf("read tags: %w", err)
	}
	const query = `
		SELECT pt.post_id, t.label
		FROM post_tags AS pt JOIN tags AS t ON t.id = pt.tag_id
		ORDER BY pt.post_id, pt.position`
	return c.join(ctx, db, query, func(p *PostRow, label string) { p.Tagged = append(p.Tagged, label) })
}

// readPictures reads the stored pictures, and which posts show them.
func (c *Copy) readPictures(ctx context.Context, db *sql.DB) error {
	c.Pictures = map[string]PictureRow{}
	err := each(ctx, db, "SELECT hash, complete FROM media ORDER BY hash", func(rows *sql.Rows) error {
		var hash string
		var p PictureRow
		err := rows.Scan(&hash, &p.Complete)
		c.Pictures[hash] = p
		return err
	})
	if err != nil {
		return fmt.Errorf("read pictures: %w", err)
	}
	data := map[string][]byte{}
	err = each(ctx, db, "SELECT hash, data FROM media_chunks ORDER BY hash, n", func(rows *sql.Rows) error {
		var hash string
		var chunk []byte
		serr := rows.Scan(&hash, &chunk)
		data[hash] = append(data[hash], chunk...)
		return serr
	})
	if err != nil {
		return fmt.Errorf("read pictures: %w", err)
	}
	for hash, p := range c.Pictures {
		sum := sha256.Sum256(data[hash])
		p.Sum = hex.EncodeToString(sum[:])
		c.Pictures[hash] = p
	}
	const query = "SELECT post_id, hash FROM post_media ORDER BY post_id, path"
	return c.join(ctx, db, query, func(p *PostRow, hash string) { p.Pictures = append(p.Pictures, hash) })
}

// join runs a query for the id of a post and a text, and calls add for each row.
func (c *Copy) join(ctx context.Context, db *sql.DB, query string, add func(p *PostRow, text string)) error {
	return each(ctx, db, query, func(rows *sql.Rows) error {
		var id int64
		var text string
		if err := rows.Scan(&id, &text); err != nil {
			return err
		}
		p := c.post(id)
		if p == nil {
			return fmt.Errorf("%q is of the post %d, which is not there", text, id)
		}
		add(p, text)
		return nil
	})
}

func (c *Copy) readSessions(ctx context.Context, db *sql.DB) error {
	c.Sessions = map[string]bool{}
	err := each(ctx, db, "SELECT token_hash FROM sessions ORDER BY token_hash", func(rows *sql.Rows) error {
		var hash string
		err := rows.Scan(&hash)
		c.Sessions[hash] = true
		return err
	})
	if err != nil {
		return fmt.Errorf("read sessions: %w", err)
	}
	return nil
}
