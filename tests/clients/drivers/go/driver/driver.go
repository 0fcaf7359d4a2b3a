// Package driver is what the Go drivers share: the command line that ../../python/driver.py describes, and its events.
package driver

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strconv"
	"sync"
	"time"
)

// Deadline is how long a driver waits for what must come.
const Deadline = 20 * time.Second

// Client is one library behind the command line.
type Client interface {
	Version() string
	Produce(bootstrap, topic, codec string, lines func(func(line []byte) error) error) error
	Consume(bootstrap, topic string, count int64, sink io.Writer) error
	Group(bootstrap, topic, group, assignor string, stop <-chan struct{}) error
	Admin(bootstrap, topic string) []Step
}

// Step is one admin call with what it must show.
type Step struct {
	Name string
	Run  func() error
}

var mu sync.Mutex

// Event writes one JSON line at once.
func Event(fields map[string]any) {
	text, err := json.Marshal(fields)
	if err != nil {
		panic(err)
	}
	mu.Lock()
	defer mu.Unlock()
	os.Stdout.Write(append(text, '\n'))
}

// Until polls: metadata of a new or deleted topic reaches a client a moment later.
func Until(what string, condition func() (bool, error)) error {
	for end := time.Now().Add(15 * time.Second); time.Now().Before(end); time.Sleep(100 * time.Millisecond) {
		done, err := condition()
		if err != nil {
			return err
		}
		if done {
			return nil
		}
	}
	return fmt.Errorf("timeout: %s", what)
}

// Settles repeats a check until it holds: a changed config reaches a Kafka broker a moment after the answer.
func Settles(check func() error) error {
	var last error
	err := Until("", func() (bool, error) {
		last = check()
		return last == nil, nil
	})
	if err != nil {
		return last
	}
	return nil
}

// Expect compares.
func Expect(what, got, wanted string) error {
	if got != wanted {
		return fmt.Errorf("%s: got %q, wanted %q", what, got, wanted)
	}
	return nil
}

func lines(path string) func(func([]byte) error) error {
	return func(each func([]byte) error) error {
		whole, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		for len(whole) > 0 {
			line, rest, _ := bytes.Cut(whole, []byte{'\n'})
			if err := each(line); err != nil {
				return err
			}
			whole = rest
		}
		return nil
	}
}

func consume(c Client, bootstrap, topic, count, path string) error {
	n, err := strconv.ParseInt(count, 10, 64)
	if err != nil {
		return err
	}
	file, err := os.Create(path)
	if err != nil {
		return err
	}
	sink := bufio.NewWriterSize(file, 1<<20)
	if err := c.Consume(bootstrap, topic, n, sink); err != nil {
		return err
	}
	if err := sink.Flush(); err != nil {
		return err
	}
	Event(map[string]any{"consumed": topic})
	return file.Close()
}

func run(c Client, args []string) error {
	switch command := args[0]; command {
	case "version":
		fmt.Println(c.Version())
	case "produce":
		for i := 3; i < len(args); i += 2 {
			if err := c.Produce(args[1], args[i+1], args[i], lines(args[2])); err != nil {
				return err
			}
			Event(map[string]any{"produced": args[i+1]})
		}
	case "consume":
		for i := 2; i < len(args); i += 3 {
			if err := consume(c, args[1], args[i], args[i+1], args[i+2]); err != nil {
				return err
			}
		}
	case "group":
		stop := make(chan struct{})
		go func() {
			os.Stdin.Read(make([]byte, 1))
			close(stop)
		}()
		assignor := "range"
		if len(args) > 4 {
			assignor = args[4]
		}
		if err := c.Group(args[1], args[2], args[3], assignor, stop); err != nil {
			return err
		}
		Event(map[string]any{"closed": true})
	case "admin":
		for _, step := range c.Admin(args[1], args[2]) {
			if err := step.Run(); err != nil {
				Event(map[string]any{"step": step.Name, "error": err.Error()})
				os.Exit(1)
			}
			Event(map[string]any{"step": step.Name})
		}
	default:
		return fmt.Errorf("unknown command %s", command)
	}
	return nil
}

// Main runs the command line.
func Main(c Client) {
	if err := run(c, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
