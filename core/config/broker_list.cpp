#include "config/broker_list.hpp"

#include <arpa/inet.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <nlohmann/json.hpp>

namespace outbox::config {
namespace {

constexpr std::array<std::string_view, 4> kProtocols = {"plaintext", "ssl", "sasl_plaintext", "sasl_ssl"};
constexpr std::string_view kExpected =
    "expected host:port, or several separated by commas, such as \"kafka1:9092,kafka2:9092\" or \"[::1]:9092\", with a "
    "port from 1 to 65535";

bool IsV6(std::string_view text) {
  in6_addr address{};
  return inet_pton(AF_INET6, std::string(text.substr(0, text.find('%'))).c_str(), &address) == 1;
}

bool IsHost(std::string_view host) {
  if (host.size() > 2 && host.front() == '[' && host.back() == ']') return IsV6(host.substr(1, host.size() - 2));
  const auto may_be_in_a_name = [](unsigned char c) {
    return std::isalnum(c) != 0 || c == '.' || c == '-' || c == '_';
  };
  return !host.empty() && std::all_of(host.begin(), host.end(), may_be_in_a_name);
}

bool IsPort(std::string_view text) {
  std::uint16_t port = 0;
  const char* const end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data(), end, port);
  return error == std::errc() && rest == end && port != 0;
}

bool IsAddress(std::string_view text) {
  if (IsV6(text)) return true;
  const auto colon = text.rfind(':');
  const auto bracket = text.rfind(']');
  if (colon == std::string_view::npos || (bracket != std::string_view::npos && colon < bracket)) return IsHost(text);
  return IsHost(text.substr(0, colon)) && IsPort(text.substr(colon + 1));
}

// Removes the protocol from the front of `broker` and returns the protocol in lower case. Returns an empty string if
// `broker` has no protocol.
std::string TakeProtocol(std::string_view& broker) {
  const auto end = broker.find("://");
  if (end == std::string_view::npos) return {};
  std::string protocol(broker.substr(0, end));
  std::transform(protocol.begin(), protocol.end(), protocol.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  broker.remove_prefix(end + 3);
  return protocol;
}

std::string Problem(std::string_view broker, std::string_view protocol) {
  const bool prefixed = broker.find("://") != std::string_view::npos;
  const std::string own = TakeProtocol(broker);
  if (prefixed && std::find(kProtocols.begin(), kProtocols.end(), own) == kProtocols.end())
    return "begins with a protocol that is unknown to Kafka; " + std::string(kExpected);
  if (prefixed && !protocol.empty() && own != protocol)
    return "begins with a protocol that differs from security.protocol, which is \"" + std::string(protocol) +
           "\"; remove the protocol here, or set security.protocol to it";
  if (prefixed) broker = broker.substr(0, broker.find('/'));  // The library ignores a path.
  return IsAddress(broker) ? std::string() : "is not valid; " + std::string(kExpected);
}

std::string Quoted(std::string_view text) {
  return nlohmann::json(text).dump(-1, ' ', /*ensure_ascii=*/true, nlohmann::json::error_handler_t::replace);
}

}  // namespace

std::string BrokerListProblem(std::string_view list, std::string_view protocol, bool show_value) {
  bool any = false;
  for (std::size_t at = 0; at <= list.size();) {
    const std::size_t comma = std::min(list.find(',', at), list.size());
    std::string_view broker = list.substr(at, comma - at);
    at = comma + 1;
    broker.remove_prefix(std::min(broker.find_first_not_of(' '), broker.size()));
    if (broker.empty()) continue;  // The library skips an empty entry.
    any = true;
    if (const std::string problem = Problem(broker, protocol); !problem.empty())
      return (show_value ? Quoted(broker) : "a part of the value") + " " + problem;
  }
  return any ? std::string() : "names no broker; " + std::string(kExpected);
}

}  // namespace outbox::config
