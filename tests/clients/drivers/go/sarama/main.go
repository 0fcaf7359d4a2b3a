// sarama behind the drivers' command line. The old line is the same program with the import path of before IBM.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"runtime/debug"
	"strings"
	"time"

	"github.com/IBM/sarama"
	"ottla/driver"
)

type client struct{}

var codecs = map[string]sarama.CompressionCodec{
	"none": sarama.CompressionNone, "gzip": sarama.CompressionGZIP, "snappy": sarama.CompressionSnappy,
	"lz4": sarama.CompressionLZ4, "zstd": sarama.CompressionZSTD,
}

func (client) Version() string {
	info, _ := debug.ReadBuildInfo()
	for _, dep := range info.Deps {
		if strings.HasSuffix(dep.Path, "/sarama") {
			return dep.Version
		}
	}
	return "?"
}

func config() *sarama.Config {
	c := sarama.NewConfig()
	c.Version = sarama.V2_6_0_0
	if strings.HasPrefix(client{}.Version(), "v1.3") {
		// The old line commits with OffsetCommit v1, which Kafka 4 no longer speaks, unless it is told a retention.
		c.Consumer.Offsets.Retention = 24 * time.Hour
	}
	return c
}

func (client) Produce(bootstrap, topic, codec string, lines func(func([]byte) error) error) error {
	c := config()
	c.Producer.Compression = codecs[codec]
	c.Producer.Idempotent = true
	c.Producer.RequiredAcks = sarama.WaitForAll
	c.Producer.Return.Successes = false
	c.Producer.Return.Errors = true
	c.Producer.Flush.Frequency = 5 * time.Millisecond
	c.Producer.Retry.Max = 10
	c.Net.MaxOpenRequests = 1
	producer, err := sarama.NewAsyncProducer([]string{bootstrap}, c)
	if err != nil {
		return err
	}
	failed := make(chan error, 1)
	go func() {
		var first error
		for e := range producer.Errors() {
			if first == nil {
				first = e
			}
		}
		failed <- first
	}()
	err = lines(func(line []byte) error {
		producer.Input() <- &sarama.ProducerMessage{Topic: topic, Value: sarama.ByteEncoder(line)}
		return nil
	})
	producer.AsyncClose()
	if first := <-failed; first != nil {
		return first
	}
	return err
}

func (client) Consume(bootstrap, topic string, count int64, sink io.Writer) error {
	c := config()
	c.Consumer.Return.Errors = true
	consumer, err := sarama.NewConsumer([]string{bootstrap}, c)
	if err != nil {
		return err
	}
	defer consumer.Close()
	partition, err := consumer.ConsumePartition(topic, 0, 0)
	if err != nil {
		return err
	}
	late := time.NewTimer(driver.Deadline)
	for ; count > 0; count-- {
		select {
		case m := <-partition.Messages():
			sink.Write(m.Value)
			sink.Write([]byte{'\n'})
			late.Reset(driver.Deadline)
		case err := <-partition.Errors():
			return err
		case <-late.C:
			return fmt.Errorf("%d records missing in %s", count, topic)
		}
	}
	return partition.Close()
}

type handler struct{ topic string }

func (h handler) Setup(s sarama.ConsumerGroupSession) error {
	claims := s.Claims()[h.topic]
	if claims == nil {
		claims = []int32{}
	}
	driver.Event(map[string]any{"assigned": claims})
	return nil
}

func (handler) Cleanup(sarama.ConsumerGroupSession) error { return nil }

func (handler) ConsumeClaim(s sarama.ConsumerGroupSession, claim sarama.ConsumerGroupClaim) error {
	for {
		select {
		case m, ok := <-claim.Messages():
			if !ok {
				return nil
			}
			s.MarkMessage(m, "")
			s.Commit()
			driver.Event(map[string]any{"record": []int64{int64(m.Partition), m.Offset}})
		case <-s.Context().Done():
			return nil
		}
	}
}

func (client) Group(bootstrap, topic, group, assignor string, stop <-chan struct{}) error {
	c := config()
	c.Consumer.Group.Rebalance.Strategy = sarama.BalanceStrategyRange
	if assignor == "roundrobin" {
		c.Consumer.Group.Rebalance.Strategy = sarama.BalanceStrategyRoundRobin
	}
	c.Consumer.Offsets.Initial = sarama.OffsetOldest
	c.Consumer.Offsets.AutoCommit.Enable = false
	c.Consumer.Group.Session.Timeout = 10 * time.Second
	c.Consumer.Group.Heartbeat.Interval = 500 * time.Millisecond
	members, err := sarama.NewConsumerGroup([]string{bootstrap}, group, c)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(context.Background())
	go func() {
		<-stop
		cancel()
	}()
	for ctx.Err() == nil {
		if err := members.Consume(ctx, []string{topic}, handler{topic}); err != nil && !errors.Is(err, sarama.ErrClosedConsumerGroup) && ctx.Err() == nil {
			return err
		}
	}
	return members.Close()
}

func (client) Admin(bootstrap, topic string) []driver.Step {
	admin, err := sarama.NewClusterAdmin([]string{bootstrap}, config())
	if err != nil {
		return []driver.Step{{Name: "connect", Run: func() error { return err }}}
	}
	text := func(s string) *string { return &s }
	retention := func(wanted string) error {
		entries, err := admin.DescribeConfig(sarama.ConfigResource{Type: sarama.TopicResource, Name: topic, ConfigNames: []string{"retention.ms"}})
		if err != nil {
			return err
		}
		if len(entries) != 1 {
			return fmt.Errorf("%d entries", len(entries))
		}
		return driver.Expect("retention.ms", entries[0].Value, wanted)
	}
	partitions := func(wanted int) func() (bool, error) {
		return func() (bool, error) {
			found, err := admin.DescribeTopics([]string{topic})
			return err == nil && found[0].Err == sarama.ErrNoError && len(found[0].Partitions) == wanted, err
		}
	}
	return []driver.Step{
		{Name: "create", Run: func() error {
			return admin.CreateTopic(topic, &sarama.TopicDetail{NumPartitions: 3, ReplicationFactor: 1, ConfigEntries: map[string]*string{"retention.ms": text("3600000")}}, false)
		}},
		{Name: "describe", Run: func() error {
			if err := driver.Until("3 partitions", partitions(3)); err != nil {
				return err
			}
			return retention("3600000")
		}},
		{Name: "alter", Run: func() error {
			if err := admin.AlterConfig(sarama.TopicResource, topic, map[string]*string{"retention.ms": text("7200000")}, false); err != nil {
				return err
			}
			return driver.Settles(func() error { return retention("7200000") })
		}},
		{Name: "grow", Run: func() error {
			if err := admin.CreatePartitions(topic, 5, nil, false); err != nil {
				return err
			}
			return driver.Until("5 partitions", partitions(5))
		}},
		{Name: "groups", Run: func() error {
			_, err := admin.ListConsumerGroups()
			return err
		}},
		{Name: "delete", Run: func() error {
			if err := admin.DeleteTopic(topic); err != nil {
				return err
			}
			return driver.Until("gone", func() (bool, error) {
				topics, err := admin.ListTopics()
				_, there := topics[topic]
				return err == nil && !there, err
			})
		}},
	}
}

func main() { driver.Main(client{}) }
