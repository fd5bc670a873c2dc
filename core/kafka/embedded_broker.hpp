// A broker inside the process that speaks Kafka's protocol: librdkafka's mock cluster. For the demo and the tests.
//
// It serves producers and consumers of this and of other processes on the loopback interface. It keeps what fits in
// 5 MB per partition, in memory, until it is destroyed; it checks no sequence numbers, sizes or rights.
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

  // "127.0.0.1:34567", a free port.
  [[nodiscard]] std::string bootstrap() const { return rd_kafka_mock_cluster_bootstraps(cluster_.get()); }
  // To make trouble with.
  [[nodiscard]] rd_kafka_mock_cluster_t* mock() const { return cluster_.get(); }

 private:
  EmbeddedBroker() = default;
  HandlePtr handle_;  // the cluster lives in the threads of a client
  std::unique_ptr<rd_kafka_mock_cluster_t, FreeWith<rd_kafka_mock_cluster_destroy>> cluster_;
};

}  // namespace outbox::kafka
