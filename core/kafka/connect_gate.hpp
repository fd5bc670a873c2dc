// Limits how often Kafka clients attempt to connect to a broker.
//
// librdkafka's own backoff has no effect if the application or the idempotent producer requests a connection again and
// again: the library connected seven times a second to a broker that ended each TLS handshake.
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

// Decides when a client may attempt to connect or to log in. Successive clients share one gate, so that the gaps
// between attempts continue to grow from client to client. Thread: any
class ConnectGate {
 public:
  using Clock = TryGap::Clock;

  // Makes a gate whose gap between attempts grows from reconnect.backoff.ms to reconnect.backoff.max.ms.
  explicit ConnectGate(const Settings& settings);

  // True if a connection to this address, "host:port", may be attempted now. A call that returns true counts as an
  // attempt.
  [[nodiscard]] bool Admits(const std::string& address, Clock::time_point now);
  // Notes that the login at this address has failed (the broker's certificate or the client's credentials were
  // refused). The gap between logins at the address grows with each failure, up to a minute.
  void Refused(const std::string& address, Clock::time_point now);
  // Notes that logins succeed at all addresses, so that earlier refusals no longer count.
  void LoginsWork();
  // Notes that there is a new client, which may connect to each address at once.
  void Open();

  // Attempts to connect the socket, as librdkafka's connect_cb. Returns 0 if the connection is being established,
  // ECANCELED if Admits() returns false for `address`, and otherwise the errno of connect().
  [[nodiscard]] int Connect(int socket, const sockaddr* where, int size, const char* address);
  // True if librdkafka's error text is about an attempt that Connect did not admit.
  [[nodiscard]] static bool Prevented(std::string_view text);

 private:
  // The state of one address.
  struct Door {
    TryGap attempts, logins;
    Clock::time_point attempted, refused;  // when an attempt was last admitted, and when a login was last refused
    // No attempt is admitted before this time. It is set after each attempt that follows a refusal, because it takes a
    // moment until the outcome of that attempt is known.
    Clock::time_point not_before;
    // True if one more attempt may be made at once: librdkafka may know an address twice, from bootstrap.servers and
    // from the broker's metadata.
    bool spare = true;
  };
  // Returns the state of the address. REQUIRES: the caller holds mutex_.
  Door& DoorOf(const std::string& address);

  const std::chrono::milliseconds first_gap_, longest_gap_;
  std::mutex mutex_;
  std::map<std::string, Door> doors_;
};

}  // namespace outbox::kafka
