// Compares every answer of the class Visibility, after every step of random histories, with rules that are stated for a
// whole history. The model in postgres_visibility_test.cpp shows that these rules lose no row.
#include <algorithm>
#include <map>
#include <random>
#include <set>
#include <sstream>
#include <vector>

#include "postgres/visibility.hpp"
#include "tests/catch.hpp"

namespace {

using outbox::postgres::Locker;
using outbox::postgres::Visibility;

constexpr long long kFar = 20'000;

std::string Print(long long low, long long cursor, long long floor, long long settled, bool settling, bool whole,
                  const std::vector<std::uint64_t>& watched) {
  std::ostringstream text;
  text << "low " << low << " cursor " << cursor << " floor " << floor << " settled " << settled;
  text << (settling ? " settling" : "") << (whole ? " whole" : "") << " watched";
  for (const std::uint64_t xid : watched) text << ' ' << xid;
  return text.str();
}

class Rules {
 public:
  void Settle(long long drawn, const std::vector<Locker>& lockers) {
    drawn_ = drawn;
    open_.clear();
    for (const Locker& locker : lockers) open_.insert(locker.transaction);
    settled_ = open_.empty() ? drawn : std::min(settled_, drawn);
  }
  void Advance(long long cursor, long long missing, const std::vector<Locker>& lockers) {
    const std::size_t now = looks_.size();
    Look& look = looks_.emplace_back(Look{cursor, missing, looks_.back().low, 0, false, {}});
    for (const Locker& locker : lockers) look.lockers[locker.transaction] = locker.xid;
    // Each earlier reading of the locks shows that no more rows can appear up to the id Clear(earlier). The read of
    // this call began after that reading, so the read has covered the rows up to that id.
    for (std::size_t earlier = 0; earlier < now; ++earlier) look.low = std::max(look.low, Clear(earlier, true));
    look.low = PassWhole(std::max(look.low, std::min(settled_, cursor)));
    look.gap = PassWhole(std::max({looks_[now - 1].gap, Clear(now - 1, false), look.low}));
    for (const auto& [transaction, xid] : looks_[now - 1].lockers)
      if (Watched(now - 1, transaction) && !look.lockers.contains(transaction)) Resume();

    if (open_.empty()) return;
    for (const auto& [transaction, xid] : look.lockers)
      if (IsPrepared(transaction)) open_.insert(transaction);
    std::erase_if(open_, [&](const std::string& transaction) { return !look.lockers.contains(transaction); });
    if (open_.empty()) settled_ = drawn_;
  }
  void AdvanceWhole(long long cursor) { looks_.push_back({cursor, 0, cursor, cursor, false, {}}); }
  void Resume() {
    looks_.back().gap = looks_.back().low;
    looks_.back().resumed = true;
  }

  [[nodiscard]] std::string Answers() const {
    const Look& last = looks_.back();
    std::vector<std::uint64_t> watched;
    for (const auto& [transaction, xid] : last.lockers)
      if (Watched(looks_.size() - 1, transaction)) watched.push_back(Number(looks_.size() - 1, transaction));
    return Print(last.gap, last.cursor, last.low, settled_, !open_.empty(), last.low == last.cursor, watched);
  }

 private:
  struct Look {
    long long cursor = 0, missing = 0, low = 0, gap = 0;
    // True if the reader has resumed since the locks of this entry were read.
    bool resumed = false;
    std::map<std::string, std::uint64_t> lockers;
  };
  static bool IsPrepared(const std::string& transaction) { return transaction.substr(0, 3) == "-1/"; }

  // Returns an id such that the transaction has neither that id nor a lower one. The last reading of the locks before
  // the transaction appeared did not show it, so the cursor of that reading is returned. A prepared transaction may
  // have had another name then, so for a prepared one `low` of its first reading is returned.
  [[nodiscard]] long long Barrier(std::size_t look, const std::string& transaction) const {
    while (looks_[look - 1].lockers.contains(transaction)) --look;
    return IsPrepared(transaction) ? looks_[look].low : looks_[look - 1].cursor;
  }
  // Returns the last transaction id that the locks of the transaction showed, or 0 if they showed none. An ending
  // transaction does not release all its locks at once, so a reading of the locks may lack the id.
  [[nodiscard]] std::uint64_t Number(std::size_t look, const std::string& transaction) const {
    for (; looks_[look].lockers.contains(transaction); --look)
      if (const std::uint64_t xid = looks_[look].lockers.at(transaction); xid != 0) return xid;
    return 0;
  }
  [[nodiscard]] bool Watched(std::size_t look, const std::string& transaction) const {
    return !looks_[look].resumed && Number(look, transaction) != 0 &&
           looks_[look].cursor - Barrier(look, transaction) > kFar;
  }
  // Returns the highest id up to which no more rows can appear behind the snapshot of a read that began after the
  // reading `look` of the locks. Watched transactions are taken into account only if `watched_too` is true.
  [[nodiscard]] long long Clear(std::size_t look, bool watched_too) const {
    if (!watched_too && looks_[look].resumed) return looks_[look].low;
    long long clear = looks_[look].cursor;
    for (const auto& [transaction, xid] : looks_[look].lockers)
      if (watched_too || !Watched(look, transaction)) clear = std::min(clear, Barrier(look, transaction));
    return clear;
  }
  [[nodiscard]] long long PassWhole(long long low) const {
    const bool whole = std::all_of(looks_.begin(), looks_.end(), [&](const Look& look) { return look.missing <= low; });
    return whole ? looks_.back().cursor : low;
  }

  std::vector<Look> looks_{Look{}};
  long long drawn_ = 0, settled_ = 0;
  std::set<std::string> open_;
};

std::string Answers(const Visibility& at) {
  return Print(at.low(), at.cursor(), at.floor(), at.settled(), at.settling(), at.whole(), at.Watched());
}

class History {
 public:
  explicit History(unsigned seed) : random_(seed) {}

  void Step() {
    const unsigned what = Pick(12);
    if (what == 0) {
      if (open_.size() < 4) open_.push_back({(Pick(4) == 0 ? "-1/" : "3/") + std::to_string(++names_), 0});
    } else if (what == 1 && !open_.empty()) {
      std::uint64_t& xid = open_[Pick(static_cast<unsigned>(open_.size()))].xid;
      if (xid == 0 || Pick(4) == 0) xid = ++xids_;
    } else if (what == 2 && !open_.empty()) {
      open_.erase(open_.begin() + Pick(static_cast<unsigned>(open_.size())));
    } else if (what == 3) {
      const long long drawn = std::max(0LL, cursor_ + static_cast<long long>(Pick(200)) - 50);
      real.Settle(drawn, open_);
      rules.Settle(drawn, open_);
    } else if (what == 4) {
      real.Resume();
      rules.Resume();
    } else {
      Read(what == 5);
    }
  }

  Visibility real;
  Rules rules;

 private:
  unsigned Pick(unsigned n) { return static_cast<unsigned>(random_() % n); }

  void Read(bool whole) {
    constexpr long long steps[] = {0, 1, 2, 3, 100, 9'999, 10'000, kFar, kFar + 1};
    const long long before = cursor_;
    cursor_ += steps[Pick(std::size(steps))];
    if (whole) {
      real.AdvanceWhole(cursor_);
      rules.AdvanceWhole(cursor_);
      return;
    }
    const bool any_missing = cursor_ > before + 1 && Pick(3) != 0;
    const long long missing =
        any_missing ? cursor_ - 1 - Pick(static_cast<unsigned>(std::min(cursor_ - before - 1, 3LL))) : 0;
    std::vector<Locker> lockers;
    for (const Locker& one : open_) {
      lockers.push_back({one.transaction});
      if (Pick(8) != 0) lockers.back().xid = one.xid;
    }
    real.Advance(cursor_, missing, lockers);
    rules.Advance(cursor_, missing, lockers);
  }

  std::mt19937 random_;
  std::vector<Locker> open_;
  long long cursor_ = 0;
  std::uint64_t xids_ = 0, names_ = 0;
};

}  // namespace

TEST_CASE("every answer of the position follows from the history of its reads", "[position]") {
  for (unsigned seed = 0; seed < 1500; ++seed) {
    History history(seed);
    for (int step = 0; step < 60; ++step) {
      history.Step();
      INFO("seed " << seed << ", step " << step);
      REQUIRE(Answers(history.real) == history.rules.Answers());
    }
  }
}
