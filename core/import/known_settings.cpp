#include "import/known_settings.hpp"

#include <algorithm>

namespace outbox::debezium {
namespace {

using M = Meaning;

constexpr std::string_view kTypes = "it changes the form of column values in a way that the import does not support";
constexpr std::string_view kOthers =
    "it adds records beside those of the EventRouter, in topics of their own; a relay does not send them";
constexpr std::string_view kColumns = "it changes or leaves out columns before the router reads them";

// The entry with the longest matching name applies, so that the table can contain exceptions to a rule.
constexpr KnownSetting kSettings[] = {
    {"name"},
    {"tasks.max"},
    {"tasks.max.enforce"},
    {"config.action.reload"},
    {"plugin.name"},
    {"slot.*"},
    {"publication.*"},
    {"publish.via.partition.root"},
    {"snapshot.*"},
    {"snapshot.mode", M::kNote,
     "rows inserted before `outbox-relay migrate` are not sent, because a trigger copies only rows inserted after it"},
    {"incremental.snapshot.*"},
    {"signal.*"},
    {"notification.*"},
    {"read.only"},
    {"heartbeat.*"},
    {"max.*"},
    {"poll.interval.ms"},
    {"query.fetch.size"},
    {"retriable.*"},
    {"errors.max.retries"},
    {"errors.retry.*"},
    {"errors.log.*"},
    {"errors.tolerance", M::kNote,
     "an event from which no record can be made is not skipped and does not stop other keys: the events of its key "
     "wait, and `outbox-relay status` counts them"},
    {"errors.deadletterqueue.*"},
    {"event.processing.failure.handling.mode", M::kNote,
     "an event from which no record can be made is not skipped: the events of its key wait"},
    {"event.deserialization.failure.handling.mode"},
    {"inconsistent.schema.handling.mode"},
    {"status.update.interval.ms"},
    {"xmin.fetch.interval.ms"},
    {"lsn.*"},
    {"flush.*"},
    {"schema.history.*"},
    {"database.history.*"},
    {"schema.refresh.mode"},
    {"schema.include.list"},
    {"schema.exclude.list"},
    {"schema.whitelist"},
    {"schema.blacklist"},
    {"database.exclude.list"},
    {"database.server.id"},
    {"database.server.id.offset"},
    {"database.server.name"},
    {"database.tcpKeepAlive"},
    {"database.initial.statements"},
    {"database.query.timeout.ms"},
    {"database.connectionTimeZone"},
    {"database.jdbc.driver"},
    {"database.protocol"},
    {"connect.*"},
    {"connection.*"},
    {"min.row.count.to.stream.results"},
    {"gtid.*"},
    {"binlog.*"},
    {"enable.time.adjuster"},
    {"include.query"},
    {"include.schema.comments"},
    {"include.unknown.datatypes"},
    {"include.schema.changes"},
    {"provide.transaction.metadata", M::kNote, kOthers},
    {"transaction.metadata.factory"},
    {"topic.prefix"},
    {"topic.heartbeat.prefix"},
    {"topic.transaction"},
    {"topic.delimiter"},
    {"topic.cache.size"},
    {"topic.naming.strategy"},
    {"topic.creation.*", M::kNote, "the relay itself creates no topics; `outbox-relay check --create-topics` does"},
    {"tombstones.on.delete"},
    {"message.key.columns"},
    {"message.prefix.include.list"},
    {"message.prefix.exclude.list"},
    {"skipped.operations"},
    {"sourceinfo.struct.maker"},
    {"provide.*", M::kRefused, kTypes},
    {"custom.metric.tags"},
    {"advanced.metrics.enable"},
    {"unavailable.value.placeholder"},
    {"toasted.value.placeholder"},
    {"executor.shutdown.timeout.ms"},
    {"guardrail.*"},
    {"openlineage.*"},
    {"use.nongraceful.disconnect"},
    {"offset.*"},
    {"offsets.*"},
    {"exactly.once.support", M::kUnlessValue, "a relay delivers at least once; expected \"requested\"", "requested"},
    {"transaction.boundary"},
    {"transaction.boundary.interval.ms"},
    {"consumer.override.*"},
    {"admin.override.*"},
    {"table.exclude.list"},
    {"table.blacklist"},
    {"table.ignore.builtin"},
    {"column.propagate.source.type"},
    {"datatype.propagate.source.type"},
    {"column.*", M::kRefused, kColumns},
    {"converters", M::kRefused, "a custom converter may write columns in any form"},
    {"bigint.unsigned.handling.mode", M::kUnlessValue,
     "it changes the form of unsigned bigint values; expected \"long\"", "long"},
    {"hstore.handling.mode"},
    {"geometry.handling.mode"},
    {"vector.handling.mode"},
    {"money.fraction.digits", M::kUnlessValue, "it changes the scale of money values; expected \"2\"", "2"},
    {"post.processors", M::kRefused, "a post processor may change any column"},
};

constexpr ProducerProperty kProducer[] = {
    {"acks", ""},
    {"batch.size", "batch.size"},
    {"buffer.memory", ""},
    {"client.dns.lookup", "client.dns.lookup"},
    {"client.id", "client.id"},
    {"compression.gzip.level", "compression.level"},
    {"compression.lz4.level", "compression.level"},
    {"compression.type", "compression.type"},
    {"compression.zstd.level", "compression.level"},
    {"connections.max.idle.ms", "connections.max.idle.ms"},
    {"delivery.timeout.ms", ""},
    {"enable.idempotence", ""},
    {"linger.ms", "linger.ms"},
    {"max.block.ms", ""},
    {"max.in.flight.requests.per.connection", ""},
    {"max.request.size", "message.max.bytes"},
    {"metadata.max.age.ms", "metadata.max.age.ms"},
    {"metadata.max.idle.ms", ""},
    {"metrics.num.samples", ""},
    {"metrics.recording.level", ""},
    {"metrics.sample.window.ms", ""},
    {"partitioner.adaptive.partitioning.enable", ""},
    {"partitioner.availability.timeout.ms", ""},
    {"receive.buffer.bytes", "socket.receive.buffer.bytes"},
    {"reconnect.backoff.max.ms", "reconnect.backoff.max.ms"},
    {"reconnect.backoff.ms", "reconnect.backoff.ms"},
    {"request.timeout.ms", "request.timeout.ms"},
    {"retries", ""},
    {"retry.backoff.max.ms", "retry.backoff.max.ms"},
    {"retry.backoff.ms", "retry.backoff.ms"},
    {"sasl.kerberos.service.name", "sasl.kerberos.service.name"},
    {"security.protocol", "security.protocol"},
    {"send.buffer.bytes", "socket.send.buffer.bytes"},
    {"socket.connection.setup.timeout.max.ms", ""},
    {"socket.connection.setup.timeout.ms", "socket.connection.setup.timeout.ms"},
    {"ssl.endpoint.identification.algorithm", "ssl.endpoint.identification.algorithm"},
};

bool Fits(const KnownSetting& known, std::string_view name) {
  if (!known.name.ends_with('*')) return known.name == name;
  return name.starts_with(known.name.substr(0, known.name.size() - 1));
}

}  // namespace

const KnownSetting* FindSetting(std::string_view name) {
  const KnownSetting* best = nullptr;
  for (const KnownSetting& known : kSettings)
    if (Fits(known, name) && (best == nullptr || known.name.size() > best->name.size())) best = &known;
  return best;
}

const ProducerProperty* FindProducerProperty(std::string_view name) {
  const auto found = std::find_if(std::begin(kProducer), std::end(kProducer),
                                  [&](const ProducerProperty& property) { return property.java == name; });
  return found == std::end(kProducer) ? nullptr : found;
}

}  // namespace outbox::debezium
