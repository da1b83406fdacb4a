package litefs

import (
	"encoding/json"
	"fmt"
)

// The event types of LiteFS v0.5.14 (GET /events, one JSON object a line).
const (
	eventInit          = "init"
	eventPrimaryChange = "primaryChange"
	eventTx            = "tx"
)

// event is one line of the stream. The fields of a tx event are ignored: what changed is read from the database.
type event struct {
	Type string
	Role leadership
}

// leadership is what init and primaryChange events and /info say about the lease. LiteFS leaves the hostname out
// of events on the primary and when there is none.
type leadership struct {
	IsPrimary bool   `json:"isPrimary"`
	Hostname  string `json:"hostname"`
}

// decodeEvent ignores types it does not know: a newer LiteFS may have more.
func decodeEvent(line []byte) (event, error) {
	var raw struct {
		Type string          `json:"type"`
		Data json.RawMessage `json:"data"`
	}
	if err := json.Unmarshal(line, &raw); err != nil {
		return event{}, fmt.Errorf("decode event: %w", err)
	}
	ev := event{Type: raw.Type}
	if raw.Type == eventInit || raw.Type == eventPrimaryChange {
		if err := json.Unmarshal(raw.Data, &ev.Role); err != nil {
			return event{}, fmt.Errorf("decode %s event: %w", raw.Type, err)
		}
	}
	return ev, nil
}

// decodeInfo reads the answer of GET /info.
func decodeInfo(body []byte) (leadership, error) {
	var raw struct {
		IsPrimary bool `json:"isPrimary"`
		Primary   struct {
			Hostname string `json:"hostname"`
		} `json:"primary"`
	}
	if err := json.Unmarshal(body, &raw); err != nil {
		return leadership{}, fmt.Errorf("decode info: %w", err)
	}
	return leadership{IsPrimary: raw.IsPrimary, Hostname: raw.Primary.Hostname}, nil
}
