// Tests of hints, which are datagrams from an application to a relay.
#include <sys/socket.h>

#include <atomic>
#include <thread>

#include "outbox/emit/hint.hpp"
#include "runtime/clock.hpp"
#include "runtime/hint_listener.hpp"
#include "tests/catch.hpp"
#include "util/shortage.hpp"

namespace outbox::runtime {
namespace {

using emit::Hint;

class Ear {
 public:
  explicit Ear(const std::string& address = "127.0.0.1:0") {
    auto started = HintListener::Start(address, [this] {
      ++heard_;
      heard_.notify_all();
    });
    INFO(started.status().text());
    REQUIRE(started.ok());
    listener_ = std::move(*started);
  }
  [[nodiscard]] const std::string& address() const { return listener_->address(); }
  [[nodiscard]] int heard() const { return heard_; }
  void WaitForMoreThan(int before) const { heard_.wait(before); }

 private:
  std::atomic<int> heard_ = 0;
  std::unique_ptr<HintListener> listener_;
};

TEST_CASE("a hint reaches each relay, including one that started later") {
  const std::string address = GENERATE("127.0.0.1:0", "[::1]:0");
  std::string gone;
  {
    const Ear first(address), second(address);
    const Hint hint({first.address(), second.address()});
    for (int i = 0; i < 3; ++i) {
      const int before[] = {first.heard(), second.heard()};
      hint.Send();
      first.WaitForMoreThan(before[0]);
      second.WaitForMoreThan(before[1]);
    }
    gone = first.address();
  }
  const Hint hint({gone.c_str(), "127.0.0.1:9"});  // Addresses may be string literals, as documented.
  hint.Send();
  hint.Send();
  const Ear again(gone);
  hint.Send();
  again.WaitForMoreThan(0);
}

TEST_CASE("many hints are reported a few times, and the last one is not lost") {
  const Ear ear;
  const Hint hint({ear.address()});
  const engine::Time begun = Now();
  for (int i = 0; i < 20'000; ++i) hint.Send();
  CHECK(ear.heard() <= (Now() - begun) / engine::kMillisecond + 2);
  for (int before = -1; before != ear.heard();) {  // Waits until no more hints arrive.
    before = ear.heard();
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
  }
  const int before = ear.heard();
  hint.Send();
  ear.WaitForMoreThan(before);
}

TEST_CASE("an address that is in use or belongs to another machine is named", "[b117]") {
  const Ear ear;
  for (const std::string& address : {ear.address(), std::string("192.0.2.1:9310")}) {
    const auto refused = HintListener::Start(address, [] {});
    REQUIRE_FALSE(refused.ok());
    CHECK(refused.status().code() == kShortage);  // The address may be available later.
    CHECK(refused.status().text().find("/relay/hints: cannot listen on " + address + ": ") != std::string::npos);
  }
}

TEST_CASE("an invalid address of a relay is refused") {
  for (const char* address :
       {"", "9310", ":9310", "127.0.0.1:", "127.0.0.1:http", "127.0.0.1:99999999", "http://127.0.0.1:9310"}) {
    INFO(address);
    CHECK_THROWS_AS(Hint({address}), std::invalid_argument);
  }
}

}  // namespace
}  // namespace outbox::runtime
