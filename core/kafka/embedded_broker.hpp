// A broker inside the process that speaks Kafka's protocol: librdkafka's mock cluster. It is for the demo and the
// tests.
//
// The broker serves producers and consumers of this and of other processes on the loopback interface. It keeps up to 5
// MB of records per partition in memory until the object is destroyed. It does not check sequence numbers, sizes or
// permissions.
#pragma once

#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>

#include <memory>
#include <string>
#include <vector>

#include "kafka/rdkafka.hpp"
#include "util/status.hpp"

namespace outbox::kafka {

class EmbeddedBroker {
 public:
  struct Topic {
    std::string name;
    int partitions;
  };
  [[nodiscard]] static Result<std::unique_ptr<EmbeddedBroker>> Start(const std::vector<Topic>& topics);

  // Returns the broker's address, such as "127.0.0.1:34567". The port is a free port of this machine.
  [[nodiscard]] std::string bootstrap() const { return rd_kafka_mock_cluster_bootstraps(cluster_.get()); }
  // Returns the mock cluster, so that tests can inject faults.
  [[nodiscard]] rd_kafka_mock_cluster_t* mock() const { return cluster_.get(); }

 private:
  EmbeddedBroker() = default;
  HandlePtr handle_;  // the client whose threads run the cluster
  std::unique_ptr<rd_kafka_mock_cluster_t, FreeWith<rd_kafka_mock_cluster_destroy>> cluster_;
};

}  // namespace outbox::kafka
