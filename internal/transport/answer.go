package transport

import (
	"encoding/json"
	"net/http"
	"strconv"

	"blog/internal/apperr"
)

// failure is the wire form of an error, in the place of an answer or inside one.
type failure struct {
	Error *apperr.Error `json:"error"`
}

// WriteError writes err in its wire form.
func WriteError(w http.ResponseWriter, err error) {
	e := apperr.From(err)
	WriteAnswer(w, failure{e}, e)
}

// WriteAnswer writes answer as JSON, with the status and the Retry-After of refusal where that is not nil. An answer
// that is no JSON becomes an empty one with status 500.
func WriteAnswer(w http.ResponseWriter, answer any, refusal *apperr.Error) {
	status := http.StatusOK
	if refusal != nil {
		status = refusal.Code.Status()
		if refusal.RetryAfter > 0 {
			w.Header().Set("Retry-After", strconv.Itoa(refusal.RetryAfter))
		}
	}
	body, err := json.Marshal(answer)
	if err != nil {
		status, body = http.StatusInternalServerError, nil
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	_, _ = w.Write(body) // the caller is gone: nobody is left to answer
}
