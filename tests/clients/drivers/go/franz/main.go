// franz-go behind the drivers' command line.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"runtime/debug"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"ottla/driver"
)

type franz struct{}

var codecs = map[string]kgo.CompressionCodec{
	"none": kgo.NoCompression(), "gzip": kgo.GzipCompression(), "snappy": kgo.SnappyCompression(),
	"lz4": kgo.Lz4Compression(), "zstd": kgo.ZstdCompression(),
}

func (franz) Version() string {
	info, _ := debug.ReadBuildInfo()
	for _, dep := range info.Deps {
		if dep.Path == "github.com/twmb/franz-go" {
			return dep.Version
		}
	}
	return "?"
}

func (franz) Produce(bootstrap, topic, codec string, lines func(func([]byte) error) error) error {
	client, err := kgo.NewClient(kgo.SeedBrokers(bootstrap), kgo.DefaultProduceTopic(topic), kgo.ProducerBatchCompression(codecs[codec]),
		kgo.AllowAutoTopicCreation(), kgo.ProducerLinger(5*time.Millisecond), kgo.RecordDeliveryTimeout(driver.Deadline))
	if err != nil {
		return err
	}
	defer client.Close()
	var mu sync.Mutex
	var failed error
	err = lines(func(line []byte) error {
		client.Produce(context.Background(), &kgo.Record{Value: line}, func(_ *kgo.Record, err error) {
			if err != nil {
				mu.Lock()
				failed = err
				mu.Unlock()
			}
		})
		return nil
	})
	if err != nil {
		return err
	}
	if err := client.Flush(context.Background()); err != nil {
		return err
	}
	mu.Lock()
	defer mu.Unlock()
	return failed
}

func (franz) Consume(bootstrap, topic string, count int64, sink io.Writer) error {
	client, err := kgo.NewClient(kgo.SeedBrokers(bootstrap),
		kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{topic: {0: kgo.NewOffset().At(0)}}))
	if err != nil {
		return err
	}
	defer client.Close()
	for count > 0 {
		ctx, cancel := context.WithTimeout(context.Background(), driver.Deadline)
		fetches := client.PollFetches(ctx)
		cancel()
		for _, e := range fetches.Errors() {
			return fmt.Errorf("%d records missing in %s: %w", count, topic, e.Err)
		}
		fetches.EachRecord(func(r *kgo.Record) {
			if count > 0 {
				sink.Write(r.Value)
				sink.Write([]byte{'\n'})
				count--
			}
		})
	}
	return nil
}

func (franz) Group(bootstrap, topic, group, assignor string, stop <-chan struct{}) error {
	balancer := kgo.RangeBalancer()
	switch assignor {
	case "roundrobin":
		balancer = kgo.RoundRobinBalancer()
	case "cooperative-sticky":
		balancer = kgo.CooperativeStickyBalancer()
	}
	var mu sync.Mutex
	owned := map[int32]bool{}
	change := func(partitions []int32, own bool, tell bool) {
		mu.Lock()
		defer mu.Unlock()
		for _, p := range partitions {
			if own {
				owned[p] = true
			} else {
				delete(owned, p)
			}
		}
		if tell {
			all := []int32{}
			for p := range owned {
				all = append(all, p)
			}
			driver.Event(map[string]any{"assigned": all})
		}
	}
	client, err := kgo.NewClient(kgo.SeedBrokers(bootstrap), kgo.ConsumerGroup(group), kgo.ConsumeTopics(topic), kgo.Balancers(balancer),
		kgo.DisableAutoCommit(), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.SessionTimeout(10*time.Second),
		kgo.HeartbeatInterval(500*time.Millisecond), kgo.BlockRebalanceOnPoll(),
		kgo.OnPartitionsAssigned(func(_ context.Context, _ *kgo.Client, m map[string][]int32) { change(m[topic], true, true) }),
		kgo.OnPartitionsRevoked(func(_ context.Context, _ *kgo.Client, m map[string][]int32) { change(m[topic], false, false) }),
		kgo.OnPartitionsLost(func(_ context.Context, _ *kgo.Client, m map[string][]int32) { change(m[topic], false, false) }))
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	go func() {
		<-stop
		cancel()
	}()
	for ctx.Err() == nil {
		fetches := client.PollFetches(ctx)
		for _, e := range fetches.Errors() {
			if !errors.Is(e.Err, context.Canceled) {
				return e.Err
			}
		}
		records := fetches.Records()
		if len(records) > 0 && client.CommitRecords(context.Background(), records...) == nil {
			for _, r := range records {
				driver.Event(map[string]any{"record": []int64{int64(r.Partition), r.Offset}})
			}
		}
		client.AllowRebalance()
	}
	client.CloseAllowingRebalance()
	return nil
}

func (franz) Admin(bootstrap, topic string) []driver.Step {
	ctx := context.Background()
	client, err := kgo.NewClient(kgo.SeedBrokers(bootstrap))
	if err != nil {
		panic(err)
	}
	admin := kadm.NewClient(client)
	retention := func(wanted string) error {
		described, err := admin.DescribeTopicConfigs(ctx, topic)
		if err != nil {
			return err
		}
		config, err := described.On(topic, nil)
		if err != nil {
			return err
		}
		for _, entry := range config.Configs {
			if entry.Key == "retention.ms" {
				return driver.Expect("retention.ms", entry.MaybeValue(), wanted)
			}
		}
		return errors.New("no retention.ms")
	}
	partitions := func(wanted int) func() (bool, error) {
		return func() (bool, error) {
			topics, err := admin.ListTopics(ctx, topic)
			return err == nil && topics[topic].Err == nil && len(topics[topic].Partitions) == wanted, err
		}
	}
	text := func(s string) *string { return &s }
	return []driver.Step{
		{Name: "create", Run: func() error {
			made, err := admin.CreateTopics(ctx, 3, 1, map[string]*string{"retention.ms": text("3600000")}, topic)
			if err == nil {
				err = made[topic].Err
			}
			return err
		}},
		{Name: "describe", Run: func() error {
			if err := driver.Until("3 partitions", partitions(3)); err != nil {
				return err
			}
			return retention("3600000")
		}},
		{Name: "alter", Run: func() error {
			altered, err := admin.AlterTopicConfigs(ctx, []kadm.AlterConfig{{Name: "retention.ms", Value: text("7200000")}}, topic)
			if err != nil {
				return err
			}
			for _, one := range altered {
				if one.Err != nil {
					return one.Err
				}
			}
			return driver.Settles(func() error { return retention("7200000") })
		}},
		{Name: "grow", Run: func() error {
			grown, err := admin.UpdatePartitions(ctx, 5, topic)
			if err == nil {
				err = grown[topic].Err
			}
			if err != nil {
				return err
			}
			return driver.Until("5 partitions", partitions(5))
		}},
		{Name: "groups", Run: func() error {
			_, err := admin.ListGroups(ctx)
			return err
		}},
		{Name: "delete", Run: func() error {
			gone, err := admin.DeleteTopics(ctx, topic)
			if err == nil {
				err = gone[topic].Err
			}
			if err != nil {
				return err
			}
			return driver.Until("gone", func() (bool, error) {
				topics, err := admin.ListTopics(ctx)
				return err == nil && !topics.Has(topic), err
			})
		}},
	}
}

func main() { driver.Main(franz{}) }
