// Tests the relay as a library: its outbox, sender and log are objects of the embedding program, and several relays
// run in one process.
#include <outbox/relay.hpp>

#include <algorithm>
#include <atomic>
#include <map>
#include <mutex>
#include <thread>

#include "tests/catch.hpp"

namespace outbox {
namespace {

using namespace std::chrono_literals;
using Records = std::vector<std::pair<std::string, std::string>>;

class Rows {
 public:
  void Add(const std::string& key, const std::string& payload, const std::string& headers = "") {
    const std::scoped_lock lock(mutex_);
    ++last_;
    rows_[last_] = {key, payload, headers, std::to_string(last_)};
  }
  void Reserve(const ReserveRequest& request, BatchBuilder& batch) {
    const std::scoped_lock lock(mutex_);
    for (const auto& [id, row] : rows_) {
      if (request.is_outstanding(row.id)) continue;
      Event event{};
      event.row_id = row.id;
      event.event_id = row.id;
      event.aggregate_id = row.key;
      event.event_type = "t";
      event.topic = "topic";
      event.payload = row.payload;
      if (!row.headers.empty()) event.headers = row.headers;
      if (!batch.Add(event)) return;
    }
  }
  void Remove(std::string_view id) {
    const std::scoped_lock lock(mutex_);
    rows_.erase(std::stoull(std::string(id)));
  }
  [[nodiscard]] bool WaitUntilEmpty() const {
    for (const auto end = std::chrono::steady_clock::now() + 20s; std::chrono::steady_clock::now() < end;) {
      {
        const std::scoped_lock lock(mutex_);
        if (rows_.empty()) return true;
      }
      std::this_thread::sleep_for(2ms);
    }
    return false;
  }
  std::vector<std::string> failed;  // The reasons of the failures that the relay recorded.

 private:
  struct Row {
    std::string key, payload, headers, id;
  };
  mutable std::mutex mutex_;
  std::map<std::uint64_t, Row> rows_;
  std::uint64_t last_ = 0;
};

class RowsAdapter : public StorageAdapter {
 public:
  explicit RowsAdapter(std::shared_ptr<Rows> rows) : rows_(std::move(rows)) {}
  void ReserveNewEvents(const ReserveRequest& request, BatchBuilder& batch) override { rows_->Reserve(request, batch); }
  void ConfirmEvent(ConfirmedRows rows, KeptRows&) override {
    for (const ConfirmedRow row : rows) rows_->Remove(row.row_id.bytes());
  }
  void ConfirmFailed(Failures failures) override {
    for (const Failure& failure : failures) {
      rows_->failed.emplace_back(failure.reason);
      rows_->Remove(failure.row_id.bytes());
    }
  }

 private:
  const std::shared_ptr<Rows> rows_;
};

class TestSender : public embed::Sender {
 public:
  std::size_t Send(std::span<const Event> events) override {
    ++calls;
    if (calls % 3 == 1 && trouble-- > 0) {
      // The sender keeps the first half although the call fails, so the relay later sends the events of that half a
      // second time.
      Take(events.first(events.size() / 2));
      throw std::runtime_error("no room");
    }
    const std::size_t some = trouble-- > 0 ? events.size() / 2 : events.size();
    Take(events.first(some));
    return some;
  }
  [[nodiscard]] Records records() const {
    const std::scoped_lock lock(mutex_);
    return records_;
  }
  int trouble = 0, calls = 0;

 private:
  void Take(std::span<const Event> events) {
    const std::scoped_lock lock(mutex_);
    for (const Event& event : events) records_.emplace_back(*event.aggregate_id, *event.payload);
  }
  mutable std::mutex mutex_;
  Records records_;
};

// A storage that marks its rows for a fixed time, regardless of the time that the relay requests.
struct MarkedRows {
  std::shared_ptr<Rows> rows = std::make_shared<Rows>();
  Millis marked_for{0}, reading_takes{0};
  bool loses_marks = false;
  std::atomic<int> reserves = 0;
};

class MarkingAdapter : public RowsAdapter {
 public:
  explicit MarkingAdapter(const std::shared_ptr<MarkedRows>& shared) : RowsAdapter(shared->rows), shared_(shared) {}
  void ReserveNewEvents(const ReserveRequest& request, BatchBuilder& batch) override {
    ++shared_->reserves;
    RowsAdapter::ReserveNewEvents(request, batch);
    std::this_thread::sleep_for(shared_->reading_takes);
    batch.Reserved(++token_, shared_->marked_for);
  }
  void ConfirmFailed(Failures failures) override {
    if (shared_->loses_marks) throw Error(OUTBOX_LEASE_LOST, "row 1 is marked by nobody");
    RowsAdapter::ConfirmFailed(failures);
  }
  void Release(RowIds) override {}

 private:
  const std::shared_ptr<MarkedRows> shared_;
  std::uint64_t token_ = 0;
};

// A storage that cannot remove rows after they were recorded as delivered.
struct RowsThatStay {
  std::shared_ptr<Rows> rows = std::make_shared<Rows>();
  std::atomic<int> removals = 0;
};

class StayingAdapter : public RowsAdapter, public Admin {
 public:
  explicit StayingAdapter(const std::shared_ptr<RowsThatStay>& shared) : RowsAdapter(shared->rows), shared_(shared) {}
  void List(const Query&, const Found&) override {}
  std::uint64_t RemoveDelivered(RowIds, Millis) override {
    ++shared_->removals;
    throw Error(OUTBOX_UNAVAILABLE, "the table is locked");
  }

 private:
  const std::shared_ptr<RowsThatStay> shared_;
};

struct Embedded {
  explicit Embedded(const std::string& config = R"({"poll_interval": "10ms", "retry_backoff": "10ms"})")
      : Embedded(config, std::make_shared<Rows>()) {}
  Embedded(const std::string& config, const std::shared_ptr<Rows>& all)
      : Embedded(config, all, embed::Storage::FromAdapter<RowsAdapter>(all, "rows", OUTBOX_CAN_ORDER_KEYS)) {}
  explicit Embedded(const std::shared_ptr<MarkedRows>& marked)
      : Embedded(R"({"poll_interval": "10ms", "max_attempts": 1})", marked->rows,
                 embed::Storage::FromAdapter<MarkingAdapter>(
                     marked, "rows", OUTBOX_CAN_ORDER_KEYS | OUTBOX_CAN_SHARE | OUTBOX_CAN_FENCE)) {}
  Embedded(const std::string& config, std::shared_ptr<Rows> all, embed::Storage storage)
      : rows(std::move(all)),
        relay(config, std::move(storage), embed::Publisher::FromSender(sender),
              [this](embed::LogLevel, std::string_view line) {
                const std::scoped_lock lock(mutex);
                log.emplace_back(line);
              }) {}
  [[nodiscard]] std::ptrdiff_t Lines(std::string_view with) {
    const std::scoped_lock lock(mutex);
    return std::ranges::count_if(log, [&](const std::string& line) { return line.find(with) != std::string::npos; });
  }
  [[nodiscard]] bool WaitForLine(std::string_view with) {
    for (const auto end = std::chrono::steady_clock::now() + 20s; std::chrono::steady_clock::now() < end;) {
      if (Lines(with) > 0) return true;
      std::this_thread::sleep_for(2ms);
    }
    return false;
  }
  const std::shared_ptr<Rows> rows;
  const std::shared_ptr<TestSender> sender = std::make_shared<TestSender>();
  std::mutex mutex;
  std::vector<std::string> log;
  embed::Relay relay;
};

std::string Refusal(const std::function<void()>& call) {
  try {
    call();
  } catch (const std::invalid_argument& error) {
    return error.what();
  }
  return "";
}

TEST_CASE("several relays in one process do not affect each other") {
  std::vector<std::unique_ptr<Embedded>> relays;
  for (int i = 0; i < 3; ++i) relays.push_back(std::make_unique<Embedded>());
  for (const auto& one : relays) one->relay.Start();
  for (std::size_t i = 0; i < relays.size(); ++i)
    for (int n = 0; n < 500; ++n) relays[i]->rows->Add("key-" + std::to_string(i), std::to_string(n));
  for (std::size_t i = 0; i < relays.size(); ++i) {
    REQUIRE(relays[i]->rows->WaitUntilEmpty());
    CHECK(relays[i]->relay.Stop(10s));
    CHECK(relays[i]->relay.Stop(10s));
    CHECK_FALSE(relays[i]->relay.Wait());
    Records expected;
    for (int n = 0; n < 500; ++n) expected.emplace_back("key-" + std::to_string(i), std::to_string(n));
    CHECK(relays[i]->sender->records() == expected);
  }
}

TEST_CASE("events that a sender does not take are sent again in order, and the given log reports it") {
  Embedded one;
  one.sender->trouble = 5;
  for (int n = 0; n < 300; ++n) one.rows->Add("k", std::to_string(n));
  one.relay.Start();
  REQUIRE(one.rows->WaitUntilEmpty());
  CHECK(one.relay.Stop(10s));
  int next = 0;
  for (const auto& [key, payload] : one.sender->records()) {
    const int number = std::stoi(payload);
    REQUIRE(number <= next);  // No number is skipped.
    if (number == next) ++next;
  }
  CHECK(next == 300);
  CHECK(one.sender->calls > 5);
  const auto reports = [](const std::string& line) { return line.find("the sender: no room") != std::string::npos; };
  CHECK(std::any_of(one.log.begin(), one.log.end(), reports));
}

TEST_CASE("rows that are marked for less time than the relay asks for are sent") {
  const auto marked = std::make_shared<MarkedRows>();
  marked->marked_for = 500ms;  // The relay requests marks for 15 s.
  Embedded one(marked);
  for (int n = 0; n < 300; ++n) one.rows->Add("k", std::to_string(n));
  one.relay.Start();
  REQUIRE(one.rows->WaitUntilEmpty());
  CHECK(one.relay.Stop(10s));
}

TEST_CASE("marks that have ended when their rows arrive are reported, and the pauses between reads grow") {
  const auto marked = std::make_shared<MarkedRows>();
  marked->marked_for = 5ms;
  marked->reading_takes = 10ms;
  Embedded one(marked);
  one.rows->Add("k", "1");
  one.relay.Start();
  REQUIRE(one.WaitForLine(", but the plugin reserved them for only 5 ms, too short to send them"));
  std::this_thread::sleep_for(500ms);
  CHECK(marked->reserves < 20);
  CHECK(one.relay.Stop(10s));
  CHECK(one.sender->records().empty());
}

TEST_CASE("failures that the storage refuses because the marks are lost are reported, and reads pause for a second") {
  const auto marked = std::make_shared<MarkedRows>();
  marked->marked_for = 15s;
  marked->loses_marks = true;
  Embedded one(marked);
  one.rows->Add("k", "bad", "[]");
  one.relay.Start();
  REQUIRE(one.WaitForLine("shard 0: the storage did not record failures"));
  CHECK(one.Lines("row 1 is marked by nobody") > 0);
  std::this_thread::sleep_for(500ms);
  CHECK(marked->reserves < 20);
  marked->loses_marks = false;
  REQUIRE(one.rows->WaitUntilEmpty());
  CHECK(one.relay.Stop(10s));
}

TEST_CASE("a failed removal is no outage of the database: it is retried after minutes, and delays no event") {
  const auto staying = std::make_shared<RowsThatStay>();
  Embedded one(R"({"poll_interval": "10ms", "retry_backoff": "10ms", "max_retry_backoff": "1s"})", staying->rows,
               embed::Storage::FromAdapter<StayingAdapter>(staying, "rows", OUTBOX_CAN_ORDER_KEYS));
  one.relay.Start();
  for (const auto end = std::chrono::steady_clock::now() + 20s;
       staying->removals < 2 && std::chrono::steady_clock::now() < end;)
    std::this_thread::sleep_for(2ms);
  CHECK(staying->removals >= 2);
  CHECK(one.relay.Stop(10s));
  CHECK(one.Lines("unavailable: ") == 0);
}

TEST_CASE("an event with headers that cannot be sent fails and is not given to the sender") {
  Embedded one(R"({"poll_interval": "10ms", "max_attempts": 1})");
  one.rows->Add("k", "bad", "[]");
  one.rows->Add("k2", "good", R"({"a": "b"})");
  one.relay.Start();
  REQUIRE(one.rows->WaitUntilEmpty());
  CHECK(one.relay.Stop(10s));
  CHECK(one.rows->failed == std::vector<std::string>{"bad_headers"});
  CHECK(one.sender->records() == Records{{"k2", "good"}});
}

TEST_CASE("an impossible setup is refused by the constructor or by Start") {
  const auto make = [](const char* config, embed::Storage storage, embed::Publisher publisher) {
    return Refusal([&] { embed::Relay(config, std::move(storage), std::move(publisher), nullptr); });
  };
  const auto rows = std::make_shared<Rows>();
  const auto own = [&] { return embed::Storage::FromAdapter<RowsAdapter>(rows, "rows", OUTBOX_CAN_ORDER_KEYS); };
  const auto sender = [] { return embed::Publisher::FromSender(std::make_shared<TestSender>()); };
  CHECK(make("{}", embed::Storage::Plugin("postgres", R"({"capture": "trigger"})"), sender()).find("\"capture\"") !=
        std::string::npos);
  CHECK(make("no json", own(), sender()).find("JSON") != std::string::npos);
  CHECK(make(R"({"batch_sise": 3})", own(), sender()).find("batch_size") != std::string::npos);
  CHECK(make("{}", embed::Storage::Plugin("not-there"), sender()).find("not-there") != std::string::npos);
  CHECK(make("{}", own(), embed::Publisher::Kafka({})).find("neither") != std::string::npos);
  CHECK(make("{}", own(), embed::Publisher::Kafka({{"bootstrap.serverz", "x"}})).find("bootstrap.serverz") !=
        std::string::npos);

  embed::Relay unordered("{}", embed::Storage::FromAdapter<RowsAdapter>(rows, "rows", OUTBOX_CAN_ORDER_KEYS), sender(),
                         nullptr);
  CHECK(unordered.Stop(1s));  // The relay was never started, so Stop has nothing to do.
  Embedded one;
  one.relay.Start();
  CHECK_THROWS_AS(one.relay.Start(), std::logic_error);
}

}  // namespace
}  // namespace outbox
