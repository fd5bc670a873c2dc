// Parses the head of an HTTP request as far as the relay needs it: method and path.
#pragma once

#include <string>
#include <string_view>

namespace outbox::monitoring {

inline constexpr std::size_t kMaxHead = 4096;  // bytes

struct HttpRequest {
  int status = 0;            // 0 = incomplete, 200 = well formed, else the status of the refusal
  std::string method, path;  // if well formed; the path is without its query
};

// `bytes` is what has arrived so far. The head ends with an empty line; what follows it is ignored.
[[nodiscard]] HttpRequest ParseHttpHead(std::string_view bytes);

}  // namespace outbox::monitoring
