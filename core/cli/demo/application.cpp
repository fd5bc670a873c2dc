#include "cli/demo/application.hpp"

#include <algorithm>
#include <array>

#include "util/format.hpp"

namespace outbox::cli {
namespace {

constexpr std::array kCustomers = {"Ada Lovelace", "Zoë Müller", "José García", "Анна Петрова", "李小龙", "Søren Holm"};
constexpr std::size_t kOpenOrders = 50;
constexpr std::uint64_t kRolledBackPercent = 15;
// If the demo is to commit more events than this, each transaction contains several steps of orders, so that the demo
// does not spend its time waiting for the disk.
constexpr std::uint64_t kEventsWithSmallTransactions = 2000;

const Call kCall{0, 0, Millis(30'000)};

outbox_event ToRaw(const DemoEvent& event) {
  outbox_event raw{};
  raw.event_id = Raw(event.id);
  raw.aggregate_id = Raw(event.key);
  raw.event_type = Raw(event.type);
  raw.topic = Raw(event.topic);
  raw.payload = Raw(event.payload);
  raw.headers = Raw(event.headers);
  return raw;
}

}  // namespace

Status DemoApplication::Run() {
  while (committed_.load() < wanted_ && pause_()) {
    if (Status done = Transact(); !done.ok()) return done;
  }
  return {};
}

Status DemoApplication::Transact() {
  const std::vector<Order> before = open_;
  const std::uint64_t placed_before = placed_;
  std::vector<DemoEvent> events;
  const std::uint64_t steps = std::max<std::uint64_t>(1, wanted_ / kEventsWithSmallTransactions);
  for (std::uint64_t step = 0; step < steps && committed_.load() + events.size() < wanted_; ++step) {
    while (open_.size() < kOpenOrders) open_.push_back({++placed_, static_cast<std::uint32_t>(500 + Random(20'000))});
    WriteStep(open_[Random(open_.size())], events);
    std::erase_if(open_, [](const Order& order) { return order.step == 3; });
  }

  events.resize(std::min<std::uint64_t>(events.size(), wanted_ - committed_.load()));
  std::vector<outbox_event> rows;
  rows.reserve(events.size());
  for (const DemoEvent& event : events) rows.push_back(ToRaw(event));
  const bool commit = Random(100) >= kRolledBackPercent;
  Status status = session_->BeginEmit(kCall);
  if (status.ok()) status = session_->Insert(rows, kCall);
  if (status.ok()) status = session_->EndEmit(commit, kCall);
  if (!status.ok()) return status;

  if (!commit) {
    open_ = before;
    placed_ = placed_before;
  }
  (commit ? committed_ : rolled_back_) += events.size();
  for (DemoEvent& event : events) {
    event.committed = commit;
    journal_.push_back(std::move(event));
  }
  return {};
}

void DemoApplication::WriteStep(Order& order, std::vector<DemoEvent>& events) {
  switch (order.step++) {
    case 0:
      events.push_back(MakeEvent(order, kOrdersTopic, "OrderPlaced"));
      break;
    case 1:
      events.push_back(MakeEvent(order, kOrdersTopic, "OrderPaid"));
      events.push_back(MakeEvent(order, kPaymentsTopic, "PaymentCaptured"));
      break;
    default:
      events.push_back(MakeEvent(order, kOrdersTopic, "OrderShipped"));
  }
}

DemoEvent DemoApplication::MakeEvent(const Order& order, std::string_view topic, std::string_view type) {
  DemoEvent event;
  const std::uint64_t a = random_();
  const std::uint64_t b = random_();
  event.id = fmt::format("{:08x}-{:04x}-4{:03x}-{:04x}-{:012x}", a >> 32, a >> 16 & 0xffff, a & 0xfff,
                         0x8000 | (b >> 48 & 0x3fff), b & 0xffffffffffff);
  event.key = fmt::format("order-{}", order.number);
  event.topic = topic;
  event.type = type;
  event.payload = fmt::format(R"({{"order":{},"total":{}.{:02},"customer":"{}"}})", order.number, order.cents / 100,
                              order.cents % 100, kCustomers[order.number % kCustomers.size()]);
  event.trace_parent = fmt::format("00-{:016x}{:016x}-{:016x}-01", a, b, random_());
  event.headers = fmt::format(R"({{"traceparent":"{}"}})", event.trace_parent);
  return event;
}

}  // namespace outbox::cli
