// The walk in bbolt, the store of etcd. Each step is a transaction of db.Batch, which bbolt has for many goroutines: it
// carries out together what comes within a millisecond, with one commit, and returns when that is durable.
package main

import (
	"log"
	"time"

	"go.etcd.io/bbolt"
)

var bucket, key = []byte("walk"), []byte("now")

type inBolt struct{ db *bbolt.DB }

func open(file string) store {
	db, err := bbolt.Open(file, 0o644, nil)
	if err == nil {
		err = db.Update(func(tx *bbolt.Tx) error {
			_, err := tx.CreateBucketIfNotExists(bucket)
			return err
		})
	}
	if err != nil {
		log.Fatal(err)
	}
	db.MaxBatchDelay = time.Millisecond // By its default, ten would pass before each commit.
	return &inBolt{db}
}

func (s *inBolt) read() walk {
	var w walk
	err := s.db.View(func(tx *bbolt.Tx) error {
		w = fromRow(string(tx.Bucket(bucket).Get(key)))
		return nil
	})
	if err != nil {
		log.Fatal(err)
	}
	return w
}

func (s *inBolt) step(take func(*walk)) walk {
	var w walk
	err := s.db.Batch(func(tx *bbolt.Tx) error {
		b := tx.Bucket(bucket)
		w = fromRow(string(b.Get(key)))
		take(&w)
		return b.Put(key, []byte(w.row()))
	})
	if err != nil {
		log.Fatal(err)
	}
	return w
}
