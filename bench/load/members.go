package main

import (
	"encoding/binary"
	"fmt"
	"sync"
	"sync/atomic"
	"time"
)

// members runs groups of consumers, each member on a connection of its own, joined before the clock starts:
//
//	-op heartbeat   unchanged heartbeats, one after the other, or with -interval at that pace, from the intended time
//	-op commit      an offset of every partition, one commit after the other
//	-op rebalance   rounds: every member joins with changed metadata, then SyncGroup; an operation is one member's round
//
// -protocol is classic, consumer (KIP-848) or mixed: every other group.
func members(o options) (result, error) {
	fleet := make([]*member, o.connections)
	rounds := make([]*barrier, o.groups)
	for i := range rounds {
		rounds[i] = &barrier{size: o.connections / o.groups}
		rounds[i].moved = sync.NewCond(&rounds[i].mu)
	}
	var ready atomic.Int64
	prepare := func(index int, c *connection) error {
		group := index % o.groups
		m := &member{o: o, c: c, index: index, group: fmt.Sprintf("%s-group-%d", o.topic, group)}
		m.consumer = o.protocol == "consumer" || o.protocol == "mixed" && group%2 == 1
		fleet[index] = m
		if err := findCoordinator(c, m.group, groupKind); err != nil {
			return err
		}
		return m.settle(&ready)
	}
	return window(o, prepare, func(index int, c *connection, k *clock) (latencies []int64, requests, records, bytes int64, err error) {
		m, round := fleet[index], rounds[index%o.groups]
		work := map[string]func() error{"heartbeat": m.heartbeat, "commit": m.commit, "rebalance": m.rebalance}[o.op]
		interval := time.Duration(o.interval * 1e9)
		due := k.begin.Add(-time.Duration(o.warmup*1e9) + interval*time.Duration(index)/time.Duration(o.connections))
		for {
			if interval > 0 {
				time.Sleep(time.Until(due))
			} else {
				due = time.Now()
			}
			over := k.over(time.Now())
			if o.op == "rebalance" {
				over = round.wait(over)
			}
			if over {
				return
			}
			if err = work(); err != nil {
				return
			}
			if done := time.Now(); due.After(k.begin) && done.Before(k.end) {
				latencies = append(latencies, int64(done.Sub(due)))
				requests++
			}
			due = due.Add(interval)
		}
	})
}

// barrier lets the members of a group start a round together, and end together.
type barrier struct {
	mu            sync.Mutex
	moved         *sync.Cond
	size, arrived int
	turn          int
	over          bool
}

func (b *barrier) wait(over bool) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.arrived++
	if b.arrived == b.size {
		b.over, b.arrived = over, 0
		b.turn++
		b.moved.Broadcast()
		return b.over
	}
	for turn := b.turn; turn == b.turn; {
		b.moved.Wait()
	}
	return b.over
}

type member struct {
	o        options
	c        *connection
	index    int
	group    string
	consumer bool
	round    byte
	joined   joined
	beat     []byte
	// unchanged: the prepared heartbeat says nothing new.
	unchanged bool
	offsets   []byte
	places    []int
	offset    int64
}

// settle joins, and answers for itself until all the others have joined and nothing changes any more.
func (m *member) settle(ready *atomic.Int64) error {
	for began := time.Now(); ; time.Sleep(retryEvery) {
		err := m.enter()
		if err == nil {
			break
		}
		if time.Since(began) > patience {
			return err
		}
	}
	ready.Add(1)
	pause := 100*time.Millisecond + time.Duration(m.o.connections)*500*time.Microsecond // 2,000 heartbeats a second at most
	for quiet := 0; quiet < 2; time.Sleep(pause) {
		before := m.joined.generation
		if err := m.heartbeat(); err != nil {
			return err
		}
		quiet++
		if before != m.joined.generation || ready.Load() < int64(m.o.connections) {
			quiet = 0
		}
	}
	m.offsets, m.places = commitFrame(m.group, m.joined.generation, m.joined.member, m.o.topic, m.o.partitions)
	return nil
}

func (m *member) enter() error {
	if m.consumer {
		m.joined.member = fmt.Sprintf("%s-member-%d", m.group, m.index)
		return m.consumerBeat(consumerFrame(m.group, m.joined.member, 0, m.o.topic, true, nil))
	}
	return m.rebalance()
}

// rebalance is one round of a classic member: JoinGroup with changed metadata, SyncGroup.
func (m *member) rebalance() error {
	m.round++
	for began := time.Now(); time.Since(began) < patience; {
		code, found, err := join(m.c, joinFrame(m.group, m.joined.member, m.o.topic, []byte{m.round}))
		if err != nil {
			return err
		}
		switch code {
		case errNone:
		case errMemberIDRequired:
			m.joined.member = found.member
			continue
		case errUnknownMember:
			m.joined.member = ""
			continue
		case errLoading, errNoCoordinator, errNotCoordinator, errRebalance:
			time.Sleep(retryEvery)
			continue
		default:
			return fmt.Errorf("JoinGroup: error %d", code)
		}
		m.joined = found
		if found.leader != found.member {
			m.joined.members = nil
		}
		code, err = errorAfterThrottle(m.c, syncFrame(m.group, m.joined, make([]byte, 30)))
		if err != nil {
			return err
		}
		if code == errNone {
			m.beat = heartbeatFrame(m.group, m.joined)
			return nil
		}
		if code != errRebalance && code != errUnknownMember && code != errIllegalGeneration {
			return fmt.Errorf("SyncGroup: error %d", code)
		}
	}
	return fmt.Errorf("%s does not become stable", m.group)
}

func (m *member) heartbeat() error {
	if m.consumer {
		return m.consumerBeat(m.beat)
	}
	code, err := errorAfterThrottle(m.c, m.beat)
	if err != nil || code == errNone {
		return err
	}
	if code != errRebalance && code != errIllegalGeneration && code != errUnknownMember {
		return fmt.Errorf("Heartbeat: error %d", code)
	}
	return m.rebalance()
}

// consumerBeat sends a heartbeat and takes what it is told; what is given to it, it owns from the next one on.
func (m *member) consumerBeat(frame []byte) error {
	code, epoch, told, owned, err := consumerHeartbeat(m.c, frame)
	if err != nil {
		return err
	}
	if code != errNone {
		return fmt.Errorf("ConsumerGroupHeartbeat: error %d", code)
	}
	if told || !m.unchanged || epoch != m.joined.generation {
		m.joined.generation, m.unchanged = epoch, !told
		m.beat = consumerFrame(m.group, m.joined.member, epoch, m.o.topic, false, owned)
	}
	return nil
}

func (m *member) commit() error {
	m.offset++
	for _, place := range m.places {
		binary.BigEndian.PutUint64(m.offsets[place:], uint64(m.offset))
	}
	code, err := commit(m.c, m.offsets)
	if err == nil && code != errNone {
		err = fmt.Errorf("OffsetCommit: error %d", code)
	}
	return err
}
