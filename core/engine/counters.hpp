// The numbers of events and actions that an engine has handled since it was created. No number ever decreases.
#pragma once

#include <cstdint>

namespace outbox::engine {

struct Counters {
  std::uint64_t reserved = 0, sent = 0, acknowledged = 0, confirmed = 0;
  std::uint64_t failed = 0, dead = 0, blocked = 0;  // `failed` includes `dead` and `blocked`
  std::uint64_t resets = 0, rescans = 0;
  std::uint64_t sent_again = 0;  // upper bound on the duplicates that this engine has caused
  std::uint64_t leases_lost = 0;
  // number of events that were recorded as delivered because their rows could not be removed permanently
  std::uint64_t undeletable = 0;

  Counters& operator+=(const Counters& other) {
    reserved += other.reserved;
    sent += other.sent;
    acknowledged += other.acknowledged;
    confirmed += other.confirmed;
    failed += other.failed;
    dead += other.dead;
    blocked += other.blocked;
    resets += other.resets;
    rescans += other.rescans;
    sent_again += other.sent_again;
    leases_lost += other.leases_lost;
    undeletable += other.undeletable;
    return *this;
  }
};

}  // namespace outbox::engine
