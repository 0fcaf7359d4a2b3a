// franz-go logs in: each line of input is a case, each line of output what came of it (tests/clients/sasl/drivers.py).
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sasl"
	"github.com/twmb/franz-go/pkg/sasl/oauth"
	"github.com/twmb/franz-go/pkg/sasl/plain"
	"github.com/twmb/franz-go/pkg/sasl/scram"
)

type Case struct {
	Bootstrap, Mechanism, User, Password, Topic string
	Tokenauth                                   bool
	Seconds                                     float64
}

type Outcome struct {
	Outcome string `json:"outcome"`
	Detail  string `json:"detail"`
	Sent    int64  `json:"sent"`
	Failed  int64  `json:"failed"`
}

func mechanism(c Case) sasl.Mechanism {
	switch c.Mechanism {
	case "PLAIN":
		return plain.Auth{User: c.User, Pass: c.Password}.AsMechanism()
	case "SCRAM-SHA-256":
		return scram.Auth{User: c.User, Pass: c.Password, IsToken: c.Tokenauth}.AsSha256Mechanism()
	case "SCRAM-SHA-512":
		return scram.Auth{User: c.User, Pass: c.Password, IsToken: c.Tokenauth}.AsSha512Mechanism()
	case "OAUTHBEARER":
		return oauth.Auth{Token: c.Password}.AsMechanism()
	}
	panic(c.Mechanism)
}

func category(err error) string {
	text := err.Error()
	switch {
	case errors.Is(err, kerr.SaslAuthenticationFailed):
		return "refused"
	case errors.Is(err, kerr.UnsupportedSaslMechanism) || strings.Contains(text, "mechanism"):
		return "mechanism"
	}
	return "other"
}

func run(c Case) Outcome {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	client, err := kgo.NewClient(kgo.SeedBrokers(c.Bootstrap), kgo.SASL(mechanism(c)), kgo.AllowAutoTopicCreation(),
		kgo.RetryTimeout(5*time.Second), kgo.DefaultProduceTopic(c.Topic), kgo.RecordDeliveryTimeout(20*time.Second))
	if err != nil {
		return Outcome{Outcome: "other", Detail: err.Error()}
	}
	defer client.Close()
	if err := client.Ping(ctx); err != nil {
		return Outcome{Outcome: category(err), Detail: err.Error()}
	}
	var sent, failed atomic.Int64
	end := time.Now().Add(time.Duration(c.Seconds * float64(time.Second)))
	for i := 0; time.Now().Before(end); i++ {
		client.Produce(context.Background(), &kgo.Record{Value: []byte(fmt.Sprint(i))}, func(_ *kgo.Record, err error) {
			if err != nil {
				failed.Add(1)
			} else {
				sent.Add(1)
			}
		})
		time.Sleep(2 * time.Millisecond)
	}
	if err := client.Flush(ctx); err != nil {
		return Outcome{Outcome: "other", Detail: err.Error()}
	}
	return Outcome{Outcome: "ok", Sent: sent.Load(), Failed: failed.Load()}
}

func main() {
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var c Case
		if err := json.Unmarshal(lines.Bytes(), &c); err != nil {
			panic(err)
		}
		answer, _ := json.Marshal(run(c))
		fmt.Println(string(answer))
	}
}
