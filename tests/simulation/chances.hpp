// What may happen in a run and need not: each kind draws from a stream of its own, and what happened has a name. So a
// failing run can be repeated without some of it, and what is left is short enough to read.
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <set>
#include <vector>

namespace outbox::simulation {

class Random {  // xorshift64*
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
  kRow,  // of a transaction
  kRollBack,
  kLongOpen,  // a transaction stays open for long
  kPoison,
  kKiller,  // an event that ends the relay which sends it
  kStorageError,
  kDatabaseOutage,
  kDatabaseClock,  // jumps
  kPause,          // of a relay, or kNap for one that must not be noticed
  kNap,
  kCrash,
  kStop,  // cleanly, and start again
  kJoin,  // one relay more, until it leaves cleanly
  kWallClock,
  kAckLost,
  kImplied,    // a success that the client has only concluded
  kStall,      // a request without an answer
  kStateless,  // refused retriably while the broker holds no state of the producer
  kFatal,
  kBrokerOutage,
  kRequeue,
  kUnblock,
  kFix,
  kRefusedConfirm,  // an event whose row the database refuses to remove
  kIgnoredConfirm,  // or does not remove, and says nothing
  kLetGo,           // from now on it does
  kNoRunner,        // a runner cannot be made
  kReshard,         // the number of shards changes
  kVanish,          // the database forgets who owns the shards
  kMorePartitions,  // the topics have more partitions
  kLateReport,      // the client reports after a reset what it should have reported before
  kTopicUnknown,    // nothing is known of a topic any more, for a while
  kCount,
};

struct Happening {
  Chance kind;
  std::uint32_t number;  // of the draws of its kind
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
  // From now on nothing goes wrong. The writers finish.
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
