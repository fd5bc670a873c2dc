#include "kafka/reach.hpp"

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>

#include "kafka/errors.hpp"

namespace outbox::kafka {
namespace {

using Clock = std::chrono::steady_clock;

bool Has(const std::string& text, const char* part) { return text.find(part) != std::string::npos; }

// Parts of librdkafka's error texts about a connection that has not worked yet. librdkafka reports a wrong password by
// an error code of its own, not by these texts.
constexpr std::array kBeforeUse = {"in state CONNECT", "in state SSL_HANDSHAKE", "in state APIVERSION_QUERY",
                                   "in state AUTH_", "Connection setup timed out"};

// Cuts off the end of texts such as "Connect to ipv4#127.0.0.1:9 failed: Connection refused (after 0ms in state
// CONNECT, 1 identical error(s) suppressed)".
std::string WithoutTimes(std::string text) {
  text.erase(std::min(text.find(" (after "), text.size()));
  while (!text.empty() && (text.back() == ':' || text.back() == ' ')) text.pop_back();
  return text;
}

std::string ExplainLogin(rd_kafka_resp_err_t error, const std::string& said, const std::string& certificate) {
  if (error == RD_KAFKA_RESP_ERR__SSL && !certificate.empty()) return certificate;
  if (error == RD_KAFKA_RESP_ERR__SSL)
    return said + "; correct security.protocol and the ssl.* properties in /publisher/kafka";
  if (Has(said, "not valid in current SASL state"))
    return said +
           "; this listener does not use SASL: set bootstrap.servers to the port of one that does, or correct "
           "security.protocol, in /publisher/kafka";
  return said + "; correct sasl.username and sasl.password, or sasl.mechanism, in /publisher/kafka";
}

std::string ExplainAddress(rd_kafka_resp_err_t error, const std::string& said, bool configured) {
  if (error == RD_KAFKA_RESP_ERR__RESOLVE) return "the name does not resolve: " + said;
  if (Has(said, "refused"))
    return (configured ? "nothing listens there: " : "the address refuses connections: ") + said;
  // librdkafka's text adds the guess that the broker is very old. That guess would mislead the reader.
  if (Has(said, "ApiVersionRequest failed: Local: Timed out")) return "the address does not answer: no answer in time";
  if (Has(said, "onnect to ") || Has(said, "imed out")) return "the address does not answer: " + said;
  return "the address closes connections before they can be used: " + said;
}

std::string ToLower(std::string_view text) {
  std::string lower(text);
  std::transform(lower.begin(), lower.end(), lower.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return lower;
}

}  // namespace

bool NamesAddress(std::string_view servers, std::string_view address) {
  const std::string wanted = ToLower(address);
  for (std::size_t at = 0; at <= servers.size();) {
    const std::size_t comma = std::min(servers.find(',', at), servers.size());
    std::string_view server = servers.substr(at, comma - at);
    at = comma + 1;
    if (const auto scheme = server.find("://"); scheme != std::string_view::npos) server.remove_prefix(scheme + 3);
    server = server.substr(0, server.find('/'));  // the library ignores a path
    while (server.starts_with(' ')) server.remove_prefix(1);
    while (server.ends_with(' ')) server.remove_suffix(1);
    const std::string named = ToLower(server);
    // If the port is omitted, it is 9092.
    if (!named.empty() && (named == wanted || named + ":9092" == wanted)) return true;
  }
  return false;
}

ConnectionError ExplainConnection(rd_kafka_resp_err_t error, const std::string& text,
                                  const CertificateTroubles& certificates, std::string_view servers) {
  ConnectionError explained;
  std::string said = text;
  // The text begins as in "ssl://kafka:9093/1: ..." or "kafka:9093/bootstrap: ...".
  if (const auto end = text.find(": "); end != std::string::npos) {
    explained.name = text.substr(0, end);
    const auto slash = explained.name.rfind('/');
    const auto scheme = explained.name.find("://");
    const auto from = scheme == std::string::npos ? 0 : scheme + 3;
    if (slash != std::string::npos && slash > from) {
      const char* const digits = explained.name.data() + slash + 1;
      const char* const stop = explained.name.data() + explained.name.size();
      if (const auto parsed = std::from_chars(digits, stop, explained.broker);
          parsed.ec != std::errc() || parsed.ptr != stop)
        explained.broker = -1;
      explained.address = explained.name.substr(from, slash - from);
      said = text.substr(end + 2);
    } else {
      explained.name.clear();
    }
  }
  explained.configured = explained.broker < 0 || NamesAddress(servers, explained.address);
  const bool connecting =
      std::any_of(kBeforeUse.begin(), kBeforeUse.end(), [&](const char* state) { return Has(text, state); });
  said = WithoutTimes(std::move(said));
  if (error == RD_KAFKA_RESP_ERR__AUTHENTICATION || error == RD_KAFKA_RESP_ERR__SSL) {
    explained.kind = ConnectionError::Kind::kLogin;
    explained.why = ExplainLogin(error, said, certificates.Of(explained.address));
  } else if (error == RD_KAFKA_RESP_ERR__RESOLVE || connecting) {
    explained.kind = ConnectionError::Kind::kUnreachable;
    explained.why = ExplainAddress(error, said, explained.configured);
  } else {
    explained.why = said;
  }
  return explained;
}

std::string Describe(const ConnectionError& error) {
  const bool login = error.kind == ConnectionError::Kind::kLogin;
  if (error.broker < 0) return error.address + (error.address.empty() ? "" : ": ") + error.why;
  if (error.configured)
    return "broker " + std::to_string(error.broker) + " at " + error.address +
           ", which bootstrap.servers names, cannot be " + (login ? "used: " : "reached: ") + error.why +
           (login ? "" : "; check that it runs and that this machine can reach it");
  return "broker " + std::to_string(error.broker) + " advertises " + error.address +
         (login ? " and cannot be used there: " : ", and cannot be reached there: ") + error.why +
         (login ? ""
                : "; set advertised.listeners of that broker to an address that this machine can reach, or make this "
                  "one reachable");
}

std::set<std::int32_t> Reach(rd_kafka_t* handle, const std::vector<std::int32_t>& brokers,
                             std::chrono::milliseconds timeout) {
  const auto end = Clock::now() + timeout;
  const QueuePtr queue(rd_kafka_queue_new(handle));
  std::array<char, 256> text{};
  for (const std::int32_t broker : brokers) {
    const OptionsPtr options(rd_kafka_AdminOptions_new(handle, RD_KAFKA_ADMIN_OP_DESCRIBECONFIGS));
    if (rd_kafka_AdminOptions_set_request_timeout(options.get(), static_cast<int>(timeout.count()), text.data(),
                                                  text.size()) != RD_KAFKA_RESP_ERR_NO_ERROR)
      continue;
    rd_kafka_AdminOptions_set_opaque(options.get(), reinterpret_cast<void*>(static_cast<std::intptr_t>(broker)));
    // A query for the configuration of a broker is answered only by that broker. The content of the answer does not
    // matter.
    const ResourcePtr resource(rd_kafka_ConfigResource_new(RD_KAFKA_RESOURCE_BROKER, std::to_string(broker).c_str()));
    rd_kafka_ConfigResource_t* raw = resource.get();
    rd_kafka_DescribeConfigs(handle, &raw, 1, options.get(), queue.get());
  }
  std::set<std::int32_t> reached;
  for (std::size_t answers = 0; answers < brokers.size();) {
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(end - Clock::now()).count();
    if (left <= 0) break;
    const EventPtr event(rd_kafka_queue_poll(queue.get(), static_cast<int>(left)));
    if (event == nullptr) break;
    ++answers;
    const rd_kafka_resp_err_t error = rd_kafka_event_error(event.get());
    if (error >= 0 || error == RD_KAFKA_RESP_ERR__UNSUPPORTED_FEATURE)
      reached.insert(static_cast<std::int32_t>(reinterpret_cast<std::intptr_t>(rd_kafka_event_opaque(event.get()))));
  }
  return reached;
}

}  // namespace outbox::kafka
