// Compares every answer about missing ids, after every step of random histories, with rules that are stated for each
// single id. The model in mysql_visibility_test.cpp shows that these rules lose no row.
#include <algorithm>
#include <map>
#include <optional>
#include <ostream>
#include <random>
#include <set>
#include <vector>

#include "mysql/visibility.hpp"
#include "tests/catch.hpp"

namespace outbox::mysql {

std::ostream& operator<<(std::ostream& out, const IdRange& range) { return out << range.first << "-" << range.last; }

namespace {

using Millis = std::chrono::milliseconds;
using Time = Visibility::Time;
using Ranges = std::vector<IdRange>;

class Rules {
 public:
  // Adds the ids that one call reports as missing. These ids form a separate range: no range contains ids of two calls.
  void Missing(long long first, long long last) {
    ++ranges_;
    for (long long id = first; id <= last; ++id) ids_[id] = {ranges_, {}, {}};
  }
  void Seen(long long id) { ids_.erase(id); }
  void Looked(const IdRange& range, long long first_seen, Time now) {
    if (const Ranges all = Of([](const Id&) { return true; }); std::ranges::find(all, range) == all.end()) return;
    const bool taken_long_ago = std::ranges::any_of(
        taken_, [&](const auto& taken) { return taken.first + Millis(1000) <= now && taken.second >= range.last; });
    ++ranges_;
    for (long long number = range.first; number <= range.last; ++number) {
      Id& id = ids_.at(number);
      id.looked = now;
      if (first_seen != 0 && number >= first_seen) {
        id.range = ranges_;
        id.empty_since.reset();
        continue;
      }
      if (!id.empty_since) id.empty_since = now;
      if (taken_long_ago || *id.empty_since + Millis(1000) <= now) ids_.erase(number);
    }
  }
  void Taken(long long id, Time now) { taken_.emplace_back(now, id); }

  [[nodiscard]] Ranges All() const {
    return Of([](const Id&) { return true; });
  }
  [[nodiscard]] Ranges ToLookAt(std::size_t most, Time now) const {
    Ranges due = Of([&](const Id& id) { return !id.looked || *id.looked + Millis(333) <= now; });
    due.resize(std::min(most, due.size()));
    return due;
  }
  [[nodiscard]] bool Has(long long id) const { return ids_.contains(id); }
  [[nodiscard]] bool WantsTaken(Time now) const { return taken_.empty() || taken_.back().first + Millis(100) <= now; }

 private:
  struct Id {
    int range = 0;
    std::optional<Time> looked, empty_since;
  };
  // Returns the ranges of the ids for which `wanted` is true. Neighbouring ids of one call form one range.
  template <class Wanted>
  [[nodiscard]] Ranges Of(const Wanted& wanted) const {
    Ranges all;
    int range = 0;
    for (const auto& [number, id] : ids_) {
      if (!wanted(id)) continue;
      if (all.empty() || all.back().last + 1 != number || range != id.range)
        all.push_back({number, number});
      else
        all.back().last = number;
      range = id.range;
    }
    return all;
  }

  std::map<long long, Id> ids_;
  int ranges_ = 0;
  std::vector<std::pair<Time, long long>> taken_;
};

class History {
 public:
  explicit History(unsigned seed) : random_(seed) {}

  void Step() {
    constexpr int kTimes[] = {0, 1, 99, 100, 101, 233, 332, 333, 334, 667, 999, 1000};
    now_ += Millis(kTimes[Pick(std::size(kTimes))]);
    switch (Pick(9)) {
      case 0:
      case 1: {
        const long long first = last_ + 1 + Pick(2), last = first + Pick(6);
        last_ = last + 1;
        real_.Missing(first, last);
        rules_.Missing(first, last);
        break;
      }
      case 2: {
        const long long id = Near();
        real_.Seen(id);
        rules_.Seen(id);
        break;
      }
      case 3: {  // The query is outdated, because rows were seen after the range was chosen.
        const long long first = Near();
        Look({first, first + Pick(4)});
        break;
      }
      case 4: {
        taken_ = std::max(taken_, Near());
        real_.Taken(taken_, now_);
        rules_.Taken(taken_, now_);
        break;
      }
      case 5:
        if (Pick(20) == 0) {
          real_.Clear();
          rules_ = Rules();
        }
        break;
      default:
        for (const IdRange& range : rules_.ToLookAt(1 + Pick(4), now_)) Look(range);
    }
  }

  void Check() {
    const Ranges all = rules_.All();
    REQUIRE(real_.Cover(1000) == all);
    REQUIRE(real_.size() == all.size());
    REQUIRE(real_.empty() == all.empty());
    REQUIRE(real_.WantsTaken(now_) == rules_.WantsTaken(now_));
    for (const std::size_t most : {0UL, 1UL, 2UL, 1000UL})
      REQUIRE(real_.ToLookAt(most, now_) == rules_.ToLookAt(most, now_));
    for (long long id = std::max(0LL, last_ - 40); id <= last_ + 1; ++id) {
      REQUIRE(real_.Has(id) == rules_.Has(id));
      REQUIRE(real_.AnyBelow(id) == (!all.empty() && all.front().first < id));
    }
  }

 private:
  unsigned Pick(unsigned n) { return static_cast<unsigned>(random_() % n); }
  long long Near() { return std::max(1LL, last_ + 1 - static_cast<long long>(Pick(30))); }
  void Look(const IdRange& range) {
    const long long seen = Pick(3) != 0 ? 0 : range.first + Pick(static_cast<unsigned>(range.last - range.first + 1));
    real_.Looked(range, seen, now_);
    rules_.Looked(range, seen, now_);
  }

  std::mt19937 random_;
  Visibility real_;
  Rules rules_;
  Time now_ = Time() + Millis(1);
  long long last_ = 0, taken_ = 0;
};

}  // namespace

TEST_CASE("every answer about missing ids follows from the history of each id", "[gaps]") {
  for (unsigned seed = 0; seed < 400; ++seed) {
    History history(seed);
    for (int step = 0; step < 120; ++step) {
      history.Step();
      INFO("seed " << seed << ", step " << step);
      history.Check();
    }
  }
}

TEST_CASE("ranges are merged up to the smallest distance that makes them few enough", "[gaps]") {
  for (unsigned seed = 0; seed < 300; ++seed) {
    INFO("seed " << seed);
    std::mt19937 random(seed);
    Visibility gaps;
    Ranges all;
    long long last = 0;
    for (unsigned i = 0; i < 1 + seed % 12; ++i) {
      const long long first = last + 2 + static_cast<long long>(random() % 5);
      last = first + static_cast<long long>(random() % 4);
      gaps.Missing(first, last);
      all.push_back({first, last});
    }
    for (std::size_t most = 1; most <= all.size() + 1; ++most) {
      Ranges joined = all;
      for (long long distance = 1; joined.size() > most; ++distance) {
        joined = {all[0]};
        for (const IdRange& range : all) {
          if (range.first - joined.back().last > distance) joined.push_back(range);
          joined.back().last = range.last;
        }
      }
      REQUIRE(gaps.Cover(most) == joined);
    }
  }
}

TEST_CASE("ten thousand ranges are kept apart; if there are more, the older half becomes one range", "[gaps]") {
  Visibility gaps;
  for (long long i = 1; i <= 10'000; ++i) gaps.Missing(10 * i, 10 * i + 3);
  const Ranges before = gaps.Cover(20'000);
  REQUIRE(before.size() == 10'000);
  const Time start = Time() + std::chrono::hours(1);
  for (const std::size_t i : {0UL, 1UL, 4'998UL, 4'999UL, 5'000UL, 9'999UL}) gaps.Looked(before[i], 0, start);
  gaps.Missing(200'000, 200'001);
  const Ranges after = gaps.Cover(20'000);
  Ranges expected(before.begin() + 5'000, before.end());
  expected.insert(expected.begin(), {10, before[4'999].last});
  expected.push_back({200'000, 200'001});
  CHECK(after == expected);
  // The results of queries for the older ranges do not apply to the range into which they were merged.
  const Ranges due = gaps.ToLookAt(20'000, start + Millis(1));
  CHECK(due.size() == after.size() - 2);
  CHECK(due.front() == after.front());
}

}  // namespace outbox::mysql
