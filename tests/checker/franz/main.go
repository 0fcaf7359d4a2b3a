// franz-go: some transactions that write two topics and commit offsets of a group, for tests/checker/record.py.
package main

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

func check(err error) {
	if err != nil {
		fmt.Println("failed:", err)
		os.Exit(1)
	}
}

func main() {
	bootstrap, name := os.Args[1], os.Args[2]
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	producer, err := kgo.NewClient(kgo.SeedBrokers(bootstrap), kgo.AllowAutoTopicCreation(), kgo.TransactionalID(name+"-producer"))
	check(err)
	for i := 0; i < 4; i++ {
		check(producer.BeginTransaction())
		for j := 0; j < 3; j++ {
			check(producer.ProduceSync(ctx, &kgo.Record{Topic: name + "-in", Value: []byte(fmt.Sprint(i, j))}).FirstErr())
		}
		check(producer.EndTransaction(ctx, i%2 == 0))
	}
	producer.Close()
	session, err := kgo.NewGroupTransactSession(kgo.SeedBrokers(bootstrap), kgo.AllowAutoTopicCreation(), kgo.TransactionalID(name+"-transformer"),
		kgo.ConsumerGroup(name+"-group"), kgo.ConsumeTopics(name+"-in"), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.RequireStableFetchOffsets())
	check(err)
	for done := 0; done < 6; {
		fetches := session.PollFetches(ctx)
		check(fetches.Err())
		check(session.Begin())
		for _, record := range fetches.Records() {
			check(session.ProduceSync(ctx, &kgo.Record{Topic: name + "-out", Value: record.Value}).FirstErr())
			done++
		}
		_, err := session.End(ctx, kgo.TryCommit)
		check(err)
	}
	session.Close()
	fmt.Println("done")
}
