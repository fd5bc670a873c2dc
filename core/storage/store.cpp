#include "storage/store.hpp"

#include <array>
#include <nlohmann/json.hpp>

#include "outbox/text.hpp"
#include "storage/raw_call.hpp"
#include "storage/table.hpp"
#include "util/log.hpp"

namespace outbox::storage {
namespace {

const char* NameOf(outbox_code code) {
  constexpr std::array kNames{"OK",        "UNSUPPORTED", "BAD_CONFIG", "UNAVAILABLE", "TIMEOUT",
                              "CANCELLED", "LEASE_LOST",  "BAD_DATA",   "INTERNAL",    "REFUSED"};
  return code >= 0 && static_cast<std::size_t>(code) < kNames.size() ? kNames[static_cast<std::size_t>(code)] : nullptr;
}

template <std::size_t N>
std::string Text(char (&buffer)[N]) {
  buffer[N - 1] = 0;
  return ToText(buffer);
}

// The secrets for the open() or connect() call that this thread is executing; null outside of such calls.
thread_local config::Secrets::Values filling;

class Filling {
 public:
  explicit Filling(const config::Secrets::Values& values) : before_(std::exchange(filling, values)) {}
  ~Filling() { filling = std::move(before_); }
  Filling(const Filling&) = delete;

 private:
  config::Secrets::Values before_;
};

}  // namespace

Store::Store(const outbox_plugin* table, std::shared_ptr<spdlog::logger> logger,
             std::shared_ptr<config::Secrets> secrets)
    : table_(table), logger_(std::move(logger)), secrets_(std::move(secrets)), worked_(secrets_->Current()) {
  host_ = {sizeof host_, OUTBOX_ABI_MINOR, this, Log, FillText, HideText};
}

Store::~Store() {
  if (raw_ != nullptr) table_->close(raw_);
}

Result<std::shared_ptr<Store>> Store::Open(const outbox_plugin* table, std::string_view options,
                                           std::shared_ptr<spdlog::logger> logger,
                                           std::shared_ptr<config::Secrets> secrets) {
  if (Status status = CheckTable(table); !status.ok()) return status;
  const std::shared_ptr<Store> store(new Store(table, std::move(logger), std::move(secrets)));
  if (Status status = store->FindExtensions(); !status.ok()) return status;
  Result<std::string> given = store->OptionsFor(options);
  if (!given.ok()) return given.status();
  store->options_ = std::move(*given);

  outbox_error error{};
  error.struct_size = sizeof error;
  outbox_store* raw = nullptr;
  const Filling with(store->worked_);
  const outbox_code code = table->open(&store->host_, store->options_.data(), store->options_.size(), &raw, &error);
  if (Status status = store->Answer("open", code, error); !status.ok()) return status;
  if (raw == nullptr) return store->Blame("open", "it returned OK without a store");
  store->raw_ = raw;
  return store;
}

Result<std::shared_ptr<Store>> Store::Adopt(const outbox_plugin* table, const std::function<outbox_store*()>& make,
                                            std::shared_ptr<spdlog::logger> logger) {
  if (Status status = CheckTable(table); !status.ok()) return status;
  const std::shared_ptr<Store> store(new Store(table, std::move(logger), std::make_shared<config::Secrets>()));
  if (Status status = store->FindExtensions(); !status.ok()) return status;
  store->raw_ = make();
  return store;
}

Status Store::FindExtensions() {
  const auto find = [this](const char* id, auto& table) -> Status {
    using Table = std::remove_reference_t<decltype(*table)>;
    const Result<const void*> found = FindExtension(*table_, id, sizeof(Table));
    if (!found.ok()) return {found.status().code(), "plugin '" + std::string(name()) + "': " + found.status().text()};
    table = static_cast<Table*>(*found);
    return {};
  };
  Status status = find(OUTBOX_LEASES_V1, leases_);
  if (status.ok()) status = find(OUTBOX_EMIT_V1, emit_);
  if (status.ok()) status = find(OUTBOX_SCHEMA_V1, schema_);
  if (status.ok()) status = find(OUTBOX_STATS_V1, stats_);
  if (status.ok()) status = find(OUTBOX_ADMIN_V1, admin_);
  if (status.ok()) status = find(OUTBOX_POISON_V1, poison_);
  if (status.ok()) status = find(OUTBOX_WAKEUP_V1, wakeup_);
  if (status.ok()) status = find(OUTBOX_COLUMNS_V1, columns_);
  return status;
}

Result<std::string> Store::OptionsFor(std::string_view options) const {
  if (Can(OUTBOX_CAN_FILL_SECRETS)) return std::string(options);
  const auto parsed = nlohmann::json::parse(options, nullptr, /*allow_exceptions=*/false);
  std::string problem;
  const auto fill = [&](const auto& self, const nlohmann::json& value) -> nlohmann::json {
    if (value.is_string()) {
      const auto& text = value.get_ref<const std::string&>();
      const auto found = secrets_->In(text, worked_);
      if (!found.empty() && text.size() != OUTBOX_SECRET_MARK_SIZE)
        problem = "plugin '" + std::string(name()) + "' cannot fill in " + found[0].first +
                  " inside a longer text of its options; make the reference the whole value";
      return secrets_->Fill(text, worked_);
    }
    nlohmann::json filled = value;
    if (value.is_structured())
      for (auto& member : filled) member = self(self, member);
    return filled;
  };
  const nlohmann::json filled = fill(fill, parsed);
  if (!problem.empty()) return Status(OUTBOX_BAD_CONFIG, problem);
  return parsed.is_discarded() ? std::string(options) : filled.dump();
}

Result<std::unique_ptr<Session>> Store::Connect(const Call& call) {
  const config::Secrets::Values now = secrets_->Reread();
  for (const std::string& problem : secrets_->TakeProblems())
    util::LogWarning(*logger_, "{}: {}; continuing with the secret that was read before", name(), problem);
  config::Secrets::Values before;
  {
    const std::lock_guard lock(secrets_mutex_);
    before = worked_;
  }
  auto opened = ConnectWith(now, call);
  const std::string with = secrets_->Fill(options_, now);
  const bool changed = with != secrets_->Fill(options_, before);
  if (opened.ok()) {
    const std::lock_guard lock(secrets_mutex_);
    worked_ = now;
    if (changed) util::LogInfo(*logger_, "{}: connected with a secret that has changed", name());
    refused_.clear();
    return opened;
  }
  if (!changed || opened.status().code() != OUTBOX_BAD_CONFIG) return opened;
  auto with_old = ConnectWith(before, call);
  if (!with_old.ok()) return opened;
  const std::lock_guard lock(secrets_mutex_);
  if (std::exchange(refused_, with) != with)
    util::LogWarning(*logger_, "{}; continuing with the secret that worked before", opened.status().text());
  return with_old;
}

Result<std::unique_ptr<Session>> Store::ConnectWith(const config::Secrets::Values& values, const Call& call) {
  RawCall asked(call);
  outbox_session* raw = nullptr;
  const Filling with(values);
  const outbox_code code = table_->connect(raw_, &asked.call, &raw, &asked.error);
  if (Status status = Answer("connect", code, asked.error); !status.ok()) return status;
  if (raw == nullptr) return Blame("connect", "it returned OK without a session");
  return std::make_unique<Session>(shared_from_this(), raw);
}

Result<std::string> Store::PrintSchema(const SchemaOptions& options) {
  if (schema_ == nullptr) return Lacks(OUTBOX_SCHEMA_V1);
  const outbox_schema_options raw_options = ToRaw(options);
  outbox_error error{};
  error.struct_size = sizeof error;
  std::string sql;
  const auto append = [](void* to, outbox_bytes text) { static_cast<std::string*>(to)->append(View(text)); };
  const outbox_code code = schema_->print(raw_, &raw_options, &sql, append, &error);
  if (Status status = Answer("schema.print", code, error); !status.ok()) return status;
  return sql;
}

Status Store::Answer(const char* function, outbox_code code, outbox_error& error) const {
  if (code == OUTBOX_OK) return {};
  if (NameOf(code) == nullptr)
    return Blame(function, "it returned code " + std::to_string(code) + ", which ABI 1 does not have");
  std::string text = secrets_->Clean(Text(error.message));
  if (text.empty())
    text = std::string(function) + " returned " + NameOf(code) + " without a reason, which is an error in the plugin";
  if (const std::string state = Text(error.sqlstate); !state.empty()) text += " (SQLSTATE " + state + ")";
  if (error.native_code != 0) text += " (code " + std::to_string(error.native_code) + ")";
  return {code, std::string(name()) + ": " + text};
}

Status Store::Blame(const char* function, const std::string& broken_rule) const {
  return {OUTBOX_INTERNAL, "plugin '" + std::string(name()) + "' " + std::string(version()) +
                               " breaks the contract in " + function + ": " + broken_rule};
}

Status Store::Lacks(const char* extension) const {
  return {OUTBOX_UNSUPPORTED, "plugin '" + std::string(name()) + "' does not have " + extension};
}

void Store::FillText(void* ctx, outbox_bytes text, void* to, void (*give)(void*, outbox_bytes)) noexcept {
  try {
    const auto& store = *static_cast<const Store*>(ctx);
    const std::string filled =
        store.secrets_->Fill(View(text), filling != nullptr ? filling : store.secrets_->Current());
    give(to, Raw(filled));
  } catch (...) {
    // Memory is exhausted. The mark is passed on unchanged, and the peer refuses it: no exception may pass through a
    // plugin's frames.
    give(to, text);
  }
}

void Store::HideText(void* ctx, outbox_bytes secret) noexcept {
  try {
    static_cast<const Store*>(ctx)->secrets_->Hide(View(secret));
  } catch (...) {  // out of memory, as in FillText
  }
}

void Store::Log(void* ctx, std::int32_t level, const char* text, std::size_t size) noexcept {
  try {
    const auto severity = level <= OUTBOX_LOG_DEBUG  ? util::LogLevel::kDebug
                          : level == OUTBOX_LOG_INFO ? util::LogLevel::kInfo
                          : level == OUTBOX_LOG_WARN ? util::LogLevel::kWarning
                                                     : util::LogLevel::kError;
    const auto& store = *static_cast<const Store*>(ctx);
    util::Log(*store.logger_, severity, "{}: {}", store.name(),
              store.secrets_->Clean(ToText(View({text, text != nullptr ? size : 0}))));
  } catch (...) {  // the line is lost, because no exception may pass through a plugin's frames
  }
}

}  // namespace outbox::storage
