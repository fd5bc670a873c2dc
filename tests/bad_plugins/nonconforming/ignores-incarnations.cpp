#include "good.hpp"

namespace {

struct Sinner : Good {
  using Good::Good;
  static std::string_view Name(std::string_view relay_id) { return relay_id.substr(0, relay_id.rfind('#')); }
  Lease Heartbeat(std::string_view relay_id, Millis duration) override {
    return Good::Heartbeat(Name(relay_id), duration);
  }
  void ReleaseShards(std::string_view relay_id, std::span<const outbox_owned_shard> shards, bool deregister) override {
    Good::ReleaseShards(Name(relay_id), shards, deregister);
  }
};

}  // namespace

REGISTER_SINNER(TableOf<Sinner>("ignores-incarnations"))
