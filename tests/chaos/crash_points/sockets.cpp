// Interposes the socket calls of librdkafka's own threads. librdkafka writes one request at a time, so a call that
// starts a frame starts with the header of the frame: size, ApiKey, version, correlation id.
#include <arpa/inet.h>
#include <dlfcn.h>
#include <sys/socket.h>

#include <array>
#include <cstdint>
#include <cstring>
#include <map>
#include <mutex>
#include <numeric>
#include <set>
#include <vector>

#include "points.hpp"

using namespace outbox::crash_points;  // NOLINT(google-build-using-namespace)

namespace {

constexpr std::uint16_t kProduce = 0;
constexpr std::size_t kRequestHeader = 12, kAnswerHeader = 8;

struct Connection {
  std::size_t left = 0;  // The number of bytes of the current request that are not written yet.
  // True if the current request is a produce request.
  bool produce = false;
  std::set<std::uint32_t> unanswered;  // Correlation ids of produce requests without an answer.
};

std::mutex mutex;
std::map<int, Connection> connections;

std::size_t SizeOf(const msghdr& message) {
  return std::accumulate(message.msg_iov, message.msg_iov + message.msg_iovlen, std::size_t{0},
                         [](std::size_t sum, const iovec& part) { return sum + part.iov_len; });
}

std::uint32_t Number(const char* bytes) {
  std::uint32_t number = 0;
  std::memcpy(&number, bytes, sizeof number);
  return ntohl(number);
}

// Copies the first bytes of the message, which may be in several buffers. Returns false if the message has fewer bytes.
template <std::size_t Size>
bool Peek(const msghdr& message, std::array<char, Size>& bytes) {
  std::size_t have = 0;
  for (std::size_t i = 0; i < message.msg_iovlen && have < Size; ++i) {
    const std::size_t size = std::min(Size - have, message.msg_iov[i].iov_len);
    std::memcpy(bytes.data() + have, message.msg_iov[i].iov_base, size);
    have += size;
  }
  return have == Size;
}

// Returns true if the message starts a produce request. If it starts a request of any kind, records that request in
// `connection`.
bool Begins(Connection& connection, const msghdr& message) {
  std::array<char, kRequestHeader> header{};
  if (connection.left > 0 || !Peek(message, header)) return false;
  connection.left = sizeof(std::uint32_t) + Number(header.data());
  connection.produce = Number(header.data() + 4) >> 16U == kProduce;
  if (connection.produce) connection.unanswered.insert(Number(header.data() + 8));
  return connection.produce;
}

template <class Send>
void SendHalf(const Send& send, int socket, const msghdr& message, int flags) {
  std::vector<iovec> parts(message.msg_iov, message.msg_iov + message.msg_iovlen);
  std::size_t left = SizeOf(message) / 2;
  for (iovec& part : parts) left -= part.iov_len = std::min(part.iov_len, left);
  msghdr half = message;
  half.msg_iov = parts.data();
  (void)send(socket, &half, flags);
}

bool AnswerArrived(int socket) {
  std::array<char, kAnswerHeader> header{};
  const std::lock_guard lock(mutex);
  const auto connection = connections.find(socket);
  if (connection == connections.end() || connection->second.unanswered.empty()) return false;
  const auto arrived = recv(socket, header.data(), header.size(), MSG_PEEK | MSG_DONTWAIT);
  return arrived == static_cast<ssize_t>(header.size()) &&
         connection->second.unanswered.erase(Number(header.data() + 4)) > 0;
}

}  // namespace

extern "C" {

ssize_t sendmsg(int socket, const msghdr* message, int flags) {
  static const auto real = reinterpret_cast<decltype(&sendmsg)>(dlsym(RTLD_NEXT, "sendmsg"));
  bool produce = false;
  {
    const std::lock_guard lock(mutex);
    produce = Begins(connections[socket], *message);
  }
  if (produce) {
    Pass("produce-request.before");
    Pass("produce-request.half", [&] { SendHalf(real, socket, *message, flags); });
  }
  const ssize_t sent = real(socket, message, flags);
  bool whole = false;
  {
    const std::lock_guard lock(mutex);
    Connection& connection = connections[socket];
    connection.left -= std::min(connection.left, static_cast<std::size_t>(std::max<ssize_t>(0, sent)));
    whole = sent > 0 && connection.produce && connection.left == 0;
  }
  if (whole) Pass("produce-request.sent");
  return sent;
}

ssize_t recvmsg(int socket, msghdr* message, int flags) {
  static const auto real = reinterpret_cast<decltype(&recvmsg)>(dlsym(RTLD_NEXT, "recvmsg"));
  if (AnswerArrived(socket)) Pass("produce-answer.arrived");
  return real(socket, message, flags);
}

// Forgets the state of an earlier connection with the same descriptor, which may have been closed in the middle of a
// request.
int connect(int socket, const sockaddr* address, socklen_t size) {
  static const auto real = reinterpret_cast<decltype(&connect)>(dlsym(RTLD_NEXT, "connect"));
  {
    const std::lock_guard lock(mutex);
    connections.erase(socket);
  }
  return real(socket, address, size);
}
}
