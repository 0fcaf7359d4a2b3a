// Logs in to brokers with franz-go: each line of input is a case as JSON, each line of output is how it went.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"sync/atomic"
	"time"

	"github.com/jcmturner/gokrb5/v8/client"
	"github.com/jcmturner/gokrb5/v8/config"
	"github.com/jcmturner/gokrb5/v8/credentials"
	"github.com/jcmturner/gokrb5/v8/keytab"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sasl"
	"github.com/twmb/franz-go/pkg/sasl/kerberos"
	"github.com/twmb/franz-go/pkg/sasl/oauth"
	"github.com/twmb/franz-go/pkg/sasl/plain"
	"github.com/twmb/franz-go/pkg/sasl/scram"
)

type login struct {
	Bootstrap, Mechanism, User, Password, Principal, Keytab, Cache, Service, Token string
	ByToken                                                                        bool
	HoldMs, PatienceMs                                                             int
}

func mechanism(l login) (sasl.Mechanism, error) {
	switch l.Mechanism {
	case "PLAIN":
		return plain.Auth{User: l.User, Pass: l.Password}.AsMechanism(), nil
	case "SCRAM-SHA-256":
		return scram.Auth{User: l.User, Pass: l.Password, IsToken: l.ByToken}.AsSha256Mechanism(), nil
	case "SCRAM-SHA-512":
		return scram.Auth{User: l.User, Pass: l.Password, IsToken: l.ByToken}.AsSha512Mechanism(), nil
	case "OAUTHBEARER":
		return oauth.Auth{Token: l.Token}.AsMechanism(), nil
	case "GSSAPI":
		settings, err := config.Load(os.Getenv("KRB5_CONFIG"))
		if err != nil {
			return nil, err
		}
		if l.Cache != "" {
			tickets, err := credentials.LoadCCache(l.Cache)
			if err != nil {
				return nil, err
			}
			ticket, err := client.NewFromCCache(tickets, settings, client.DisablePAFXFAST(true))
			if err != nil {
				return nil, err
			}
			return kerberos.Auth{Client: ticket, Service: l.Service}.AsMechanism(), nil
		}
		keys, err := keytab.Load(l.Keytab)
		if err != nil {
			return nil, err
		}
		name, realm, _ := strings.Cut(l.Principal, "@")
		ticket := client.NewWithKeytab(name, realm, keys, settings, client.DisablePAFXFAST(true))
		return kerberos.Auth{Client: ticket, Service: l.Service}.AsMechanism(), nil
	}
	return nil, fmt.Errorf("unknown mechanism %s", l.Mechanism)
}

func try(l login) error {
	how, err := mechanism(l)
	if err != nil {
		return err
	}
	patience := time.Duration(l.PatienceMs) * time.Millisecond
	c, err := kgo.NewClient(kgo.SeedBrokers(l.Bootstrap), kgo.SASL(how), kgo.RequestRetries(0),
		kgo.AllowAutoTopicCreation(), kgo.DefaultProduceTopic("load"))
	if err != nil {
		return err
	}
	defer c.Close()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := c.Ping(ctx); err != nil || l.HoldMs == 0 {
		return err
	}
	// A client that retries, as programs have it: sessions end and begin anew under it.
	p, err := kgo.NewClient(kgo.SeedBrokers(l.Bootstrap), kgo.SASL(how), kgo.AllowAutoTopicCreation(),
		kgo.DefaultProduceTopic("load"), kgo.RecordDeliveryTimeout(20*time.Second))
	if err != nil {
		return err
	}
	defer p.Close()
	var sent, failed atomic.Int64
	for until := time.Now().Add(time.Duration(l.HoldMs) * time.Millisecond); time.Now().Before(until); {
		p.Produce(context.Background(), &kgo.Record{Value: []byte("x")}, func(_ *kgo.Record, err error) {
			if err != nil {
				failed.Add(1)
			} else {
				sent.Add(1)
			}
		})
		time.Sleep(5 * time.Millisecond)
	}
	flush, stop := context.WithTimeout(context.Background(), 30*time.Second)
	defer stop()
	if err := p.Flush(flush); err != nil {
		return err
	}
	if failed.Load() > 0 || sent.Load() == 0 {
		return fmt.Errorf("%d records lost, %d arrived", failed.Load(), sent.Load())
	}
	return nil
}

func main() {
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var l login
		outcome := "ok"
		if err := json.Unmarshal(lines.Bytes(), &l); err != nil {
			outcome = err.Error()
		} else if err := try(l); err != nil {
			outcome = strings.ReplaceAll(err.Error(), "\n", " ")
		}
		fmt.Println(outcome)
	}
}
