// Logs in to brokers with franz-go: each line of input is a case as JSON, each line of output is how it went.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/jcmturner/gokrb5/v8/client"
	"github.com/jcmturner/gokrb5/v8/config"
	"github.com/jcmturner/gokrb5/v8/keytab"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sasl"
	"github.com/twmb/franz-go/pkg/sasl/kerberos"
	"github.com/twmb/franz-go/pkg/sasl/oauth"
	"github.com/twmb/franz-go/pkg/sasl/plain"
	"github.com/twmb/franz-go/pkg/sasl/scram"
)

type login struct {
	Bootstrap, Mechanism, User, Password, Principal, Keytab, Service, Token string
	ByToken                                                                 bool
	HoldMs                                                                  int
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
	c, err := kgo.NewClient(kgo.SeedBrokers(l.Bootstrap), kgo.SASL(how), kgo.RequestRetries(0))
	if err != nil {
		return err
	}
	defer c.Close()
	until := time.Now().Add(time.Duration(l.HoldMs) * time.Millisecond)
	for {
		ctx, cancel := context.WithTimeout(context.Background(), 6*time.Second)
		err := c.Ping(ctx)
		cancel()
		if err != nil || !time.Now().Before(until) {
			return err
		}
		time.Sleep(10 * time.Millisecond)
	}
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
