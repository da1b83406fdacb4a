package repo

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
)

// Ask gets what the private listener at base answers at path, which changes
// nothing, and decodes its JSON into v. When nothing answers there the error is
// Unavailable with reason NoServer.
func (t *Transport) Ask(ctx context.Context, base, path string, v any) error {
	return t.ask(ctx, http.MethodGet, base, path, v)
}

// Tell is Ask for what changes something, but is no write.
func (t *Transport) Tell(ctx context.Context, base, path string, v any) error {
	return t.ask(ctx, http.MethodPost, base, path, v)
}

func (t *Transport) ask(ctx context.Context, method, base, path string, v any) error {
	req, err := http.NewRequestWithContext(ctx, method, strings.TrimSuffix(base, "/")+path, nil)
	if err != nil {
		return fmt.Errorf("address of the private listener: %w", err)
	}
	req.Header.Set("Authorization", t.auth)
	res, err := t.client.Do(req)
	if err != nil {
		return unavailable(NoServer, fmt.Sprintf("No server answers at %s: start it with `blog serve`.", base), time.Second, err)
	}
	raw, err := io.ReadAll(io.LimitReader(res.Body, maxWire))
	if err = errors.Join(err, res.Body.Close()); err != nil {
		return unavailable(Interrupted, "The server's answer was lost.", time.Second, err)
	}
	var refused reply
	if err := json.Unmarshal(raw, &refused); err == nil && refused.Error != nil {
		return refused.Error
	}
	if res.StatusCode != http.StatusOK {
		return fmt.Errorf("private listener answered %d: %.200q", res.StatusCode, raw)
	}
	if err := json.Unmarshal(raw, v); err != nil {
		return fmt.Errorf("decode answer of the private listener: %w", err)
	}
	return nil
}
