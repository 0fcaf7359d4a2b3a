// franz-go connects with TLS: each line of input is a case, each line of output what came of it (tests/clients/tls).
package main

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

type Case struct {
	Bootstrap, Ca, Shown, Version, Protocol string
	Seconds                                 float64
}

func config(c Case) (*tls.Config, error) {
	pem, err := os.ReadFile(c.Ca)
	if err != nil {
		return nil, err
	}
	found := &tls.Config{RootCAs: x509.NewCertPool()}
	found.RootCAs.AppendCertsFromPEM(pem)
	if c.Shown != "" {
		pair, err := tls.LoadX509KeyPair(c.Shown, c.Shown)
		if err != nil {
			return nil, err
		}
		// As other clients do: show it, whichever authorities the broker names.
		found.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &pair, nil }
	}
	versions := map[string]uint16{"1.2": tls.VersionTLS12, "1.3": tls.VersionTLS13}
	if version, set := versions[c.Version]; set {
		found.MinVersion, found.MaxVersion = version, version
	}
	return found, nil
}

func try(c Case) error {
	patience := time.Duration(c.Seconds * float64(time.Second))
	options := []kgo.Opt{kgo.SeedBrokers(c.Bootstrap), kgo.RetryTimeout(patience)}
	if c.Protocol == "SSL" {
		settings, err := config(c)
		if err != nil {
			return err
		}
		options = append(options, kgo.DialTLSConfig(settings))
	}
	client, err := kgo.NewClient(options...)
	if err != nil {
		return err
	}
	defer client.Close()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	return client.Ping(ctx)
}

func main() {
	for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
		var c Case
		if err := json.Unmarshal(lines.Bytes(), &c); err != nil {
			panic(err)
		}
		if err := try(c); err != nil {
			fmt.Println(strings.ReplaceAll(err.Error(), "\n", " "))
		} else {
			fmt.Println("ok")
		}
	}
}
