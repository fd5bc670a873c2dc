// The random happenings of a run. Each kind draws from a random stream of its own, and each happening has a name: its
// kind and the number of the draw. A failing run can therefore be repeated without some of its happenings, until the
// remaining history is short enough to read.
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <set>
#include <vector>

namespace outbox::simulation {

class Random {  // The generator xorshift64*.
 public:
  explicit Random(std::uint64_t seed) : state_(seed * 0x9e3779b97f4a7c15u + 0x1234567u) {}
  std::uint64_t Below(std::uint64_t n) {
    state_ ^= state_ << 13;
    state_ ^= state_ >> 7;
    state_ ^= state_ << 17;
    return (state_ * 0x2545f4914f6cdd1du >> 16) % n;
  }
  std::int64_t Between(std::int64_t low, std::int64_t high) {
    return low + static_cast<std::int64_t>(Below(static_cast<std::uint64_t>(high - low + 1)));
  }

 private:
  std::uint64_t state_;
};

enum class Chance : std::uint8_t {
  kTransaction,
  kRow,  // A transaction contains another row.
  kRollBack,
  kLongOpen,  // A transaction stays open for a long time.
  kPoison,
  kKiller,  // An event crashes each relay that sends it.
  kStorageError,
  kDatabaseOutage,
  kDatabaseClock,  // The database's clock jumps.
  kPause,          // A relay is paused for so long that its lease may expire.
  kNap,            // A relay is paused for a time that is too short for its lease to expire.
  kCrash,
  kStop,  // A relay stops cleanly and is started again.
  kJoin,  // An additional relay starts, and stops cleanly some time later.
  kWallClock,
  kAckLost,
  kImplied,    // The client infers the success of a request only from a later answer.
  kStall,      // A request gets no answer.
  kStateless,  // The broker holds no state of the producer and refuses a request with a retriable error.
  kFatal,
  kBrokerOutage,
  kRequeue,
  kUnblock,
  kFix,
  kRefusedConfirm,  // The database refuses to remove the event's row.
  kIgnoredConfirm,  // The database does not remove the event's row, and reports no error.
  kLetGo,           // The database stops refusing or ignoring the removal of a row.
  kNoRunner,        // A runner cannot be made.
  kReshard,         // The number of shards changes.
  kVanish,          // The database loses the owners of all shards.
  kMorePartitions,  // The topics get more partitions.
  kLateReport,      // After a reset, the old producer's outstanding delivery reports still arrive.
  kTopicUnknown,    // A topic that was known becomes unknown for a while.
  kCount,
};

struct Happening {
  Chance kind;
  std::uint32_t number;  // The number of the draw among the draws of its kind, counted from 0.
  auto operator<=>(const Happening&) const = default;
};

class Chances {
 public:
  Chances(std::uint64_t seed, std::set<Happening> left_out) : left_out_(std::move(left_out)) {
    for (std::size_t kind = 0; kind < kKinds; ++kind) streams_[kind] = {Random(seed * kKinds + kind), 0};
  }

  bool Happens(Chance kind, double odds) {
    if (odds <= 0 || (calm_ && kind > Chance::kRow)) return false;
    Stream& stream = streams_[static_cast<std::size_t>(kind)];
    const std::uint32_t number = stream.draws++;
    if (static_cast<double>(stream.random.Below(1'000'000)) >= odds * 1e6) return false;
    const Happening it{kind, number};
    if (!left_out_.empty() && left_out_.contains(it)) return false;
    happened_.push_back(it);
    return true;
  }
  // Stops all happenings except transactions and their rows: faults end, and the writers finish.
  void Calm() { calm_ = true; }
  [[nodiscard]] bool calm() const { return calm_; }
  [[nodiscard]] const std::vector<Happening>& happened() const { return happened_; }

 private:
  static constexpr auto kKinds = static_cast<std::size_t>(Chance::kCount);
  struct Stream {
    Random random{0};
    std::uint32_t draws = 0;
  };
  std::array<Stream, kKinds> streams_;
  const std::set<Happening> left_out_;
  std::vector<Happening> happened_;
  bool calm_ = false;
};

}  // namespace outbox::simulation
