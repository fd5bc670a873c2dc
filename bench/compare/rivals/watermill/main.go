// A daemon around watermill's Forwarder, which polls outbox topics in PostgreSQL and publishes to Kafka.
//
//	forwarder init DSN TOPICS                      create watermill's tables for the topics outbox_0, outbox_1, ...
//	forwarder run DSN TOPICS BROKERS BATCH POLL    forward until SIGTERM
//
// It is composed as in https://watermill.io/advanced/forwarder/, with the schema and offsets adapters that
// https://watermill.io/pubsubs/sql/ recommends for PostgreSQL. The queue adapters, which could delete rows, are not
// used: they acknowledge all rows of a batch, including those that were read and not yet sent (AckMessageQuery in
// queue_offsets_adapter_postgresql.go of watermill-sql 4.1.2).
package main

import (
	"context"
	"log"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/IBM/sarama"
	"github.com/ThreeDotsLabs/watermill"
	"github.com/ThreeDotsLabs/watermill-kafka/v3/pkg/kafka"
	"github.com/ThreeDotsLabs/watermill-sql/v4/pkg/sql"
	"github.com/ThreeDotsLabs/watermill/components/forwarder"
	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/jackc/pgx/v5/pgxpool"
)

func main() {
	args := os.Args[1:]
	switch {
	case len(args) == 3 && args[0] == "init":
		initialize(args[1], topics(args[2]))
	case len(args) == 6 && args[0] == "run":
		run(args[1], topics(args[2]), strings.Split(args[3], ","), number(args[4]), duration(args[5]))
	default:
		log.Fatal("usage: forwarder init DSN TOPICS | forwarder run DSN TOPICS BROKERS BATCH POLL")
	}
}

func initialize(dsn string, topics []string) {
	pool := connect(dsn, 1)
	defer pool.Close()
	for _, topic := range topics {
		check(subscriber(pool, 1, time.Second, watermill.NopLogger{}).SubscribeInitialize(topic))
	}
}

func run(dsn string, topics []string, brokers []string, batch int, poll time.Duration) {
	logger := watermill.NewStdLogger(false, false)
	// Each subscriber needs a connection of its own, because it keeps it until its batch is sent.
	pool := connect(dsn, len(topics)+1)
	defer pool.Close()
	publisher := publisher(brokers, logger)
	stop, cancel := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer cancel()

	var running sync.WaitGroup
	for _, topic := range topics {
		forward, err := forwarder.NewForwarder(subscriber(pool, batch, poll, logger), publisher, logger,
			forwarder.Config{ForwarderTopic: topic})
		check(err)
		running.Add(1)
		go func() {
			defer running.Done()
			check(forward.Run(stop))
		}()
	}
	running.Wait()
	check(publisher.Close())
}

// Returns the publisher, which serves all topics. Its Publish returns when the broker has acknowledged the record, so a
// forwarder has one record in flight at a time; the client combines records of several forwarders in one request.
func publisher(brokers []string, logger watermill.LoggerAdapter) *kafka.Publisher {
	config := kafka.DefaultSaramaSyncPublisherConfig()
	config.Producer.RequiredAcks = sarama.WaitForAll // as for all programs compared; the default waits for the leader only
	publisher, err := kafka.NewPublisher(kafka.PublisherConfig{
		Brokers:               brokers,
		Marshaler:             kafka.NewWithPartitioningMarshaler(key), // https://watermill.io/pubsubs/kafka/#partitioning
		OverwriteSaramaConfig: config,
	}, logger)
	check(err)
	return publisher
}

func key(_ string, event *message.Message) (string, error) {
	return event.Metadata.Get("aggregate_id"), nil
}

func subscriber(pool *pgxpool.Pool, batch int, poll time.Duration, logger watermill.LoggerAdapter) *sql.Subscriber {
	subscriber, err := sql.NewSubscriber(sql.BeginnerFromPgx(pool), sql.SubscriberConfig{
		SchemaAdapter:  sql.DefaultPostgreSQLSchema{SubscribeBatchSize: batch},
		OffsetsAdapter: sql.DefaultPostgreSQLOffsetsAdapter{},
		PollInterval:   poll,
	}, logger)
	check(err)
	return subscriber
}

func connect(dsn string, connections int) *pgxpool.Pool {
	config, err := pgxpool.ParseConfig(dsn)
	check(err)
	config.MaxConns = int32(connections)
	pool, err := pgxpool.NewWithConfig(context.Background(), config)
	check(err)
	return pool
}

func topics(count string) []string {
	names := make([]string, number(count))
	for i := range names {
		names[i] = "outbox_" + strconv.Itoa(i)
	}
	return names
}

func number(text string) int {
	value, err := strconv.Atoi(text)
	check(err)
	return value
}

func duration(text string) time.Duration {
	value, err := time.ParseDuration(text)
	check(err)
	return value
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
