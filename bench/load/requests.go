package main

import (
	"encoding/binary"
	"fmt"
	"time"
)

// Requests to coordinators, in the versions that Java's client of 4.2 sends where the broker has them all, and what of
// their answers decides what is sent next. All are flexible: compact strings, tagged fields.

const (
	keyOffsetCommit           = 8
	keyFindCoordinator        = 10
	keyJoinGroup              = 11
	keyHeartbeat              = 12
	keySyncGroup              = 14
	keyInitProducerID         = 22
	keyAddPartitionsToTxn     = 24
	keyEndTxn                 = 26
	keyConsumerGroupHeartbeat = 68

	groupKind, transactionKind = 0, 1
)

// Errors that go away by themselves, or by doing something else first.
const (
	errNone                = 0
	errLoading             = 14
	errNoCoordinator       = 15
	errNotCoordinator      = 16
	errRebalance           = 27
	errUnknownMember       = 25
	errIllegalGeneration   = 22
	errConcurrent          = 51
	errMemberIDRequired    = 79
	errUnreleasedInstance  = 111
	retryEvery             = 2 * time.Millisecond
	patience               = 60 * time.Second
	sessionMs, rebalanceMs = 30_000, 60_000
	correlationAndTags     = 4 + 1
)

func u16(b []byte, v int) []byte { return binary.BigEndian.AppendUint16(b, uint16(v)) }
func u32(b []byte, v int) []byte { return binary.BigEndian.AppendUint32(b, uint32(v)) }
func u64(b []byte, v int64) []byte {
	return binary.BigEndian.AppendUint64(b, uint64(v))
}
func compactBytes(b, v []byte) []byte { return append(uvarint(b, len(v)+1), v...) }

// reader walks through an answer; a short one panics, which ends the run.
type reader struct{ b []byte }

func (r *reader) skip(n int) { r.b = r.b[n:] }
func (r *reader) i16() int16 { v := binary.BigEndian.Uint16(r.b); r.skip(2); return int16(v) }
func (r *reader) i32() int32 { v := binary.BigEndian.Uint32(r.b); r.skip(4); return int32(v) }
func (r *reader) i64() int64 { v := binary.BigEndian.Uint64(r.b); r.skip(8); return int64(v) }
func (r *reader) size() int {
	v, n := binary.Uvarint(r.b)
	r.skip(n)
	return int(v) - 1
}
func (r *reader) bytes() []byte {
	n := r.size()
	if n < 0 {
		return nil
	}
	v := r.b[:n]
	r.skip(n)
	return v
}
func (r *reader) str() string { return string(r.bytes()) }
func (r *reader) tags() {
	if r.size() != -1 {
		panic("tagged fields in an answer")
	}
}

// call sends a frame and waits for its answer, which is valid until the next call.
func (c *connection) call(frame []byte) (*reader, error) {
	if _, err := c.Write(frame); err != nil {
		return nil, err
	}
	answer, err := c.next()
	if err != nil {
		return nil, err
	}
	return &reader{answer[correlationAndTags:]}, nil
}

// again repeats work while its error code is one of those that pass.
func again(what string, work func() (int16, error), passing ...int16) error {
	for began := time.Now(); ; time.Sleep(retryEvery) {
		code, err := work()
		if err != nil || code == errNone {
			return err
		}
		known := false
		for _, one := range passing {
			known = known || one == code
		}
		if !known || time.Since(began) > patience {
			return fmt.Errorf("%s: error %d", what, code)
		}
	}
}

// findCoordinator makes a broker create the internal topic, and waits until it serves the key.
func findCoordinator(c *connection, key string, kind byte) error {
	b := append(header(keyFindCoordinator, 4), kind)
	frame := framed(append(compactString(append(b, 2), key), 0))
	return again("FindCoordinator", func() (int16, error) {
		r, err := c.call(frame)
		if err != nil {
			return 0, err
		}
		r.skip(4 + 1) // throttle, one coordinator
		r.str()
		r.skip(4) // node
		r.str()
		r.skip(4) // port
		return r.i16(), nil
	}, errLoading, errNoCoordinator)
}

// -- transactions --------------------------------------------------------------------------------------------------

func initProducerID(c *connection, id string) (producer int64, epoch int16, err error) {
	b := compactString(header(keyInitProducerID, 5), id)
	frame := framed(append(u16(u64(u32(b, 60_000), -1), -1), 0))
	err = again("InitProducerId", func() (int16, error) {
		r, err := c.call(frame)
		if err != nil {
			return 0, err
		}
		r.skip(4)
		code := r.i16()
		producer, epoch = r.i64(), r.i16()
		return code, nil
	}, errLoading, errNoCoordinator, errNotCoordinator, errConcurrent)
	return
}

func addPartitionFrame(id string, producer int64, epoch int16, topic string, partition int) []byte {
	b := compactString(header(keyAddPartitionsToTxn, 3), id)
	b = compactString(append(u16(u64(b, producer), int(epoch)), 2), topic)
	return framed(append(u32(append(b, 2), partition), 0, 0))
}

// addPartition gives the error of the only partition.
func addPartition(c *connection, frame []byte) (int16, error) {
	r, err := c.call(frame)
	if err != nil {
		return 0, err
	}
	r.skip(4 + 1)
	r.str()
	r.skip(1 + 4)
	return r.i16(), nil
}

func endFrame(version int16, id string, producer int64, epoch int16) []byte {
	b := compactString(header(keyEndTxn, version), id)
	return framed(append(u16(u64(b, producer), int(epoch)), 1, 0))
}

// -- groups --------------------------------------------------------------------------------------------------------

func subscription(topic string, userData []byte) []byte {
	b := u16(u32(u16(nil, 1), 1), len(topic)) // version 1, one topic
	b = append(b, topic...)
	b = u32(b, len(userData))
	return u32(append(b, userData...), 0)
}

func joinFrame(group, member, topic string, userData []byte) []byte {
	b := compactString(header(keyJoinGroup, 9), group)
	b = compactString(u32(u32(b, sessionMs), rebalanceMs), member)
	b = compactString(append(b, 0), "consumer")
	b = compactBytes(compactString(append(b, 2), "range"), subscription(topic, userData))
	return framed(append(b, 0, 0, 0)) // tags of the protocol, no reason, tags
}

type joined struct {
	generation     int32
	leader, member string
	members        []string // of the leader only
}

func join(c *connection, frame []byte) (int16, joined, error) {
	var j joined
	r, err := c.call(frame)
	if err != nil {
		return 0, j, err
	}
	r.skip(4)
	code := r.i16()
	j.generation = r.i32()
	r.str()
	r.str()
	j.leader = r.str()
	r.skip(1)
	j.member = r.str()
	for n := r.size(); n > 0; n-- {
		j.members = append(j.members, r.str())
		r.str()
		r.bytes()
		r.tags()
	}
	return code, j, nil
}

func syncFrame(group string, j joined, assignment []byte) []byte {
	b := compactString(u32(compactString(header(keySyncGroup, 5), group), int(j.generation)), j.member)
	b = compactString(compactString(append(b, 0), "consumer"), "range")
	b = uvarint(b, len(j.members)+1)
	for _, member := range j.members {
		b = append(compactBytes(compactString(b, member), assignment), 0)
	}
	return framed(append(b, 0))
}

func heartbeatFrame(group string, j joined) []byte {
	b := compactString(u32(compactString(header(keyHeartbeat, 4), group), int(j.generation)), j.member)
	return framed(append(b, 0, 0))
}

// errorAfterThrottle is the error code of an answer that begins with throttle and error.
func errorAfterThrottle(c *connection, frame []byte) (int16, error) {
	r, err := c.call(frame)
	if err != nil {
		return 0, err
	}
	r.skip(4)
	return r.i16(), nil
}

// commitFrame commits one offset of each partition; the offsets stand at the places returned.
func commitFrame(group string, generation int32, member, topic string, partitions int) ([]byte, []int) {
	b := compactString(u32(compactString(header(keyOffsetCommit, 9), group), int(generation)), member)
	b = uvarint(compactString(append(b, 0, 2), topic), partitions+1)
	var places []int
	for p := 0; p < partitions; p++ {
		b = u32(b, p)
		places = append(places, len(b))
		b = append(u32(u64(b, 0), -1), 1, 0) // no leader epoch, empty metadata
	}
	return framed(append(b, 0, 0)), places
}

// commit gives the first partition's error.
func commit(c *connection, frame []byte) (int16, error) {
	r, err := c.call(frame)
	if err != nil {
		return 0, err
	}
	r.skip(4 + 1)
	r.str()
	r.size()
	r.skip(4)
	return r.i16(), nil
}

type assigned struct {
	topic      [16]byte
	partitions []int32
}

// consumerFrame is a ConsumerGroupHeartbeat as Java's client sends it: everything when it joins; what it owns after it was
// told something; nothing otherwise.
func consumerFrame(group, member string, epoch int32, topic string, full bool, owned []assigned) []byte {
	b := compactString(compactString(header(keyConsumerGroupHeartbeat, 1), group), member)
	b = append(u32(b, int(epoch)), 0, 0)
	if full {
		b = append(compactString(append(u32(b, rebalanceMs), 2), topic), 0, 0) // no pattern, no assignor
	} else {
		b = append(u32(b, -1), 0, 0, 0)
	}
	if !full && owned == nil {
		return framed(append(b, 0, 0))
	}
	b = uvarint(b, len(owned)+1)
	for _, one := range owned {
		b = uvarint(append(b, one.topic[:]...), len(one.partitions)+1)
		for _, partition := range one.partitions {
			b = u32(b, int(partition))
		}
		b = append(b, 0)
	}
	return framed(append(b, 0))
}

// consumerHeartbeat gives the member's epoch, and its assignment where that is told.
func consumerHeartbeat(c *connection, frame []byte) (code int16, epoch int32, told bool, owned []assigned, err error) {
	r, err := c.call(frame)
	if err != nil {
		return
	}
	r.skip(4)
	code = r.i16()
	if message := r.str(); message != "" && code != errUnreleasedInstance {
		err = fmt.Errorf("ConsumerGroupHeartbeat: error %d, %s", code, message)
		return
	}
	r.str()
	epoch = r.i32()
	r.skip(4)
	if told = r.b[0] == 1; !told {
		return
	}
	r.skip(1)
	owned = []assigned{} // told that it owns nothing is not the same as not told
	for n := r.size(); n > 0; n-- {
		var one assigned
		copy(one.topic[:], r.b)
		r.skip(16)
		for p := r.size(); p > 0; p-- {
			one.partitions = append(one.partitions, r.i32())
		}
		r.tags()
		owned = append(owned, one)
	}
	return
}
