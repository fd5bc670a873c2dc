// The application of the demo: a shop whose orders are placed, paid and shipped. Each step is one transaction that
// changes the order and writes its events; some transactions fail at the last moment and are rolled back.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "storage/store.hpp"

namespace outbox::cli {

inline constexpr std::string_view kOrdersTopic = "orders";
inline constexpr std::string_view kPaymentsTopic = "payments";

// An event that the application has written.
struct DemoEvent {
  std::string id;
  std::string key;
  std::string_view topic, type;
  std::string payload, headers;
  std::string trace_parent;  // The value of traceparent, the only header.
  bool committed = false;
};

// Writes the demo's events with a session of its own. The demo owns this object. Thread: the one that calls Run.
class DemoApplication {
 public:
  // `pause` is called between transactions and may wait. If it returns false, the application stops writing.
  DemoApplication(std::unique_ptr<storage::Session> session, std::uint64_t events, std::function<bool()> pause)
      : session_(std::move(session)), wanted_(events), pause_(std::move(pause)) {}

  // Writes until the wanted number of events is committed, or `pause` returns false.
  [[nodiscard]] Status Run();

  // Return the number of events so far that were committed, or that were rolled back. Thread: any.
  [[nodiscard]] std::uint64_t committed() const { return committed_.load(); }
  [[nodiscard]] std::uint64_t rolled_back() const { return rolled_back_.load(); }
  // Returns all events in the order of writing. REQUIRES: Run has returned.
  [[nodiscard]] const std::vector<DemoEvent>& journal() const { return journal_; }

 private:
  struct Order {
    std::uint64_t number;
    std::uint32_t cents;
    int step = 0;
  };

  [[nodiscard]] Status Transact();
  void WriteStep(Order& order, std::vector<DemoEvent>& events);
  [[nodiscard]] DemoEvent MakeEvent(const Order& order, std::string_view topic, std::string_view type);
  [[nodiscard]] std::uint64_t Random(std::uint64_t below) { return random_() % below; }

  const std::unique_ptr<storage::Session> session_;
  const std::uint64_t wanted_;
  const std::function<bool()> pause_;
  std::mt19937_64 random_{std::random_device{}()};
  std::vector<Order> open_;
  std::uint64_t placed_ = 0;
  std::vector<DemoEvent> journal_;
  std::atomic<std::uint64_t> committed_{0}, rolled_back_{0};
};

}  // namespace outbox::cli
