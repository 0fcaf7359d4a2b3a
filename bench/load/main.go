// load drives a Kafka broker with hand-made frames and measures it; sink is the physical limit it is compared with.
//
//	load produce -addr H:P -topic T ...   requests/s, latency; as many in flight on each connection as asked for
//	load fetch   -addr H:P -topic T ...   reads partitions from the start, MB/s
//	load e2e     -addr H:P -topic T ...   a fixed rate through the log to a waiting consumer; latency from the intended send time
//	load transactions -addr H:P -topic T ...  transactional producers, one transaction after the other
//	load members -addr H:P -topic T ...   consumers in groups: heartbeats, commits, rebalances
//	load sink    -addr H:P -file F        answers produce requests after one write() of the frame to a file: no broker at all
//
// Each prints one JSON object. With -pid it reads the CPU time of the broker at the start and at the end of the measured time,
// so warm-up is not in it. Latencies are kept one by one, percentiles are exact.
package main

import (
	"encoding/binary"
	"encoding/json"
	"flag"
	"fmt"
	"net"
	"os"
	"sort"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

type options struct {
	addr, topic, file                        string
	partitions, connections, inflight        int
	records, size, pid, acks, rate, maxBytes int
	seconds, warmup                          float64
	limit                                    int64
	raw, old                                 bool
	groups                                   int
	protocol, op                             string
	interval                                 float64
}

type result struct {
	Requests  int64              `json:"requests"`
	Records   int64              `json:"records"`
	Bytes     int64              `json:"bytes"`
	Seconds   float64            `json:"seconds"`
	CPU       float64            `json:"broker_cpu_s"`
	OwnCPU    float64            `json:"own_cpu_s"`
	Setup     float64            `json:"setup_s"`
	LatencyMs map[string]float64 `json:"latency_ms"`
}

func nowMs() int64 { return time.Now().UnixMilli() }

// cpu is the process's user and system time in seconds.
func cpu(pid int) float64 {
	if pid == 0 {
		return 0
	}
	text, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return 0
	}
	fields := strings.Fields(string(text[strings.LastIndexByte(string(text), ')')+2:]))
	user, _ := strconv.ParseFloat(fields[11], 64)
	system, _ := strconv.ParseFloat(fields[12], 64)
	return (user + system) / 100
}

func percentiles(all []int64) map[string]float64 {
	sort.Slice(all, func(i, j int) bool { return all[i] < all[j] })
	found := map[string]float64{}
	if len(all) == 0 {
		return found
	}
	at := func(q float64) float64 {
		i := int(q * float64(len(all)))
		if i >= len(all) {
			i = len(all) - 1
		}
		return float64(all[i]) / 1e6
	}
	found["p50"], found["p99"], found["p999"], found["max"] = at(0.50), at(0.99), at(0.999), float64(all[len(all)-1])/1e6
	return found
}

// clock says when measuring begins and ends, and stops everybody.
type clock struct {
	begin, end time.Time
	sent       atomic.Int64
	limit      int64
}

func (c *clock) over(now time.Time) bool {
	return now.After(c.end) || (c.limit > 0 && c.sent.Load() > c.limit)
}

// window prepares n connections, all at once, then runs work on them and measures between warm-up and end.
func window(o options, prepare func(index int, c *connection) error, work func(index int, c *connection, k *clock) (latencies []int64, requests, records, bytes int64, err error)) (result, error) {
	connections := make([]*connection, o.connections)
	for i := range connections {
		c, err := dial(o.addr)
		if err != nil {
			return result{}, err
		}
		connections[i] = c
	}
	setUp := time.Now()
	if err := prepared(connections, prepare); err != nil {
		return result{}, err
	}
	k := &clock{begin: time.Now().Add(time.Duration(o.warmup * 1e9)), limit: o.limit}
	k.end = k.begin.Add(time.Duration(o.seconds * 1e9))
	var mu sync.Mutex
	var group sync.WaitGroup
	var first error
	var all []int64
	r := result{Setup: time.Since(setUp).Seconds()}
	for i, c := range connections {
		group.Add(1)
		go func(i int, c *connection) {
			defer group.Done()
			defer c.Close()
			latencies, requests, records, bytes, err := work(i, c, k)
			mu.Lock()
			defer mu.Unlock()
			all = append(all, latencies...)
			r.Requests += requests
			r.Records += records
			r.Bytes += bytes
			if err != nil && first == nil {
				first = err
			}
		}(i, c)
	}
	time.Sleep(time.Until(k.begin))
	before, own, began := cpu(o.pid), cpu(os.Getpid()), time.Now()
	group.Wait()
	r.CPU, r.OwnCPU = cpu(o.pid)-before, cpu(os.Getpid())-own
	r.Seconds = time.Since(began).Seconds()
	r.LatencyMs = percentiles(all)
	if first == nil && len(all) == 0 {
		first = fmt.Errorf("nothing was measured")
	}
	return r, first
}

func prepared(connections []*connection, prepare func(index int, c *connection) error) error {
	if prepare == nil {
		return nil
	}
	done := make(chan error, len(connections))
	for i, c := range connections {
		go func(i int, c *connection) { done <- prepare(i, c) }(i, c)
	}
	for range connections {
		if err := <-done; err != nil {
			return err
		}
	}
	return nil
}

func produce(o options) (result, error) {
	value := make([]byte, o.size)
	for i := range value {
		value[i] = byte('a' + (i*7+i/13)%26)
	}
	records := batch(o.records, value)
	return window(o, nil, func(index int, c *connection, k *clock) (latencies []int64, requests, count, bytes int64, err error) {
		frames := make([][]byte, o.partitions)
		for p := range frames {
			frames[p] = produceFrame(o.topic, p, int16(o.acks), records)
		}
		began := make([]time.Time, 0, o.inflight)
		out := []byte{}
		for correlation := index; ; {
			out = out[:0]
			now := time.Now()
			over := k.over(now)
			if over && len(began) == 0 {
				return
			}
			for !over && len(began) < o.inflight {
				frame := frames[correlation%o.partitions]
				binary.BigEndian.PutUint32(frame[correlationAt:], uint32(correlation))
				correlation++
				began = append(began, now)
				if now.After(k.begin) {
					k.sent.Add(int64(len(frame)))
				}
				if o.inflight == 1 || len(frame) > 1<<16 {
					if len(out) > 0 {
						if _, err = c.Write(out); err != nil {
							return
						}
						out = out[:0]
					}
					if _, err = c.Write(frame); err != nil {
						return
					}
				} else {
					out = append(out, frame...)
				}
			}
			if len(out) > 0 {
				if _, err = c.Write(out); err != nil {
					return
				}
			}
			var response []byte
			if response, err = c.next(); err != nil {
				return
			}
			for done := time.Now(); response != nil; response = c.take() {
				if !o.raw {
					if err = produceError(response, o.topic); err != nil {
						return
					}
				}
				if done.After(k.begin) && done.Before(k.end) {
					latencies = append(latencies, int64(done.Sub(began[0])))
					requests++
					count += int64(o.records)
					bytes += int64(len(records))
				}
				began = append(began[:0], began[1:]...)
			}
		}
	})
}

// fetch reads every partition from its start once; connection i takes partition i modulo the number of partitions.
func fetch(o options) (result, error) {
	return window(o, nil, func(index int, c *connection, k *clock) (latencies []int64, requests, records, bytes int64, err error) {
		frame, at := fetchFrame(o.topic, index%o.partitions, o.maxBytes, 1, 100)
		for offset := int64(0); ; requests++ {
			binary.BigEndian.PutUint64(frame[at:], uint64(offset))
			began := time.Now()
			if _, err = c.Write(frame); err != nil {
				return
			}
			var response, found []byte
			if response, err = c.next(); err != nil {
				return
			}
			if found, err = fetched(response); err != nil {
				return
			}
			next, count := batches(found, nil)
			if next < 0 || k.over(began) {
				return
			}
			latencies = append(latencies, int64(time.Since(began)))
			offset = next
			records += int64(count)
			bytes += int64(len(found))
		}
	})
}

// endToEnd sends at a fixed rate, whatever the answers do, and takes the time from when a message should have left.
func endToEnd(o options) (result, error) {
	var r result
	sender, err := dial(o.addr)
	if err != nil {
		return r, err
	}
	reader, err := dial(o.addr)
	if err != nil {
		return r, err
	}
	start := time.Now().Add(200 * time.Millisecond)
	begin := start.Add(time.Duration(o.warmup * 1e9))
	total := int((o.warmup + o.seconds) * float64(o.rate))
	failed := make(chan error, 3)
	var latencies []int64
	go func() { // consumer
		frame, at := fetchFrame(o.topic, 0, 1<<20, 1, 500)
		seen := 0
		for offset := int64(0); seen < total; {
			binary.BigEndian.PutUint64(frame[at:], uint64(offset))
			if _, err := reader.Write(frame); err != nil {
				failed <- err
				return
			}
			response, err := reader.next()
			if err == nil {
				var found []byte
				if found, err = fetched(response); err == nil {
					arrived := time.Now()
					next, count := batches(found, func(b []byte) {
						sent := int64(binary.BigEndian.Uint64(b[27:]))*1e6 + int64(binary.BigEndian.Uint32(valueOf(b)))
						if sent >= begin.UnixNano() {
							latencies = append(latencies, arrived.UnixNano()-sent)
						}
					})
					if next >= 0 {
						offset = next
					}
					seen += count
				}
			}
			if err != nil {
				failed <- err
				return
			}
		}
		failed <- nil
	}()
	go func() { // answers to the producer
		for i := 0; i < total; i++ {
			response, err := sender.next()
			if err == nil {
				err = produceError(response, o.topic)
			}
			if err != nil {
				failed <- err
				return
			}
		}
		failed <- nil
	}()
	var before float64
	value := make([]byte, o.size)
	for i := 0; i < total; i++ {
		due := start.Add(time.Duration(i) * time.Second / time.Duration(o.rate))
		if wait := time.Until(due); wait > 0 {
			time.Sleep(wait)
		}
		if before == 0 && due.After(begin) {
			before = cpu(o.pid)
		}
		// The intended time: milliseconds in the batch's timestamp, the rest at the start of the value.
		binary.BigEndian.PutUint32(value, uint32(due.UnixNano()%1e6))
		records := batch(1, value)
		binary.BigEndian.PutUint64(records[27:], uint64(due.UnixNano()/1e6))
		binary.BigEndian.PutUint64(records[35:], uint64(due.UnixNano()/1e6))
		reseal(records)
		if _, err := sender.Write(produceFrame(o.topic, 0, int16(o.acks), records)); err != nil {
			return r, err
		}
	}
	for i := 0; i < 2; i++ {
		if err := <-failed; err != nil {
			return r, err
		}
	}
	r.CPU = cpu(o.pid) - before
	r.Requests, r.Records, r.Seconds = int64(len(latencies)), int64(len(latencies)), o.seconds
	r.LatencyMs = percentiles(latencies)
	return r, nil
}

// sink takes frames, writes each to a file, and answers with the correlation id.
func sink(o options) error {
	listener, err := net.Listen("tcp", o.addr)
	if err != nil {
		return err
	}
	for number := 0; ; number++ {
		accepted, err := listener.Accept()
		if err != nil {
			return err
		}
		file, err := os.Create(o.file + "." + strconv.Itoa(number))
		if err != nil {
			return err
		}
		go func() {
			defer file.Close()
			defer os.Remove(file.Name())
			c := &connection{Conn: accepted, in: make([]byte, 4<<20)}
			answer := make([]byte, 48)
			binary.BigEndian.PutUint32(answer, 44)
			for {
				frame, err := c.next()
				if err != nil {
					return
				}
				if _, err := file.Write(frame); err != nil {
					fmt.Fprintln(os.Stderr, err)
					return
				}
				copy(answer[4:8], frame[4:8])
				if _, err := c.Write(answer); err != nil {
					return
				}
			}
		}()
	}
}

func main() {
	var o options
	flags := flag.NewFlagSet("load", flag.ExitOnError)
	flags.StringVar(&o.addr, "addr", "127.0.0.1:9092", "broker")
	flags.StringVar(&o.topic, "topic", "bench", "topic")
	flags.StringVar(&o.file, "file", "", "sink: where to write")
	flags.IntVar(&o.partitions, "partitions", 1, "partitions of the topic that are used")
	flags.IntVar(&o.connections, "connections", 1, "connections")
	flags.IntVar(&o.inflight, "inflight", 1, "requests in flight on each connection")
	flags.IntVar(&o.records, "records", 1, "records in a batch")
	flags.IntVar(&o.size, "size", 100, "bytes of a value")
	flags.IntVar(&o.acks, "acks", -1, "-1, 0 or 1")
	flags.IntVar(&o.rate, "rate", 1000, "e2e: messages a second")
	flags.IntVar(&o.maxBytes, "max-bytes", 1<<20, "fetch: bytes of an answer")
	flags.IntVar(&o.pid, "pid", 0, "process whose CPU time is measured")
	flags.Float64Var(&o.seconds, "seconds", 5, "measured time")
	flags.Float64Var(&o.warmup, "warmup", 1, "time before that")
	flags.Int64Var(&o.limit, "limit", 0, "end after this many measured bytes")
	ca := flags.String("ca", "", "TLS, with a broker whose certificate this file's authority signed")
	flags.BoolVar(&o.raw, "raw", false, "do not read answers (sink)")
	flags.BoolVar(&o.old, "old", false, "transactions: as clients before transactions v2")
	flags.IntVar(&o.groups, "groups", 1, "members: groups that the connections are spread over")
	flags.StringVar(&o.protocol, "protocol", "classic", "members: classic, consumer or mixed")
	flags.StringVar(&o.op, "op", "heartbeat", "members: heartbeat, commit or rebalance")
	flags.Float64Var(&o.interval, "interval", 0, "members: seconds between two operations of a member; 0: at once")
	if len(os.Args) < 2 {
		fmt.Fprintln(os.Stderr, "load produce|fetch|e2e|transactions|members|sink ...")
		os.Exit(2)
	}
	flags.Parse(os.Args[2:])
	if *ca != "" {
		if err := trust(*ca); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
	var r result
	var err error
	switch os.Args[1] {
	case "produce":
		r, err = produce(o)
	case "fetch":
		r, err = fetch(o)
	case "e2e":
		r, err = endToEnd(o)
	case "transactions":
		r, err = transactions(o)
	case "members":
		r, err = members(o)
	case "sink":
		err = sink(o)
	default:
		err = fmt.Errorf("unknown mode %s", os.Args[1])
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	json.NewEncoder(os.Stdout).Encode(r)
}
