// The relay as a library, which runs inside your own process.
//
//   embed::Relay relay(R"({"poll_interval": "50ms"})", embed::Storage::Plugin("postgres", options),
//                      embed::Publisher::Kafka({{"bootstrap.servers", "127.0.0.1:9092"}}), log);
//   relay.Start();
//   ...
//   relay.Stop(std::chrono::seconds(10));
//
// The library does the same as `outbox-relay run`, but it does not check the schema of the tables (use `outbox-relay
// check`) and does not handle signals. It uses no global state: a process may have several relays, on one outbox or on
// many. It starts threads of its own.
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
// Receives the relay's log, line by line. Lines contain no payload and no password. Thread: any, several at the same
// time. REQUIRES: it does not throw.
using Logger = std::function<void(LogLevel, std::string_view)>;

namespace detail {

// Holds an object of the embedding program, which stands in for the store that a plugin makes from its options.
template <class Shared>
struct Handed {
  explicit Handed(std::shared_ptr<Shared> shared) : object(std::move(shared)) {}
  Handed(const std::string&, const outbox_host*) { throw Error(OUTBOX_INTERNAL, "this storage is not a plugin"); }
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

// The storage from which the relay reads events.
class Storage {
 public:
  // Uses a plugin, which is found in the same way as by outbox-relay: `file`, or by its name in OUTBOX_PLUGIN_PATH and
  // the installed folder. `options` is the JSON object that a configuration file has under storage.options.
  static Storage Plugin(std::string name, std::string options = "{}", std::string file = {});

  // Uses an adapter of your own, written as for a plugin. `shared` is an object of yours that all sessions use: each
  // session constructs an A with it, and several threads use the object at the same time. `capabilities` are those of
  // the plugin macro, such as OUTBOX_CAN_ORDER_KEYS. `name` is the name in messages. REQUIRES: the text of `name` lives
  // as long as the process.
  template <class A, class Shared>
  static Storage FromAdapter(std::shared_ptr<Shared> shared, const char* name, std::uint64_t capabilities) {
    using Handed = detail::Handed<Shared>;
    const auto store = std::make_shared<Handed>(std::move(shared));
    return Storage(outbox::detail::PluginTable<detail::OwnAdapter<A, Shared>, Handed>(name, "1", capabilities),
                   [store] {
                     // The functions of the plugin's function table expect this pointer as their outbox_store.
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

// Receives the events in place of Kafka. The relay makes one call at a time for each shard; with several shards there
// may be several calls at the same time. Thread: one thread of the relay per shard.
class Sender {
 public:
  virtual ~Sender() = default;
  // Stores the events in this order. Returns how many events, counted from the first, are stored durably; the relay
  // removes these events from the outbox. If Send() returns less than events.size() or throws, the relay pauses before
  // it passes the remaining events again (after an exception: all events), and passes no other event of the shard until
  // then. An event may be passed more than once. The views in `events` are valid until the function returns; headers
  // are the JSON of the row.
  virtual std::size_t Send(std::span<const Event> events) = 0;
};

// The destination of the relay's events: Kafka or a Sender.
class Publisher {
 public:
  // Sends to Kafka. `properties` are librdkafka's properties, as a configuration file has them under publisher.kafka.
  static Publisher Kafka(std::map<std::string, std::string> properties);
  // Sends to an object of the embedding program. The relay shares ownership of the object.
  static Publisher FromSender(std::shared_ptr<Sender> sender);

 private:
  friend class Relay;
  std::map<std::string, std::string> kafka_;
  std::shared_ptr<Sender> sender_;
};

// A relay. The embedding program owns it.
class Relay {
 public:
  // `config` is the JSON object that a configuration file has under "relay"; "{}" = all defaults. Does no I/O except to
  // load a plugin. Errors: throws std::invalid_argument, whose text says what is wrong.
  Relay(std::string_view config, const Storage& storage, const Publisher& publisher, Logger logger);
  // If Stop() was not called, stops the relay at once; the next relay may then resend events that were in flight.
  // The destructor blocks until calls to the database or to a Sender return, even if one hangs.
  ~Relay();
  Relay(const Relay&) = delete;
  Relay& operator=(const Relay&) = delete;

  // Starts the relay; may be called once. The database and Kafka need not be available.
  //
  // Errors: throws std::invalid_argument if the storage or the properties for Kafka do not support what the
  // configuration requires, std::runtime_error if this machine lacks threads, memory or other resources now,
  // std::logic_error for a second start.
  void Start();

  // Stops the relay: waits for the events in flight, confirms them and releases the leases. Returns false if `timeout`
  // expired first; events that are not confirmed will be sent again. A second call does nothing and returns the same
  // result. Thread: any.
  bool Stop(Millis timeout);

  // Waits until the relay has stopped. Returns the reason if it stopped without a call of Stop(). Thread: any.
  std::optional<std::string> Wait();

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace outbox::embed
