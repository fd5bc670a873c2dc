// Limits how often Kafka clients connect to a broker.
//
// librdkafka's own back-off does not hold where its caller, or its idempotent producer, asks for a broker again and again:
// a broker that ended each TLS handshake was connected to seven times a second.
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

// Shared by the clients that follow one another, so that the gaps go on growing. Thread: any
class ConnectGate {
 public:
  using Clock = TryGap::Clock;

  // The gap between attempts grows from reconnect.backoff.ms to reconnect.backoff.max.ms.
  explicit ConnectGate(const Settings& settings);

  // True if a connection to this address, "host:port", may be attempted now. That counts as an attempt.
  [[nodiscard]] bool Admits(const std::string& address, Clock::time_point now);
  // The broker's certificate was refused there, or the client's credentials: the gap grows up to a minute.
  void Refused(const std::string& address, Clock::time_point now);
  // Logins work everywhere: what was refused before no longer counts.
  void LoginsWork();
  // A new client may connect at once to each address.
  void Open();

  // For librdkafka's connect_cb: an errno, or 0 when the connection is under way.
  [[nodiscard]] int Connect(int socket, const sockaddr* where, int size, const char* address);
  // True if librdkafka's error text is about an attempt that Connect did not admit.
  [[nodiscard]] static bool Prevented(std::string_view text);

 private:
  struct Door {
    TryGap attempts, logins;
    Clock::time_point attempted, refused;  // last
    // Of an attempt after a refusal it is not known for a moment that it is refused as well.
    Clock::time_point not_before;
    // One attempt beside the first: librdkafka may know an address both from bootstrap.servers and from its broker.
    bool spare = true;
  };
  // REQUIRES: the caller holds mutex_.
  Door& DoorOf(const std::string& address);

  const std::chrono::milliseconds first_gap_, longest_gap_;
  std::mutex mutex_;
  std::map<std::string, Door> doors_;
};

}  // namespace outbox::kafka
