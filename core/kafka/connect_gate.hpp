// Limits how often Kafka clients connect to a broker.
//
// librdkafka's own backoff has no effect when its caller, or its idempotent producer, requests a broker again and
// again: it connected seven times a second to a broker that ended each TLS handshake.
#pragma once

#include <chrono>
#include <map>
#include <mutex>
#include <string>
#include <string_view>

#include "kafka/rdkafka.hpp"
#include "kafka/settings.hpp"
#include "kafka/try_gap.hpp"

namespace outbox::kafka {

// Shared by successive clients, so that the gaps between attempts continue to grow. Thread: any
class ConnectGate {
 public:
  using Clock = TryGap::Clock;

  // The gap between attempts grows from reconnect.backoff.ms to reconnect.backoff.max.ms.
  explicit ConnectGate(const Settings& settings);

  // Returns true if a connection to this address, "host:port", may be attempted now. That counts as an attempt.
  [[nodiscard]] bool Admits(const std::string& address, Clock::time_point now);
  // The login at this address has failed (the broker's certificate or the client's credentials were refused): the gap
  // there grows up to a minute.
  void Refused(const std::string& address, Clock::time_point now);
  // Logins succeed at all addresses: earlier refusals no longer count.
  void LoginsWork();
  // There is a new client: it may connect to each address at once.
  void Open();

  // The function for librdkafka's connect_cb. Returns 0 if the connection is under way, otherwise an errno.
  [[nodiscard]] int Connect(int socket, const sockaddr* where, int size, const char* address);
  // True if librdkafka's error text is about an attempt that Connect did not admit.
  [[nodiscard]] static bool Prevented(std::string_view text);

 private:
  // The state of one address.
  struct Door {
    TryGap attempts, logins;
    Clock::time_point attempted, refused;  // when that happened last
    // No attempt is admitted before this time: it takes a moment until it is known that an attempt that follows a
    // refusal is refused as well.
    Clock::time_point not_before;
    // One more attempt may be made at once: librdkafka may know an address both from bootstrap.servers and from its
    // broker.
    bool spare = true;
  };
  // REQUIRES: the caller holds mutex_.
  Door& DoorOf(const std::string& address);

  const std::chrono::milliseconds first_gap_, longest_gap_;
  std::mutex mutex_;
  std::map<std::string, Door> doors_;
};

}  // namespace outbox::kafka
