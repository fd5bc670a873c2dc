// A peer's state as told to the operator: once when it changes, not once a try. The peer is used in several ways, and what
// stops one need not stop the others: it is back when all of them work again.
#pragma once

#include <spdlog/fwd.h>

#include <chrono>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>

namespace outbox::runtime {

struct PeerState {
  struct Trouble {
    std::chrono::steady_clock::duration lasts;
    std::string why;  // the newest reason
  };
  bool met = false;  // it has worked at least once
  std::optional<Trouble> trouble;
};

class PeerHealth {  // any thread
 public:
  PeerHealth(std::string name, std::shared_ptr<spdlog::logger> logger)
      : name_(std::move(name)), logger_(std::move(logger)) {}

  // For those whose failures hold up no event: they are no outage. An outage is told by those who work.
  static std::shared_ptr<PeerHealth> Nobodys();

  struct Use {
    const void* who = nullptr;
    int what = 0;
    auto operator<=>(const Use&) const = default;  // NOLINT(modernize-use-nullptr): it takes the 0 of <=> for a pointer
  };

  void Bad(Use use, const std::string& why);
  void Good(Use use);
  // Who used the peer does so no more, or not for now, and says no more whether it works.
  void Forget(const void* who);
  void Forget(Use use);
  [[nodiscard]] PeerState State() const;

 private:
  using Clock = std::chrono::steady_clock;

  const std::string name_;
  const std::shared_ptr<spdlog::logger> logger_;
  mutable std::mutex mutex_;
  bool met_ = false;
  bool down_ = false;                         // as last told
  std::map<Use, Clock::time_point> stopped_;  // last tried
  std::set<std::string> told_;                // reasons, since it was good
  Clock::time_point told_at_, since_;
  std::string why_;
};

}  // namespace outbox::runtime
