// The baseline with which the relay is compared: the shortest program that does the relay's work. The program selects a
// batch of rows by id, produces records, waits for the delivery reports and deletes the rows by id. These four steps
// run concurrently, each on a thread of its own. Batch size, window, records and the settings of the Kafka client are
// those of the relay. The program has no leases, no order per key and no retries; any error ends it.
#pragma once

#include <atomic>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace bench {

inline constexpr int kBatch = 1000;

struct Batch;

// One event of the outbox. The rows of the benchmarks have a key and no headers. The fields point into memory of the
// batch.
struct Row {
  long long id = 0;
  std::string_view event_id, key, type, topic, payload;
  Batch* batch = nullptr;
};

// The rows of one select. A subclass for each database owns the memory to which the rows point. The batch is deleted
// with the delivery report of its last row; `left` is the number of rows whose report has not arrived.
struct Batch {
  virtual ~Batch() = default;
  std::vector<Row> rows;
  std::atomic<std::size_t> left = 0;
};

// Reads the outbox over a connection of its own. Thread: the reading thread of Drain().
class Reader {
 public:
  virtual ~Reader() = default;
  // Returns up to kBatch rows with ids above `id`, ascending. An empty batch means the end of the outbox.
  virtual std::unique_ptr<Batch> After(long long id) = 0;
};

// Deletes rows over a connection of its own. Thread: the removing thread of Drain().
class Remover {
 public:
  virtual ~Remover() = default;
  virtual void Remove(std::span<const long long> ascending) = 0;
};

// Drains the outbox, then waits for a signal, so that the caller can read the resource usage of this process before it
// ends. Returns the exit status of the process.
int Drain(Reader& reader, Remover& remover, const std::string& brokers);

[[noreturn]] void Fail(const std::string& why);

inline void Require(bool condition, const std::string& what) {
  if (!condition) Fail(what);
}

}  // namespace bench
