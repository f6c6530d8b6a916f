// The original made durable the obvious way: under its mutex, each step appends its row and syncs the file before it is
// answered. A start goes on from the last whole row.
package main

import (
	"io"
	"log"
	"os"
	"strings"
	"sync"
)

type synced struct {
	mutex sync.Mutex
	walk  walk
	file  *os.File
}

func open(name string) store {
	file, err := os.OpenFile(name, os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		log.Fatal(err)
	}
	text, err := io.ReadAll(file)
	if err != nil {
		log.Fatal(err)
	}
	rows := strings.SplitAfter(string(text), "\n")
	cutOff := rows[len(rows)-1] // Empty, unless the last write was not whole; the next row goes over it.
	if _, err := file.Seek(int64(len(text)-len(cutOff)), io.SeekStart); err != nil {
		log.Fatal(err)
	}
	last := ""
	if len(rows) > 1 {
		last = rows[len(rows)-2]
	}
	return &synced{walk: fromRow(last), file: file}
}

func (s *synced) read() walk {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	return s.walk
}

func (s *synced) step(take func(*walk)) walk {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	take(&s.walk)
	if _, err := s.file.WriteString(s.walk.row()); err != nil {
		log.Fatal(err)
	}
	if err := s.file.Sync(); err != nil {
		log.Fatal(err)
	}
	return s.walk
}
