#include "cli/common/check_listeners.hpp"

#include <poll.h>
#include <sys/socket.h>

#include <array>

#include "util/listen.hpp"

namespace outbox::cli {
namespace {

constexpr int kAnswerMs = 2000;

// Returns true if the program that listens at `address` serves the metrics of a relay.
bool IsRelay(const std::string& address) {
  const auto link = util::Connect(address);
  if (!link.ok()) return false;
  constexpr std::string_view kRequest = "GET /metrics HTTP/1.0\r\n\r\n";
  const int socket = link->get();
  const auto wait = [socket](short events) {
    pollfd one{socket, events, 0};
    return poll(&one, 1, kAnswerMs) > 0;
  };
  if (!wait(POLLOUT) || send(socket, kRequest.data(), kRequest.size(), MSG_NOSIGNAL) < 0) return false;
  std::string answer;
  std::array<char, 4096> part;
  while (answer.size() < 64 * part.size() && wait(POLLIN)) {
    const ssize_t count = recv(socket, part.data(), part.size(), 0);
    if (count <= 0) break;
    answer.append(part.data(), static_cast<std::size_t>(count));
  }
  return answer.find("outbox_relay_build_info") != std::string::npos;
}

ListenerFinding Try(const char* key, const std::string& address, int type) {
  ListenerFinding finding;
  const auto bound = util::Bind(key, address, type);
  finding.status = bound.status();
  finding.text = std::string(key) + ": " + address + " is available";
  finding.in_use = !bound.ok() && type == SOCK_STREAM && IsRelay(address);
  return finding;
}

}  // namespace

std::vector<ListenerFinding> CheckListeners(const config::Config& config) {
  std::vector<ListenerFinding> findings;
  if (!config.http.listen.empty()) findings.push_back(Try("/http/listen", config.http.listen, SOCK_STREAM));
  if (!config.relay.hints.empty()) {
    findings.push_back(Try("/relay/hints", config.relay.hints, SOCK_DGRAM));
    // A program that receives datagrams cannot be identified, because datagrams get no answer. If the address for hints
    // is in use and a relay answers at the HTTP address, that relay is assumed to use both addresses.
    if (findings.size() == 2) findings.back().in_use = findings.front().in_use && !findings.back().status.ok();
  }
  return findings;
}

}  // namespace outbox::cli
