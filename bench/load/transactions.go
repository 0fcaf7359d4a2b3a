package main

import (
	"encoding/binary"
	"fmt"
	"time"
)

// transactions runs one transactional producer on each connection: a batch of records, then the commit, one after the
// other; a latency is that of a whole transaction. With -old it speaks as clients before KIP-890 part 2 do:
// AddPartitionsToTxn first, and the epoch stays.
func transactions(o options) (result, error) {
	value := make([]byte, o.size)
	producers := make([]*transactional, o.connections)
	prepare := func(index int, c *connection) (err error) {
		t := &transactional{o: o, c: c, index: index, id: fmt.Sprintf("%s-%d", o.topic, index)}
		if err = findCoordinator(c, t.id, transactionKind); err != nil {
			return
		}
		t.producer, t.epoch, err = initProducerID(c, t.id)
		t.records = batch(o.records, value)
		t.records[22] |= 1 << 4 // transactional
		producers[index] = t
		return
	}
	return window(o, prepare, func(index int, c *connection, k *clock) (latencies []int64, requests, records, bytes int64, err error) {
		for t := producers[index]; ; {
			began := time.Now()
			if k.over(began) {
				return
			}
			if err = t.once(); err != nil {
				return
			}
			if done := time.Now(); done.After(k.begin) && done.Before(k.end) {
				latencies = append(latencies, int64(done.Sub(began)))
				requests++
				records += int64(o.records)
				bytes += int64(len(t.records))
			}
		}
	})
}

type transactional struct {
	o        options
	c        *connection
	index    int
	id       string
	producer int64
	epoch    int16
	sequence int
	count    int
	records  []byte
}

func (t *transactional) once() error {
	partition := (t.index + t.count) % t.o.partitions
	t.count++
	if t.o.old {
		frame := addPartitionFrame(t.id, t.producer, t.epoch, t.o.topic, partition)
		err := again("AddPartitionsToTxn", func() (int16, error) { return addPartition(t.c, frame) }, errConcurrent)
		if err != nil {
			return err
		}
	}
	binary.BigEndian.PutUint64(t.records[43:], uint64(t.producer))
	binary.BigEndian.PutUint16(t.records[51:], uint16(t.epoch))
	binary.BigEndian.PutUint32(t.records[53:], uint32(t.sequence))
	reseal(t.records)
	version := int16(12)
	if t.o.old {
		version = 11
	}
	frame := transactionalProduceFrame(version, t.id, t.o.topic, partition, t.records)
	err := again("Produce", func() (int16, error) {
		if _, err := t.c.Write(frame); err != nil {
			return 0, err
		}
		answer, err := t.c.next()
		if err != nil {
			return 0, err
		}
		return produceCode(answer, t.o.topic)
	}, errConcurrent)
	if err != nil {
		return err
	}
	if !t.o.old {
		return again("EndTxn", t.end, errConcurrent)
	}
	// Sequences of a producer go on from transaction to transaction, for each partition on its own.
	if t.count%t.o.partitions == 0 {
		t.sequence += t.o.records
	}
	return again("EndTxn", func() (int16, error) {
		return errorAfterThrottle(t.c, endFrame(4, t.id, t.producer, t.epoch))
	}, errConcurrent)
}

// end commits; the answer has the epoch, or the producer id, of the next transaction.
func (t *transactional) end() (int16, error) {
	r, err := t.c.call(endFrame(5, t.id, t.producer, t.epoch))
	if err != nil {
		return 0, err
	}
	r.skip(4)
	code := r.i16()
	if code == errNone {
		t.producer, t.epoch = r.i64(), r.i16()
	}
	return code, nil
}
