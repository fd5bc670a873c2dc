#include "kafka/property_policy.hpp"

#include <librdkafka/rdkafka.h>

#include <algorithm>
#include <memory>

#include "config/broker_list.hpp"
#include "config/document.hpp"

namespace outbox::kafka {
namespace {

struct Allowed {
  std::string_view name;
  bool secret = false;
};

constexpr Allowed kAllowed[] = {
    {"allow.auto.create.topics"},
    {"api.version.request.timeout.ms"},
    {"batch.num.messages"},
    {"batch.size"},
    {"bootstrap.servers"},
    {"broker.address.family"},
    {"broker.address.ttl"},
    {"client.dns.lookup"},
    {"client.id"},
    {"client.rack"},
    {"compression.level"},
    {"compression.type"},
    {"connections.max.idle.ms"},
    {"debug"},
    {"enable.metrics.push"},
    {"enable.sasl.oauthbearer.unsecure.jwt"},
    {"enable.ssl.certificate.verification"},
    {"linger.ms"},
    {"log.connection.close"},
    {"log_level"},
    {"message.copy.max.bytes"},
    {"message.max.bytes"},
    {"metadata.max.age.ms"},
    {"queue.buffering.backpressure.threshold"},
    {"receive.message.max.bytes"},
    {"reconnect.backoff.max.ms"},
    {"reconnect.backoff.ms"},
    {"request.timeout.ms"},
    {"retry.backoff.max.ms"},
    {"retry.backoff.ms"},
    {"sasl.kerberos.keytab"},
    {"sasl.kerberos.min.time.before.relogin"},
    {"sasl.kerberos.principal"},
    {"sasl.kerberos.service.name"},
    {"sasl.mechanism"},
    {"sasl.mechanisms"},
    {"sasl.oauthbearer.client.id"},
    {"sasl.oauthbearer.client.secret", true},
    {"sasl.oauthbearer.config", true},
    {"sasl.oauthbearer.extensions", true},
    {"sasl.oauthbearer.method"},
    {"sasl.oauthbearer.scope"},
    {"sasl.oauthbearer.token.endpoint.url", true},
    {"sasl.password", true},
    {"sasl.username", true},
    {"security.protocol"},
    {"socket.connection.setup.timeout.ms"},
    {"socket.keepalive.enable"},
    {"socket.max.fails"},
    {"socket.nagle.disable"},
    {"socket.receive.buffer.bytes"},
    {"socket.send.buffer.bytes"},
    {"socket.timeout.ms"},
    {"ssl.ca.location"},
    {"ssl.ca.pem", true},
    {"ssl.certificate.location"},
    {"ssl.certificate.pem", true},
    {"ssl.cipher.suites"},
    {"ssl.crl.location"},
    {"ssl.curves.list"},
    {"ssl.endpoint.identification.algorithm"},
    {"ssl.key.location"},
    {"ssl.key.password", true},
    {"ssl.key.pem", true},
    {"ssl.keystore.location"},
    {"ssl.keystore.password", true},
    {"ssl.sigalgs.list"},
    {"topic.metadata.propagation.max.ms"},
    {"topic.metadata.refresh.fast.interval.ms"},
    {"topic.metadata.refresh.interval.ms"},
};

struct Refused {
  std::string_view name;
  std::string_view why;
};

constexpr std::string_view kIdempotence = "the relay sets it: order and deduplication at the broker depend on it";
constexpr std::string_view kDeadline =
    "the relay enforces the deadline itself, see relay.delivery_timeout: later records "
    "of the same key would overtake a record that expires inside the client";
constexpr std::string_view kInFlight =
    "the relay sets it; \"publisher\": { \"strict\": true } means one request at a time";
constexpr std::string_view kRetries =
    "the relay sets it: a client that gives up by itself would leave a gap in the order";
constexpr std::string_view kPartitioner =
    "the relay chooses the partition itself, as Java clients do (murmur2 of the "
    "key), because order at the broker needs it";
constexpr std::string_view kWindow = "the relay sizes it by relay.max_in_flight_events and relay.max_in_flight_bytes";
constexpr std::string_view kReports = "the relay sets it: only its delivery report confirms an event";
constexpr std::string_view kTransactions = "the relay does not use Kafka transactions";
constexpr std::string_view kOldBrokers =
    "brokers that do not report their version cannot deduplicate either, which the "
    "relay needs";
constexpr std::string_view kCallback = "it is a pointer inside a program and cannot be set from text";
constexpr std::string_view kEvents = "the relay sets it, to receive events, logs and statistics in its own way";

constexpr Refused kRefused[] = {
    {"plugin.library.paths", "it loads a library into the relay"},
    {"ssl.engine.location", "it loads a library into the relay"},
    {"ssl.engine.id", "it selects an OpenSSL engine, that is code loaded into the relay"},
    {"ssl.providers", "it loads OpenSSL modules into the relay"},
    {"sasl.kerberos.kinit.cmd",
     "it is a shell command that the client would run; keep the ticket fresh outside the relay"},
    {"metadata.broker.list", "use its other name, bootstrap.servers"},
    {"compression.codec", "use its other name, compression.type"},
    {"queue.buffering.max.ms", "use its other name, linger.ms"},
    {"enable.idempotence", kIdempotence},
    {"enable.gapless.guarantee", kIdempotence},
    {"acks", kIdempotence},
    {"request.required.acks", kIdempotence},
    {"message.timeout.ms", kDeadline},
    {"delivery.timeout.ms", kDeadline},
    {"max.in.flight", kInFlight},
    {"max.in.flight.requests.per.connection", kInFlight},
    {"retries", kRetries},
    {"message.send.max.retries", kRetries},
    {"queuing.strategy", kIdempotence},
    {"partitioner", kPartitioner},
    {"sticky.partitioning.linger.ms", kPartitioner},
    {"queue.buffering.max.messages", kWindow},
    {"queue.buffering.max.kbytes", kWindow},
    {"delivery.report.only.error", kReports},
    {"produce.offset.report", kReports},
    {"transactional.id", kTransactions},
    {"transaction.timeout.ms", kTransactions},
    {"api.version.request", kOldBrokers},
    {"api.version.fallback.ms", kOldBrokers},
    {"broker.version.fallback", kOldBrokers},
    {"topic.blacklist", "it would hide topics that events may name"},
    {"enabled_events", kEvents},
    {"log.queue", kEvents},
    {"statistics.interval.ms", kEvents},
    {"internal.termination.signal", "signals belong to the relay"},
    {"opaque", kCallback},
    {"default_topic_conf", kCallback},
    {"interceptors", kCallback},
    {"msg_order_cmp", kCallback},
    {"ssl_key", kCallback},
    {"ssl_certificate", kCallback},
    {"ssl_ca", kCallback},
    {"ssl_engine_callback_data", kCallback},
    {"builtin.features", "it only reports what the client library supports"},
};

// Returns why this value of an allowed property would make the connection unsafe, or an empty text if the value is
// safe. REQUIRES: `value` is normalised by the client library (AsUnderstood), because letter case, blanks and the order
// of a list do not matter.
std::string UnsafeValue(std::string_view name, const std::string& value) {
  if (name == "enable.ssl.certificate.verification" && value != "true") {
    return "anybody could pose as the broker; name the authority in ssl.ca.location instead";
  }
  if (name == "ssl.endpoint.identification.algorithm" && value != "https") {
    return "any holder of a certificate could pose as the broker; only \"https\" is allowed";
  }
  if (name == "enable.sasl.oauthbearer.unsecure.jwt" && value != "false") {
    return "it makes tokens without a signature; only \"false\" is allowed";
  }
  if (name == "debug" && (value.find("security") != std::string::npos || value.find("all") != std::string::npos)) {
    return "\"security\" and \"all\" write credentials to the log; name other contexts";
  }
  return {};
}

using Conf = std::unique_ptr<rd_kafka_conf_t, decltype(&rd_kafka_conf_destroy)>;

// Returns the client library's objection to the name or the value, or an empty text. Nothing is connected or created.
std::string LibraryProblem(const std::string& name, const std::string& value, bool show_value) {
  const Conf conf(rd_kafka_conf_new(), rd_kafka_conf_destroy);
  char text[512] = "";
  switch (rd_kafka_conf_set(conf.get(), name.c_str(), value.c_str(), text, sizeof text)) {
    case RD_KAFKA_CONF_OK:
      return {};
    case RD_KAFKA_CONF_UNKNOWN:
      return "librdkafka " + std::string(rd_kafka_version_str()) + " has no such property";
    default:
      return show_value ? text
                        : "librdkafka does not accept this value; see librdkafka's CONFIGURATION.md for the values of "
                          "this property";
  }
}

const Allowed* FindAllowed(std::string_view name) {
  const auto found =
      std::find_if(std::begin(kAllowed), std::end(kAllowed), [&](const Allowed& a) { return a.name == name; });
  return found == std::end(kAllowed) ? nullptr : found;
}

std::string AsUnderstood(const std::string& name, const std::string& value) {
  const Conf conf(rd_kafka_conf_new(), rd_kafka_conf_destroy);
  std::size_t size = 0;
  char unused[1];
  if (rd_kafka_conf_set(conf.get(), name.c_str(), value.c_str(), unused, sizeof unused) != RD_KAFKA_CONF_OK ||
      rd_kafka_conf_get(conf.get(), name.c_str(), nullptr, &size) != RD_KAFKA_CONF_OK || size == 0)
    return value;
  std::string understood(size, '\0');  // including the NUL at the end
  rd_kafka_conf_get(conf.get(), name.c_str(), understood.data(), &size);
  understood.resize(understood.find('\0'));
  return understood;
}

class Policy final : public config::PropertyPolicy {
 public:
  std::string Problem(std::string_view name, const std::string& value, bool show_value) const override {
    if (const Allowed* allowed = FindAllowed(name)) {
      const bool show = show_value && !allowed->secret;
      if (std::string problem = LibraryProblem(std::string(name), value, show); !problem.empty()) return problem;
      if (std::string unsafe = UnsafeValue(name, kafka::AsUnderstood(std::string(name), value)); !unsafe.empty()) {
        return "refused with this value: " + unsafe;
      }
      return name == "bootstrap.servers" && !value.empty() ? config::BrokerListProblem(value, "", show) : std::string();
    }
    if (const auto why = WhyRefused(name)) return "refused: " + *why;
    const std::string nearest = config::Nearest(name, AllowedProperties());
    return "not a librdkafka property that the relay passes on" +
           (nearest.empty() ? "; docs/guide/configuration.md lists them" : "; did you mean \"" + nearest + "\"?");
  }

  std::string AsUnderstood(const std::string& name, const std::string& value) const override {
    return kafka::AsUnderstood(name, value);
  }

  bool IsSecret(std::string_view name) const override {
    const Allowed* allowed = FindAllowed(name);
    return allowed != nullptr && allowed->secret;
  }

  std::string_view Separators(std::string_view name) const override {
    if (name == "bootstrap.servers") return ", \t\r\n/@";
    if (name == "debug" || name == "ssl.cipher.suites" || name == "ssl.curves.list" || name == "ssl.sigalgs.list")
      return ",: \t\r\n";
    if (name == "sasl.mechanism" || name == "sasl.mechanisms") return ", \t\r\n";
    if (name == "sasl.oauthbearer.config" || name == "sasl.oauthbearer.extensions" || name == "sasl.oauthbearer.scope")
      return ",= \t\r\n\"";
    if (name == "sasl.oauthbearer.token.endpoint.url") return "/@:?#&=% \t\r\n";
    return {};
  }
};

}  // namespace

const config::PropertyPolicy& GetPropertyPolicy() {
  static const Policy kPolicy;
  return kPolicy;
}

std::optional<std::string> WhyRefused(std::string_view name) {
  for (const Refused& refused : kRefused) {
    if (name == refused.name) return std::string(refused.why);
  }
  if (name.ends_with("_cb")) return std::string(kCallback);
  return std::nullopt;
}

std::vector<std::string> AllowedProperties() {
  std::vector<std::string> names;
  for (const Allowed& allowed : kAllowed) names.emplace_back(allowed.name);
  return names;
}

}  // namespace outbox::kafka
