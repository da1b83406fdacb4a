// Command static serves the files of a folder with net/http and nothing else, as the fastest that a
// simple Go program can be.
package main

import (
	"log"
	"net/http"
	"os"
	"time"
)

func main() {
	if len(os.Args) != 3 {
		log.Fatal("usage: static ADDR DIR")
	}
	srv := &http.Server{
		Addr: os.Args[1], Handler: http.FileServer(http.Dir(os.Args[2])), ReadHeaderTimeout: 5 * time.Second,
	}
	log.Fatal(srv.ListenAndServe())
}
