#include "monitoring/http_request.hpp"

#include <algorithm>

namespace outbox::monitoring {
namespace {

bool IsToken(std::string_view word) {
  return !word.empty() && std::all_of(word.begin(), word.end(), [](unsigned char c) {
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
           std::string_view("!#$%&'*+-.^_`|~").find(static_cast<char>(c)) != std::string_view::npos;
  });
}

bool IsVisible(std::string_view word) {
  return std::all_of(word.begin(), word.end(), [](unsigned char c) { return c > 0x20 && c != 0x7f; });
}

// Returns the path of a request target such as "/path?query" or "http://host/path?query".
std::string_view PathOf(std::string_view target) {
  if (const std::size_t scheme = target.find("://"); scheme != std::string_view::npos && !target.starts_with('/')) {
    const std::size_t path = target.find('/', scheme + 3);
    target = path == std::string_view::npos ? "/" : target.substr(path);
  }
  return target.substr(0, target.find('?'));
}

}  // namespace

HttpRequest ParseHttpHead(std::string_view bytes) {
  // An empty line before the request line is allowed.
  while (bytes.starts_with('\r') || bytes.starts_with('\n')) bytes.remove_prefix(1);
  const std::size_t end = std::min(bytes.find("\r\n\r\n"), bytes.find("\n\n"));
  if (end > kMaxHead) return {bytes.size() > kMaxHead ? 431 : 0, {}, {}};
  if (bytes.substr(0, end).find('\0') != std::string_view::npos) return {400, {}, {}};

  std::string_view line = bytes.substr(0, bytes.find('\n'));
  if (line.ends_with('\r')) line.remove_suffix(1);
  const std::size_t first = line.find(' '),
                    second = line.find(' ', first == std::string_view::npos ? first : first + 1);
  if (second == std::string_view::npos) return {400, {}, {}};
  const std::string_view method = line.substr(0, first), target = line.substr(first + 1, second - first - 1);
  const std::string_view version = line.substr(second + 1);
  if (!IsToken(method) || target.empty() || !IsVisible(target) || !version.starts_with("HTTP/")) return {400, {}, {}};
  if (version != "HTTP/1.0" && version != "HTTP/1.1") return {505, {}, {}};
  return {200, std::string(method), std::string(PathOf(target))};
}

}  // namespace outbox::monitoring
