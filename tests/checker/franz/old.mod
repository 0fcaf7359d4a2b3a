module ottla/transactions

go 1.22

require (
	github.com/twmb/franz-go v1.8.0
)

require (
	github.com/klauspost/compress v1.16.7 // indirect
	github.com/pierrec/lz4/v4 v4.1.33 // indirect
	github.com/twmb/franz-go/pkg/kmsg v1.6.1 // indirect
)

