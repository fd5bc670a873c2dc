// Tests the rules by which the id `low` of Visibility advances, against a model. In the model's table, transactions
// draw ids, lock, commit and end in any order. A reader must never lose a row, nor return a row before an earlier one
// of its key.
#include <algorithm>
#include <map>
#include <random>
#include <set>
#include <vector>

#include "postgres/visibility.hpp"
#include "tests/catch.hpp"

namespace {

using outbox::postgres::Locker;
using outbox::postgres::Visibility;

struct Writer {
  std::string name;
  std::uint64_t xid = 0;
  int key = 0;
  std::vector<long long> ids;
};

class Model {
 public:
  explicit Model(unsigned seed) : random_(seed) {}

  void Run(int steps) {
    for (int i = 0; i < steps; ++i) {
      switch (Pick(10)) {
        case 0:
          Open();
          break;
        case 1:
        case 2:
        case 3:
          Draw();
          break;
        case 4:
          Number();
          break;
        case 5:
          End();
          break;
        case 6:
          Other();
          break;
        default:
          if (Pick(30) == 0) position_ = Visibility();  // The reader starts again from the oldest row.
          Read();
          break;
      }
      if (Pick(400) == 0) ids_ += 30'000;  // Simulates many rows that were inserted and deleted.
    }
    while (!open_.empty()) End();
    for (int i = 0; i < 60; ++i) Read();
    CHECK(taken_ == committed_);
    // When no transaction is open, no more rows can appear, and the position must reflect that.
    CHECK(position_.low() == position_.cursor());
  }

 private:
  unsigned Pick(unsigned n) { return static_cast<unsigned>(random_() % n); }

  void Open() {
    if (open_.size() >= 6) return;
    open_.push_back({"3/" + std::to_string(++names_), 0, static_cast<int>(Pick(4)), {}});
  }
  // Lets a transaction draw an id under the table's lock, before the transaction has a transaction id. Only one open
  // transaction at a time has ids of a key.
  void Draw() {
    if (open_.empty()) return;
    Writer& w = open_[Pick(static_cast<unsigned>(open_.size()))];
    for (const Writer& other : open_)
      if (&other != &w && other.key == w.key && !other.ids.empty()) return;
    w.ids.push_back(++ids_);
  }
  void Number() {
    if (open_.empty()) return;
    Writer& w = open_[Pick(static_cast<unsigned>(open_.size()))];
    if (w.xid == 0 && !w.ids.empty()) w.xid = ++xids_;
  }
  void End() {
    if (open_.empty()) return;
    const auto at = open_.begin() + Pick(static_cast<unsigned>(open_.size()));
    if (Pick(4) != 0) {
      for (const long long id : at->ids) {
        if (at->key != kOthers) committed_.insert(id);
        rows_[id] = at->key;
      }
    }
    if (at->xid != 0) ended_.insert(at->xid);
    open_.erase(at);
  }

  // Lets another relay deliver and delete one row of its own shard.
  void Other() {
    std::vector<long long> theirs;
    for (const auto& [id, key] : rows_)
      if (key == kOthers) theirs.push_back(id);
    if (!theirs.empty()) rows_.erase(theirs[Pick(static_cast<unsigned>(theirs.size()))]);
  }

  std::vector<Locker> Lockers() const {
    std::vector<Locker> lockers;
    for (const Writer& w : open_)
      if (!w.ids.empty()) lockers.push_back({w.name, w.xid});
    return lockers;
  }

  // Reads the highest drawn id, and then the open transactions. A transaction that draws an id between the two reads
  // gets an id above `drawn`.
  void Settle() {
    const long long drawn = ids_;
    if (Pick(2) == 0) Draw();
    if (Pick(2) == 0) End();
    const auto lockers = Lockers();
    if (Pick(2) == 0) Draw();
    if (Pick(2) == 0) End();
    position_.Settle(drawn, lockers);
  }

  void Read() {
    if (Pick(10) == 0 && !position_.settling()) Settle();
    const auto watched = position_.Watched();
    const auto ended = ended_;
    const auto snapshot = rows_;
    const bool alone = position_.whole() && Pick(2) == 0;
    // The locks are read after the snapshot, so writers may end and begin in between.
    if (Pick(3) == 0) End();
    if (Pick(5) == 0) Draw();
    if (!alone && std::any_of(watched.begin(), watched.end(), [&](auto xid) { return ended.contains(xid); })) {
      position_.Resume();
      return;
    }
    std::vector<std::pair<long long, int>> got;
    for (const auto& [id, key] : snapshot)
      if (!alone && id > position_.low() && id <= position_.cursor() && !taken_.contains(id)) got.push_back({id, key});
    const auto limit = 1 + Pick(5);
    unsigned fresh = 0;
    long long cursor = position_.cursor(), missing = 0;
    // If `upto` is not 0, the read returns only rows of this relay's own shard, up to the id `upto`, which is at most
    // the highest stable id.
    const long long upto = alone && position_.settled() > cursor && Pick(2) == 0
                               ? std::min<long long>(cursor + 1 + Pick(8), position_.settled())
                               : 0;
    for (auto at = snapshot.upper_bound(cursor); at != snapshot.end() && fresh < limit; ++at) {
      if (upto != 0 && at->first > upto) break;
      if (upto != 0 && at->second == kOthers) continue;
      ++fresh;
      if (!taken_.contains(at->first)) got.push_back(*at);
      if (at->first > cursor + 1) missing = at->first - 1;
      cursor = at->first;
    }
    if (fresh < limit) cursor = upto != 0 ? upto : std::max(cursor, position_.settled());
    for (const auto& [id, key] : got) {
      if (key == kOthers) continue;
      taken_.insert(id);
      if (Pick(2) == 0) rows_.erase(id);
      // Writers of a key wait for each other, so the ids of a key ascend in the order of commits.
      CHECK(last_[key] < id);
      last_[key] = id;
    }
    if (alone && missing <= position_.settled()) return position_.AdvanceWhole(cursor);
    if (alone && Pick(3) == 0) End();
    position_.Advance(cursor, missing, Lockers());
  }

  static constexpr int kOthers = 3;
  std::mt19937 random_;
  Visibility position_;
  std::vector<Writer> open_;
  std::map<long long, int> rows_;
  std::set<long long> committed_, taken_;
  std::set<std::uint64_t> ended_;
  std::map<int, long long> last_;
  long long ids_ = 0;
  std::uint64_t xids_ = 0, names_ = 0;
};

}  // namespace

TEST_CASE("no row is lost or overtaken, whatever the writers do", "[position]") {
  for (unsigned seed = 0; seed < 3000; ++seed) {
    INFO("seed " << seed);
    Model(seed).Run(400);
  }
}

TEST_CASE("a writer that stays open is watched, and after its end the whole range is read again", "[position]") {
  Visibility at;
  at.Advance(100, 99, {{"3/1", 7}});
  CHECK(at.low() == 0);
  at.Advance(30'000, 29'999, {{"3/1", 7}});
  CHECK(at.Watched() == std::vector<std::uint64_t>{7});
  at.Advance(30'100, 30'099, {{"3/1", 7}});
  at.Advance(30'200, 30'199, {{"3/1", 7}});
  CHECK(at.low() >= 30'000);
  at.Resume();
  CHECK(at.Watched().empty());
  CHECK(at.low() == 0);
}

TEST_CASE("a writer without a transaction id cannot be watched, and its whole range is read again", "[position]") {
  Visibility at;
  for (const long long cursor : {100, 30'000, 60'000}) {
    at.Advance(cursor, cursor - 1, {{"3/1"}});
    CHECK(at.Watched().empty());
    CHECK(at.low() == 0);
  }
}

TEST_CASE("a prepared transaction that appears after a restart may be any one that has disappeared", "[position]") {
  Visibility at;
  at.Advance(10, 9, {{"3/1", 7}});
  at.Advance(20, 19, {{"-1/7", 7}});
  at.Advance(30, 29, {{"-1/7", 7}});
  at.Advance(40, 39, {{"-1/7", 7}});
  CHECK(at.low() == 0);
  at.Advance(50, 49, {});
  at.Advance(60, 59, {});
  CHECK(at.low() == 50);
}

TEST_CASE("where no id is missing nothing is read again, whatever transactions are open", "[position]") {
  Visibility at;
  at.Advance(1000, 0, {{"3/1", 7}});
  CHECK(at.low() == 1000);
  at.Advance(2000, 1500, {{"3/1", 7}});
  CHECK(at.low() == 1000);
  at.Advance(3000, 0, {{"3/2", 8}});
  CHECK(at.low() == 1000);
  // Transaction 3/1 has ended, and a read that began after its end has covered the missing ids.
  at.Advance(4000, 0, {});
  CHECK(at.low() == 4000);
}

TEST_CASE("ids that are stable before the first read are not read again, and a read to the end passes them",
          "[position]") {
  Visibility at;
  at.Settle(1'000'000, {});
  at.Advance(5'000, 4'000, {{"3/1", 7}});
  CHECK(at.low() == 5'000);
  at.Advance(1'000'000, 0, {});  // This is a read to the end of the table.
  CHECK(at.whole());
  at.Advance(1'000'500, 1'000'400, {});
  CHECK(at.low() == 1'000'000);
}

TEST_CASE("drawn ids are stable when the transactions that were open then have ended", "[position]") {
  Visibility at;
  at.Advance(1000, 900, {{"3/1", 7}});
  at.Settle(50'000, {{"3/1", 7}, {"4/1", 0}});
  at.Advance(2000, 1900, {{"4/1", 0}, {"5/1", 8}});
  CHECK(at.settling());
  at.Advance(3000, 2900, {{"5/1", 8}, {"5/2", 9}});
  CHECK(at.settled() == 50'000);
  CHECK_FALSE(at.whole());
  at.Advance(4000, 3900, {{"5/2", 9}});  // This is the first read that began after the ids had become stable.
  CHECK(at.whole());
}

TEST_CASE("no id is stable while a prepared transaction may be one that was open", "[position]") {
  Visibility at;
  at.Settle(1000, {{"3/1", 7}});
  at.Advance(10, 9, {{"-1/7", 7}});
  at.Advance(20, 19, {{"-1/7", 7}});
  CHECK(at.settled() == 0);
  at.Advance(30, 29, {});
  CHECK(at.settled() == 1000);
}

TEST_CASE("a sequence that was set back lowers the highest stable id", "[position]") {
  Visibility at;
  at.Settle(1000, {});
  at.Settle(500, {{"3/1", 7}});
  CHECK(at.settled() == 500);
}
