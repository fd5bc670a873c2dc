// The writes of one kind: the elements that wait, the elements that the call under way writes, and the time at which
// the next call may be made. A call that failed is repeated with the same elements.
// Owned by Engine or one of its parts. Thread: engine
//
// INVARIANT: an element either waits or is being written.
// INVARIANT: a call is under way only while an element is being written.
#pragma once

#include <algorithm>
#include <cassert>
#include <cstdint>
#include <deque>
#include <vector>

#include "engine/backoff.hpp"
#include "engine/settings.hpp"

namespace outbox::engine {

// Paces the calls of one kind. At most one call of the kind is under way at a time.
class WriteSlot {
 public:
  [[nodiscard]] bool Ready(Time now) const { return !busy_ && now >= not_before_; }
  [[nodiscard]] bool busy() const { return busy_; }
  [[nodiscard]] Time not_before() const { return not_before_; }

  void Begin() { busy_ = true; }
  void End() {
    assert(busy_);
    busy_ = false;
  }
  void Fails(Time now, Backoff& backoff, const Settings& settings) {
    not_before_ = now + backoff.After(++failures_, settings.min_backoff, settings.max_backoff);
  }
  void Succeeds() { failures_ = 0; }
  // Delays the next call although no call failed.
  void RestUntil(Time when) { not_before_ = when; }

 private:
  bool busy_ = false;
  Time not_before_ = 0;
  std::uint32_t failures_ = 0;
};

template <class T>
struct WriteQueue {
  WriteSlot slot;
  std::deque<T> waiting;
  std::vector<T> writing;

  [[nodiscard]] bool empty() const { return waiting.empty() && writing.empty(); }
  [[nodiscard]] std::size_t size() const { return waiting.size() + writing.size(); }
  // Moves at most `most` elements from `waiting` to `writing`, all with the token of the first, because a fenced write
  // carries one token. REQUIRES: `writing` is empty.
  template <class TokenOf>
  void TakeUnderOneToken(std::size_t most, TokenOf token_of) {
    std::size_t n = 0;
    most = std::min(most, waiting.size());
    while (n < most && token_of(waiting[n]) == token_of(waiting[0])) ++n;
    Take(n);
  }
  void Take(std::size_t n) {
    const auto end = waiting.begin() + static_cast<std::ptrdiff_t>(n);
    writing.assign(waiting.begin(), end);
    waiting.erase(waiting.begin(), end);
  }
  // Returns the time at which the next call may be made; kForever if nothing is to be written or a call is under way.
  [[nodiscard]] Time NextCall() const { return empty() || slot.busy() ? kForever : slot.not_before(); }
};

}  // namespace outbox::engine
