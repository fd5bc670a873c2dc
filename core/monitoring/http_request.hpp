// Parses the parts of an HTTP request's head that the relay needs: method and path.
#pragma once

#include <string>
#include <string_view>

namespace outbox::monitoring {

inline constexpr std::size_t kMaxHead = 4096;  // bytes

struct HttpRequest {
  int status = 0;  // 0 = incomplete; 200 = well formed; any other value is the status with which the request is refused
  std::string method, path;  // set if the request is well formed; the path does not include the query
};

// Parses the bytes that have arrived so far. The head ends with an empty line; bytes after it are ignored.
[[nodiscard]] HttpRequest ParseHttpHead(std::string_view bytes);

}  // namespace outbox::monitoring
