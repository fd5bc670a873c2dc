// The relay inside your own process.
//
//   embed::Relay relay(R"({"poll_interval": "50ms"})", embed::Storage::Plugin("postgres", options),
//                      embed::Publisher::Kafka({{"bootstrap.servers", "127.0.0.1:9092"}}), log);
//   relay.Start();
//   ...
//   relay.Stop(std::chrono::seconds(10));
//
// It does what `outbox-relay run` does, but looks neither at the tables' schema (that is `outbox-relay check`) nor at
// signals. Nothing is global: a process may have several, on one outbox or on many. It has threads of its own.
//
// Link with outbox-embed (pkg-config).
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "outbox/adapter.hpp"

namespace outbox::embed {

enum class LogLevel : std::uint8_t { kDebug, kInfo, kWarning, kError };
// [any thread, also at once] Must not throw. Lines hold no payload and no password.
using Logger = std::function<void(LogLevel, std::string_view)>;

namespace detail {

// An object that is there already, where a plugin makes one from its options.
template <class Shared>
struct Handed {
  explicit Handed(std::shared_ptr<Shared> shared) : object(std::move(shared)) {}
  Handed(const std::string&, const outbox_host*) { throw Error(OUTBOX_INTERNAL, "this storage is no plugin"); }
  std::shared_ptr<Shared> object;
};

template <class A, class Shared>
struct OwnAdapter : A {
  explicit OwnAdapter(const std::shared_ptr<Handed<Shared>>& handed) : A(handed->object) {}
  static std::string PrintSchema(const Handed<Shared>& handed,
                                 const SchemaOptions& options) requires std::is_base_of_v<Schema, A> {
    return A::PrintSchema(*handed.object, options);
  }
};

}  // namespace detail

// Where the events are.
class Storage {
 public:
  // A plugin, found as outbox-relay finds it: `file`, or by its name in OUTBOX_PLUGIN_PATH and the installed folder.
  // `options` is the JSON object that the configuration has under storage.options.
  static Storage Plugin(std::string name, std::string options = "{}", std::string file = {});

  // An adapter of yours, written as for a plugin. `shared` is your object, which its sessions have in common: A is
  // constructed with it for each, and it must be safe for several threads. The capabilities are those of the plugin
  // macro, such as OUTBOX_CAN_ORDER_KEYS. `name` is what messages call it, and must live as long as the process.
  template <class A, class Shared>
  static Storage FromAdapter(std::shared_ptr<Shared> shared, const char* name, std::uint64_t capabilities) {
    using Handed = detail::Handed<Shared>;
    const auto store = std::make_shared<Handed>(std::move(shared));
    return Storage(outbox::detail::PluginTable<detail::OwnAdapter<A, Shared>, Handed>(name, "1", capabilities),
                   [store] {
                     // What the table's own functions take for a store.
                     return reinterpret_cast<outbox_store*>(new std::shared_ptr<Handed>(store));
                   });
  }

 private:
  friend class Relay;
  Storage(const outbox_plugin* table, std::function<outbox_store*()> make) : table_(table), make_(std::move(make)) {}
  Storage() = default;

  std::string name_, options_, file_;
  const outbox_plugin* table_ = nullptr;
  std::function<outbox_store*()> make_;
};

// Where events go, if not to Kafka. One call at a time for each shard; with several shards several at once.
class Sender {
 public:
  virtual ~Sender() = default;
  // Stores the events in this order, and returns how many of them, from the first on, are stored for good: those leave
  // the outbox. If that is not all, or it throws, the rest comes again after a pause, and in between nothing of the
  // shard. An event may come twice. The views are good until it returns; headers are the row's JSON.
  virtual std::size_t Send(std::span<const Event> events) = 0;
};

class Publisher {
 public:
  // librdkafka's properties, as the configuration has them under publisher.kafka.
  static Publisher Kafka(std::map<std::string, std::string> properties);
  static Publisher FromSender(std::shared_ptr<Sender> sender);

 private:
  friend class Relay;
  std::map<std::string, std::string> kafka_;
  std::shared_ptr<Sender> sender_;
};

class Relay {
 public:
  // `config` is the JSON object that the configuration has under "relay"; "{}" = all defaults. Does no I/O but loading a
  // plugin. Throws std::invalid_argument, which says what is wrong.
  Relay(std::string_view config, const Storage& storage, const Publisher& publisher, Logger logger);
  // Stops at once if it was not stopped; then what is in flight may be sent again by the next relay. Waits for a call to
  // the database or a Sender that hangs.
  ~Relay();
  Relay(const Relay&) = delete;
  Relay& operator=(const Relay&) = delete;

  // Once. Needs neither the database nor Kafka to be up. Throws std::invalid_argument where the storage or Kafka's
  // properties cannot do what the configuration asks for, std::runtime_error where this machine lacks threads, memory or the
  // like now, std::logic_error for a second start.
  void Start();

  // [any] Finishes what is in flight, confirms it, gives the leases back. False: `timeout` came first, and what is not
  // confirmed will be sent again. A second call does nothing and answers the same.
  bool Stop(Millis timeout);

  // [any] Until it has stopped. Why, if it was not asked to.
  std::optional<std::string> Wait();

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace outbox::embed
