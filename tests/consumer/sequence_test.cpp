// Tests which numbers of a key are reported as missing, late or repeated.
#include "sequence.hpp"

#include <deque>
#include <limits>
#include <map>
#include <random>

#include "tests/catch.hpp"

using outbox::consumer::Sequence;

namespace {

std::string Seen(Sequence& sequence, const std::string& key, std::int64_t number) {
  const Sequence::Finding finding = sequence.See(key, number);
  return (finding.missing > 0 ? "missing " + std::to_string(finding.missing) : "") + (finding.late ? "late" : "") +
         (finding.repeated ? "repeated" : "");
}

}  // namespace

TEST_CASE("consecutive numbers are not reported, whatever the first one is") {
  Sequence sequence;
  CHECK(Seen(sequence, "a", 17) == "");
  CHECK(Seen(sequence, "a", 18) == "");
  CHECK(Seen(sequence, "b", 1) == "");
  CHECK(Seen(sequence, "a", 19) == "");
}

TEST_CASE("a skipped number is late when it arrives, and repeated the second time") {
  Sequence sequence;
  CHECK(Seen(sequence, "a", 1) == "");
  CHECK(Seen(sequence, "a", 4) == "missing 2");
  CHECK(Seen(sequence, "a", 3) == "late");
  CHECK(Seen(sequence, "a", 3) == "repeated");
  CHECK(Seen(sequence, "a", 5) == "");
  CHECK(Seen(sequence, "a", 2) == "late");
}

TEST_CASE("a range that arrives again is repeated and does no harm") {
  Sequence sequence;
  for (const int number : {1, 2, 3}) CHECK(Seen(sequence, "a", number) == "");
  for (const int number : {2, 3}) CHECK(Seen(sequence, "a", number) == "repeated");
  CHECK(Seen(sequence, "a", 4) == "");
}

TEST_CASE("a gap of any length is counted, and its last numbers are remembered") {
  Sequence sequence;
  constexpr std::int64_t kLast = std::numeric_limits<std::int64_t>::max();
  CHECK(Seen(sequence, "a", std::numeric_limits<std::int64_t>::min()) == "");
  CHECK(Seen(sequence, "a", kLast) == "missing 18446744073709551614");
  CHECK(Seen(sequence, "a", kLast - 16) == "late");
  CHECK(Seen(sequence, "a", kLast - 17) == "repeated");
}

TEST_CASE("in random streams, each number is judged by the earlier numbers of its key") {
  struct Stream {
    std::int64_t last = 0;
    std::deque<std::int64_t> passed_over;  // Numbers that were skipped and have not arrived since, ascending.
  };
  for (unsigned seed = 0; seed < 200; ++seed) {
    INFO("seed " << seed);
    std::mt19937 random(seed);
    Sequence sequence;
    std::map<std::string, Stream> streams;
    for (int step = 0; step < 300; ++step) {
      const std::string key(1, static_cast<char>('a' + random() % 3));
      const auto known = streams.find(key);
      const std::int64_t base = known != streams.end() ? known->second.last : static_cast<std::int64_t>(random() % 9);
      const std::int64_t number = base - 24 + static_cast<std::int64_t>(random() % (random() % 4 == 0 ? 50 : 26));
      std::string expected;
      Stream& stream = streams[key];
      if (known == streams.end()) {
        stream.last = number;
      } else if (number > stream.last) {
        const std::int64_t missing = number - stream.last - 1;
        if (missing > 0) expected = "missing " + std::to_string(missing);
        while (++stream.last < number) stream.passed_over.push_back(stream.last);
        while (stream.passed_over.size() > 16) stream.passed_over.pop_front();
      } else {
        expected = std::erase(stream.passed_over, number) > 0 ? "late" : "repeated";
      }
      REQUIRE(Seen(sequence, key, number) == expected);
    }
  }
}

TEST_CASE("the last fifty thousand keys are remembered, and never more than twice as many") {
  constexpr int kKeys = 50'000;
  Sequence sequence;
  const auto see = [&sequence](int key) { return Seen(sequence, std::to_string(key), 7); };
  for (int key = 0; key < kKeys; ++key) REQUIRE(see(key) == "");
  for (int key = 0; key < kKeys; ++key) REQUIRE(see(key) == "repeated");
  for (int key = kKeys; key <= 2 * kKeys; ++key) REQUIRE(see(key) == "");
  for (int key = kKeys + 1; key <= 2 * kKeys; ++key) REQUIRE(see(key) == "repeated");
  for (int key = 0; key < kKeys; ++key) REQUIRE(see(key) == "");
}

TEST_CASE("memory is bounded: keys that were not seen for longest are forgotten") {
  Sequence sequence;
  CHECK(Seen(sequence, "forgotten", 1) == "");
  CHECK(Seen(sequence, "seen again", 1) == "");
  for (std::size_t i = 0; i < 3 * Sequence::kKeys; ++i) {
    (void)sequence.See("key " + std::to_string(i), 1);
    if (i % 1000 == 0) CHECK(Seen(sequence, "seen again", 1) == "repeated");
  }
  CHECK(Seen(sequence, "seen again", 3) == "missing 1");
  CHECK(Seen(sequence, "forgotten", 9) == "");
}
