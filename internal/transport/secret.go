package transport

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"log/slog"
	"net"
	"net/http"
	"sync"

	"blog/internal/apperr"
)

// bearer derives what a request carries from the cluster's secret, so that the
// secret itself never travels.
func bearer(secret string) string {
	m := hmac.New(sha256.New, []byte(secret))
	m.Write([]byte("private listener, version 1"))
	return "Bearer " + hex.EncodeToString(m.Sum(nil))
}

// maxNamed is how many strangers the log names: an attacker must not fill it, or
// this process's memory.
const maxNamed = 100

// Authenticated lets only callers with the secret through to next. The others are
// refused, and each address is named once in the log. An empty secret lets nobody
// through.
func Authenticated(next http.Handler, secret string, log *slog.Logger) http.Handler {
	want := []byte(bearer(secret))
	var mu sync.Mutex
	named := map[string]bool{}
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		if hmac.Equal([]byte(req.Header.Get("Authorization")), want) && secret != "" {
			next.ServeHTTP(w, req)
			return
		}
		host, _, err := net.SplitHostPort(req.RemoteAddr)
		if err != nil {
			host = req.RemoteAddr
		}
		mu.Lock()
		first := !named[host] && len(named) < maxNamed
		if first {
			named[host] = true
		}
		mu.Unlock()
		if first {
			log.Warn("refused a call without the cluster's secret: is CLUSTER_SECRET the same on every node?", "from", host,
				"path", req.URL.Path)
		}
		WriteError(w, &apperr.Error{
			Code: apperr.Unauthorized, Reason: apperr.BadSecret,
			Message: "The private listener refused the call: CLUSTER_SECRET differs between these two.",
		})
	})
}
