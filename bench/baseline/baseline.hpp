// What the relay is compared with: the shortest program that does its work. Select a batch by id, produce, wait for the
// reports, delete by id; the four go on at once, on threads of their own. Batches, window, records and the client's
// settings are the relay's. There is no lease, no order, no retry: any trouble ends it.
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

// The benchmarks' rows have a key and no headers of their own.
struct Row {
  long long id = 0;
  std::string_view event_id, key, type, topic, payload;
  Batch* batch = nullptr;
};

// Lives until its last report; a database's own kind of it holds what the rows point to.
struct Batch {
  virtual ~Batch() = default;
  std::vector<Row> rows;
  std::atomic<std::size_t> left = 0;
};

// One connection each.
class Reader {
 public:
  virtual ~Reader() = default;
  // Up to kBatch rows; none is the end.
  virtual std::unique_ptr<Batch> After(long long id) = 0;
};

class Remover {
 public:
  virtual ~Remover() = default;
  virtual void Remove(std::span<const long long> ascending) = 0;
};

// Returns when the outbox is empty and the process has been told to end, so that what it used can be read first.
int Drain(Reader& reader, Remover& remover, const std::string& brokers);

[[noreturn]] void Fail(const std::string& why);

inline void Require(bool condition, const std::string& what) {
  if (!condition) Fail(what);
}

}  // namespace bench
