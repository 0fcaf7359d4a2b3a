package main

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"io"
	"net"
	"os"
)

// The few frames that are measured, written by hand so that the generator costs little: a request is one prepared byte
// slice in which only the correlation id (and for Fetch the offsets) changes.

const (
	produceVersion = 9
	fetchVersion   = 12
	correlationAt  = 8 // after size, key and version
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

func uvarint(b []byte, n int) []byte { return binary.AppendUvarint(b, uint64(n)) }
func varint(b []byte, n int) []byte  { return binary.AppendVarint(b, int64(n)) }

func compactString(b []byte, s string) []byte { return append(uvarint(b, len(s)+1), s...) }

func header(key, version int16) []byte {
	b := []byte{0, 0, 0, 0}
	b = binary.BigEndian.AppendUint16(b, uint16(key))
	b = binary.BigEndian.AppendUint16(b, uint16(version))
	b = append(b, 0, 0, 0, 0)
	client := "bench"
	b = binary.BigEndian.AppendUint16(b, uint16(len(client)))
	b = append(b, client...)
	return append(b, 0) // no tagged fields
}

func framed(b []byte) []byte {
	binary.BigEndian.PutUint32(b, uint32(len(b)-4))
	return b
}

// batch builds one record batch v2; time, if any, is put into the first eight bytes of each value by the caller before.
func batch(records int, value []byte) []byte {
	var body []byte
	for i := 0; i < records; i++ {
		record := []byte{0}         // attributes
		record = varint(record, 0)  // timestamp delta
		record = varint(record, i)  // offset delta
		record = varint(record, -1) // no key
		record = varint(record, len(value))
		record = append(record, value...)
		record = varint(record, 0) // no headers
		body = append(varint(body, len(record)), record...)
	}
	now := uint64(nowMs())
	b := make([]byte, 61, 61+len(body))
	binary.BigEndian.PutUint32(b[8:], uint32(61+len(body)-12))
	b[16] = 2
	binary.BigEndian.PutUint32(b[23:], uint32(records-1))
	binary.BigEndian.PutUint64(b[27:], now)
	binary.BigEndian.PutUint64(b[35:], now)
	binary.BigEndian.PutUint64(b[43:], ^uint64(0))
	binary.BigEndian.PutUint16(b[51:], ^uint16(0))
	binary.BigEndian.PutUint32(b[53:], ^uint32(0))
	binary.BigEndian.PutUint32(b[57:], uint32(records))
	b = append(b, body...)
	binary.BigEndian.PutUint32(b[17:], crc32.Checksum(b[21:], castagnoli))
	return b
}

func produceFrame(topic string, partition int, acks int16, records []byte) []byte {
	return produceBody(append(header(0, produceVersion), 0), topic, partition, acks, records) // no transactional id
}

func transactionalProduceFrame(version int16, id, topic string, partition int, records []byte) []byte {
	return produceBody(compactString(header(0, version), id), topic, partition, -1, records)
}

func produceBody(b []byte, topic string, partition int, acks int16, records []byte) []byte {
	b = binary.BigEndian.AppendUint16(b, uint16(acks))
	b = binary.BigEndian.AppendUint32(b, 30_000)
	b = compactString(append(b, 2), topic)
	b = binary.BigEndian.AppendUint32(append(b, 2), uint32(partition))
	b = append(uvarint(b, len(records)+1), records...)
	return framed(append(b, 0, 0, 0))
}

// produceError reads the only partition's error code; the layout is fixed because topic and partition are.
func produceError(response []byte, topic string) error {
	code, err := produceCode(response, topic)
	if err == nil && code != 0 {
		err = fmt.Errorf("produce error %d", code)
	}
	return err
}

func produceCode(response []byte, topic string) (int16, error) {
	at := 4 + 1 + 1 + 1 + len(topic) + 1 + 4
	if len(response) < at+2 {
		return 0, fmt.Errorf("a produce response of %d bytes", len(response))
	}
	return int16(binary.BigEndian.Uint16(response[at:])), nil
}

// fetchFrame asks for one partition; the second result is where the offset stands.
func fetchFrame(topic string, partition int, maxBytes, minBytes, maxWaitMs int) ([]byte, int) {
	b := header(1, fetchVersion)
	b = binary.BigEndian.AppendUint32(b, ^uint32(0)) // replica id
	b = binary.BigEndian.AppendUint32(b, uint32(maxWaitMs))
	b = binary.BigEndian.AppendUint32(b, uint32(minBytes))
	b = binary.BigEndian.AppendUint32(b, uint32(maxBytes))
	b = append(b, 0)                              // read uncommitted
	b = append(b, 0, 0, 0, 0, 255, 255, 255, 255) // no session
	b = compactString(append(b, 2), topic)
	b = binary.BigEndian.AppendUint32(append(b, 2), uint32(partition))
	b = binary.BigEndian.AppendUint32(b, ^uint32(0)) // leader epoch
	at := len(b)
	b = append(b, make([]byte, 8)...)
	b = binary.BigEndian.AppendUint32(b, ^uint32(0)) // last fetched epoch
	b = binary.BigEndian.AppendUint64(b, ^uint64(0)) // log start offset
	b = binary.BigEndian.AppendUint32(b, uint32(maxBytes))
	b = append(b, 0, 0)    // tags of partition and topic
	b = append(b, 1, 1, 0) // no forgotten topics, empty rack, tags
	return framed(b), at
}

// fetched finds the records of a fetch response of one partition.
func fetched(r []byte) ([]byte, error) {
	at := 4 + 1 + 4 // correlation, tags, throttle
	if len(r) < at+8 {
		return nil, fmt.Errorf("a fetch response of %d bytes", len(r))
	}
	if code := int16(binary.BigEndian.Uint16(r[at:])); code != 0 {
		return nil, fmt.Errorf("fetch error %d", code)
	}
	at += 2 + 4
	topics, n := binary.Uvarint(r[at:])
	at += n
	if topics != 2 {
		return nil, nil // nothing new
	}
	name, n := binary.Uvarint(r[at:])
	at += n + int(name) - 1
	_, n = binary.Uvarint(r[at:])
	at += n + 4
	if code := int16(binary.BigEndian.Uint16(r[at:])); code != 0 {
		return nil, fmt.Errorf("fetch error %d", code)
	}
	at += 2 + 8 + 8 + 8
	aborted, n := binary.Uvarint(r[at:])
	at += n
	if aborted > 1 {
		return nil, fmt.Errorf("%d aborted transactions", aborted-1)
	}
	at += 4 // preferred replica
	size, n := binary.Uvarint(r[at:])
	at += n
	if size == 0 {
		return nil, nil
	}
	return r[at : at+int(size)-1], nil
}

// batches walks whole batches; returns the offset after the last one and the number of records.
func batches(records []byte, each func(batch []byte)) (next int64, count int) {
	next = -1
	for len(records) >= 61 {
		size := 12 + int(binary.BigEndian.Uint32(records[8:]))
		if size > len(records) {
			break
		}
		next = int64(binary.BigEndian.Uint64(records)) + int64(binary.BigEndian.Uint32(records[23:])) + 1
		count += int(binary.BigEndian.Uint32(records[57:]))
		if each != nil {
			each(records[:size])
		}
		records = records[size:]
	}
	return next, count
}

type connection struct {
	net.Conn
	in   []byte // what was read and not yet taken
	from int
	to   int
}

// authority is what signed the broker's certificate; nil without TLS.
var authority *x509.CertPool

func trust(file string) error {
	pem, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	authority = x509.NewCertPool()
	if !authority.AppendCertsFromPEM(pem) {
		return fmt.Errorf("%s holds no certificate", file)
	}
	return nil
}

func dial(address string) (*connection, error) {
	var c net.Conn
	var err error
	if authority == nil {
		c, err = net.Dial("tcp", address)
	} else {
		c, err = tls.Dial("tcp", address, &tls.Config{RootCAs: authority, MinVersion: tls.VersionTLS13})
	}
	if err != nil {
		return nil, err
	}
	return &connection{Conn: c, in: make([]byte, 1<<16)}, nil
}

// take gives the next frame without its size if it is there already.
func (c *connection) take() []byte {
	if c.to-c.from < 4 {
		return nil
	}
	size := int(binary.BigEndian.Uint32(c.in[c.from:]))
	if c.to-c.from < 4+size {
		return nil
	}
	frame := c.in[c.from+4 : c.from+4+size]
	c.from += 4 + size
	return frame
}

// fill reads once, making room first.
func (c *connection) fill() error {
	if c.from > 0 {
		copy(c.in, c.in[c.from:c.to])
		c.to -= c.from
		c.from = 0
	}
	if c.to >= 4 {
		if want := 4 + int(binary.BigEndian.Uint32(c.in)); want > len(c.in) {
			c.in = append(c.in, make([]byte, want-len(c.in))...)
		}
	}
	n, err := c.Read(c.in[c.to:])
	c.to += n
	if n == 0 && err == nil {
		err = io.ErrUnexpectedEOF
	}
	return err
}

func (c *connection) next() ([]byte, error) {
	for {
		if frame := c.take(); frame != nil {
			return frame, nil
		}
		if err := c.fill(); err != nil {
			return nil, err
		}
	}
}

// valueOf is the value of a batch's first record.
func valueOf(batch []byte) []byte {
	at := 61
	for i := 0; i < 2; i++ { // record length; then attributes and timestamp delta
		_, n := binary.Varint(batch[at:])
		at += n
		if i == 0 {
			at++
		}
	}
	for i := 0; i < 3; i++ { // offset delta, key length, value length
		_, n := binary.Varint(batch[at:])
		at += n
	}
	return batch[at:]
}

// reseal computes the checksum again.
func reseal(batch []byte) {
	binary.BigEndian.PutUint32(batch[17:], crc32.Checksum(batch[21:], castagnoli))
}
