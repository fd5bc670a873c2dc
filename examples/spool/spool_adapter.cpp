// A storage plugin that uses a folder as the outbox instead of a database. A program commits an event by renaming a
// file into <folder>/new/. The file contains the payload, and its name has the form
//   <order>,<topic>,<type>[,<key>]      for example 000042,orders,order.created,customer-7
// The relay removes the file once Kafka has acknowledged the event. Only one relay may run at a time.
#include <filesystem>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <outbox/adapter.hpp>

namespace {
namespace fs = std::filesystem;
using namespace outbox;

// The options of the plugin, shared by all of its adapters.
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

// The parts of a file's name. The parts refer to the string that was passed to the constructor.
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

// The failures of an event. They are stored in the file <folder>/failed/<name>, which has one line per failed attempt;
// its modification time is the time at which the next attempt is due.
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
    // The map sorts the files, because the events of a key must be returned in ascending order.
    std::map<std::string, Trouble> names;
    for (const auto& file : fs::directory_iterator(spool_->fresh)) names[file.path().filename().string()];
    std::map<std::string_view, bool> waiting;  // keys whose later events wait for a failed event
    for (auto& [text, trouble] : names) {
      const Name name(text);
      trouble = Look(text);
      if (name.key && waiting.contains(*name.key)) continue;
      if (name.key && trouble.attempts > 0) waiting[*name.key] = true;
      if (trouble.due > fs::file_time_type::clock::now() || request.is_outstanding(text)) continue;
      std::ifstream file(spool_->fresh / text, std::ios::binary);
      const std::string payload{std::istreambuf_iterator<char>(file), {}};
      if (!file) continue;  // the event was confirmed in the meantime
      if (!batch.Add({text, text, name.key, name.type, name.topic, payload, {}, 0, trouble.attempts})) return;
    }
  }

  // The name of a file is both its row id and its event id. A name is never used for two events.
  void ConfirmEvent(ConfirmedRows rows, KeptRows&) override {
    for (const ConfirmedRow row : rows) {
      const std::string_view name = row.row_id.bytes();
      if (name != row.event_id) continue;
      fs::remove(spool_->fresh / name);
      fs::remove(spool_->failed / name);
    }
  }

  // A crash in the middle of this function leaves some failures unrecorded. The events of these failures are then
  // attempted once more than is counted, but they are not lost.
  void ConfirmFailed(Failures failures) override {
    for (const Failure& failure : failures) {
      if (failure.row_id.bytes() != failure.event_id) continue;
      if (failure.disposition == Disposition::kDelivered)
        throw Error(OUTBOX_UNSUPPORTED,
                    "cannot record an event as delivered; make the folder writable, so that its file can be removed");
      const bool retry = failure.disposition == Disposition::kRetry;
      const Millis wait = retry ? failure.retry_after : std::chrono::hours(24 * 365 * 100);
      const fs::path file = spool_->failed / failure.row_id.bytes();
      std::ofstream(file, std::ios::app) << failure.reason << '\n';  // one line per attempt
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
