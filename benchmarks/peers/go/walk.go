// The design of the Go original, made anew from its README: gorilla/mux routes over net/http, and a walk whose values
// wrap at 2^64. Where it is kept is for the file that this one is built with: each_second.go, fsync.go, bbolt.go.
//
// usage: PROGRAM PORT FILE
package main

import (
	"encoding/json"
	"fmt"
	"log"
	"net/http"
	"os"

	"github.com/gorilla/mux"
)

// walk is how many steps were taken, and where they led.
type walk struct {
	hits, position          uint64
	previous, current, next uint64
}

// store keeps a walk, for many requests at once.
type store interface {
	read() walk
	step(func(*walk)) walk
}

func (w *walk) up() {
	w.hits++
	w.position++
	w.previous, w.current, w.next = w.current, w.next, w.current+w.next
}

func (w *walk) down() {
	w.hits++
	if w.position > 0 {
		w.position--
		w.previous, w.current, w.next = w.current-w.previous, w.previous, w.current
	}
}

func (w *walk) reset() {
	w.hits++
	w.position, w.previous, w.current, w.next = 0, 1, 0, 1 // F(-1) is 1.
}

func (w *walk) row() string {
	return fmt.Sprintf("%d,%d,%d,%d,%d\n", w.hits, w.position, w.previous, w.current, w.next)
}

func fromRow(row string) walk {
	w := walk{}
	_, err := fmt.Sscanf(row, "%d,%d,%d,%d,%d", &w.hits, &w.position, &w.previous, &w.current, &w.next)
	if err != nil {
		return walk{previous: 1, next: 1}
	}
	return w
}

func number(act func() walk) http.HandlerFunc {
	return func(answer http.ResponseWriter, _ *http.Request) {
		answer.Header().Set("Content-Type", "application/json")
		json.NewEncoder(answer).Encode(act().current)
	}
}

func main() {
	port, file := os.Args[1], os.Args[2]
	kept := open(file)
	router := mux.NewRouter()
	router.HandleFunc("/", func(answer http.ResponseWriter, _ *http.Request) {
		now := kept.read()
		fmt.Fprintf(answer, "/current /next /previous /reset\nhits,position,previous,current,next: %s", now.row())
	})
	router.HandleFunc("/current", number(kept.read))
	router.HandleFunc("/next", number(func() walk { return kept.step((*walk).up) }))
	router.HandleFunc("/previous", number(func() walk { return kept.step((*walk).down) }))
	router.HandleFunc("/reset", number(func() walk { return kept.step((*walk).reset) }))
	log.Fatal(http.ListenAndServe("127.0.0.1:"+port, router))
}
