// The design of the Go original, made anew from its README: gorilla/mux routes over net/http, a walk in memory behind
// one mutex, and a goroutine that rewrites a CSV file each second. Nothing is synced, and values wrap at 2^64.
//
// usage: original PORT FILE
package main

import (
	"encoding/json"
	"fmt"
	"log"
	"net/http"
	"os"
	"sync"
	"time"

	"github.com/gorilla/mux"
)

// walk is the in-memory store: how many steps were taken, and where they led.
type walk struct {
	mutex                   sync.Mutex
	hits, position          uint64
	previous, current, next uint64
}

func (w *walk) read() uint64 {
	w.mutex.Lock()
	defer w.mutex.Unlock()
	return w.current
}

func (w *walk) up() uint64 {
	w.mutex.Lock()
	defer w.mutex.Unlock()
	w.hits++
	w.position++
	w.previous, w.current, w.next = w.current, w.next, w.current+w.next
	return w.current
}

func (w *walk) down() uint64 {
	w.mutex.Lock()
	defer w.mutex.Unlock()
	w.hits++
	if w.position > 0 {
		w.position--
		w.previous, w.current, w.next = w.current-w.previous, w.previous, w.current
	}
	return w.current
}

func (w *walk) reset() uint64 {
	w.mutex.Lock()
	defer w.mutex.Unlock()
	w.hits++
	w.position, w.previous, w.current, w.next = 0, 1, 0, 1 // F(-1) is 1.
	return w.current
}

func (w *walk) row() string {
	w.mutex.Lock()
	defer w.mutex.Unlock()
	return fmt.Sprintf("%d,%d,%d,%d,%d\n", w.hits, w.position, w.previous, w.current, w.next)
}

func (w *walk) recover(file string) {
	text, err := os.ReadFile(file)
	if err == nil {
		_, err = fmt.Sscanf(string(text), "%d,%d,%d,%d,%d", &w.hits, &w.position, &w.previous, &w.current, &w.next)
	}
	if err != nil {
		w.previous, w.next = 1, 1
	}
}

func (w *walk) storeForever(file string) {
	for range time.Tick(time.Second) {
		if err := os.WriteFile(file, []byte(w.row()), 0o644); err != nil {
			log.Print(err)
		}
	}
}

func number(step func() uint64) http.HandlerFunc {
	return func(answer http.ResponseWriter, _ *http.Request) {
		answer.Header().Set("Content-Type", "application/json")
		json.NewEncoder(answer).Encode(step())
	}
}

func main() {
	port, file := os.Args[1], os.Args[2]
	w := &walk{}
	w.recover(file)
	go w.storeForever(file)
	router := mux.NewRouter()
	router.HandleFunc("/", func(answer http.ResponseWriter, _ *http.Request) {
		fmt.Fprintf(answer, "/current /next /previous /reset\nhits,position,previous,current,next: %s", w.row())
	})
	router.HandleFunc("/current", number(w.read))
	router.HandleFunc("/next", number(w.up))
	router.HandleFunc("/previous", number(w.down))
	router.HandleFunc("/reset", number(w.reset))
	log.Fatal(http.ListenAndServe("127.0.0.1:"+port, router))
}
