// An outbox without a database: a folder. A program commits an event by renaming a file into <folder>/new/, named
//   <order>,<topic>,<type>[,<key>]      as in 000042,orders,order.created,customer-7
// with the payload as its content. The relay removes it once Kafka has it. One relay at a time.
#include <filesystem>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <outbox/adapter.hpp>

namespace {
namespace fs = std::filesystem;
using namespace outbox;

struct Spool {
  Spool(const std::string& json, const outbox_host*) {
    const auto options = nlohmann::json::parse(json, nullptr, /*allow_exceptions=*/false);
    if (!options.is_object()) throw Error(OUTBOX_BAD_CONFIG, "options: expected a JSON object");
    for (const auto& [key, value] : options.items())
      if (key != "folder") throw Error(OUTBOX_BAD_CONFIG, "options: unknown key \"" + key + "\"");
    const std::string folder = options.value("folder", nlohmann::json()).is_string() ? options["folder"] : "";
    if (!folder.starts_with('/')) throw Error(OUTBOX_BAD_CONFIG, "options: \"folder\" must be an absolute path");
    fresh = fs::path(folder) / "new";
    failed = fs::path(folder) / "failed";
  }
  fs::path fresh, failed;
};

// The parts of a file's name.
struct Name {
  explicit Name(std::string_view rest) {
    std::string_view* const parts[] = {&order, &topic, &type};
    for (std::string_view* part : parts) {
      *part = rest.substr(0, rest.find(','));
      if (part->size() == rest.size()) return;
      rest.remove_prefix(part->size() + 1);
    }
    key = rest;
  }
  std::string_view order, topic, type;
  Bytes key;
};

// Kept in <folder>/failed/<name>: how often it was tried; the file's time says when it is due.
struct Trouble {
  std::uint32_t attempts = 0;
  fs::file_time_type due = fs::file_time_type::min();
};

class SpoolAdapter : public StorageAdapter {
 public:
  explicit SpoolAdapter(std::shared_ptr<Spool> spool) : spool_(std::move(spool)) {
    std::error_code error;
    if (!fs::is_directory(spool_->fresh, error))
      throw Error(OUTBOX_UNAVAILABLE, spool_->fresh.string() + " is not a folder");
    fs::create_directory(spool_->failed);
  }

  void ReserveNewEvents(const ReserveRequest& request, BatchBuilder& batch) override {
    std::map<std::string, Trouble> names;  // ascending, as the order of a key asks
    for (const auto& file : fs::directory_iterator(spool_->fresh)) names[file.path().filename().string()];
    std::map<std::string_view, bool> waiting;  // keys with an event that has failed and is not settled
    for (auto& [text, trouble] : names) {
      const Name name(text);
      trouble = Look(text);
      if (name.key && waiting.contains(*name.key)) continue;
      if (name.key && trouble.attempts > 0) waiting[*name.key] = true;
      if (trouble.due > fs::file_time_type::clock::now() || request.is_outstanding(text)) continue;
      std::ifstream file(spool_->fresh / text, std::ios::binary);
      const std::string payload{std::istreambuf_iterator<char>(file), {}};
      if (!file) continue;  // confirmed in the meantime
      if (!batch.Add({text, text, name.key, name.type, name.topic, payload, {}, 0, trouble.attempts})) return;
    }
  }

  // A file's name is its event id, and comes once.
  void ConfirmEvent(ConfirmedRows rows, KeptRows&) override {
    for (const ConfirmedRow row : rows) {
      const std::string_view name = row.row_id.bytes();
      if (name != row.event_id) continue;
      fs::remove(spool_->fresh / name);
      fs::remove(spool_->failed / name);
    }
  }

  // A crash in the middle leaves the rest of them unfailed: they are tried once more than counted, and not lost.
  void ConfirmFailed(Failures failures) override {
    for (const Failure& failure : failures) {
      if (failure.row_id.bytes() != failure.event_id) continue;
      if (failure.disposition == Disposition::kDelivered)
        throw Error(OUTBOX_UNSUPPORTED, "the folder is the only record: make it writable, and the file can go");
      const bool retry = failure.disposition == Disposition::kRetry;
      const Millis wait = retry ? failure.retry_after : std::chrono::hours(24 * 365 * 100);
      const fs::path file = spool_->failed / failure.row_id.bytes();
      std::ofstream(file, std::ios::app) << failure.reason << '\n';  // a line an attempt
      fs::last_write_time(file, fs::file_time_type::clock::now() + wait);
    }
  }

 private:
  [[nodiscard]] Trouble Look(const std::string& name) const {
    std::error_code none;
    const auto due = fs::last_write_time(spool_->failed / name, none);
    if (none) return {};
    std::ifstream lines(spool_->failed / name);
    const auto count = std::count(std::istreambuf_iterator<char>(lines), {}, '\n');
    return {static_cast<std::uint32_t>(count), due};
  }

  const std::shared_ptr<Spool> spool_;
};

}  // namespace

OUTBOX_REGISTER_SHARED_ADAPTER(SpoolAdapter, Spool, "spool", "0.1.0", OUTBOX_CAN_ORDER_KEYS)
