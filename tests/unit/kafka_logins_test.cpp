// Tests which secrets a new producer logs in with after the broker has refused those of another producer.
#include "kafka/connect_gate.hpp"
#include "kafka/logins.hpp"
#include "kafka/reach.hpp"
#include "tests/catch.hpp"

namespace outbox::kafka {
namespace {

TEST_CASE("after a refusal the secret that worked last is used, until it is refused too", "[b110]") {
  Settings settings;
  settings.properties = {{"sasl.password", "one"}};
  std::string now = "one";
  settings.properties_now = [&] { return Properties{{"sasl.password", now}}; };
  Logins logins(settings);
  CHECK_FALSE(logins.Worked());
  CHECK(logins.Choose().at("sasl.password") == "one");

  now = "two";
  CHECK(logins.Choose().at("sasl.password") == "two");
  logins.Refused();
  CHECK_FALSE(logins.TakeFallBack());
  CHECK(logins.WorthATry(/*only_news=*/true));
  CHECK(logins.Choose().at("sasl.password") == "one");
  CHECK(logins.TakeFallBack());
  CHECK_FALSE(logins.Worked());
  // Another producer that logs in now does not try the refused secret again.
  CHECK(logins.Choose().at("sasl.password") == "one");
  CHECK_FALSE(logins.TakeFallBack());
  logins.Refused();
  CHECK(logins.Choose().at("sasl.password") == "two");
  CHECK(logins.Worked());

  now = "three";
  CHECK(logins.Choose().at("sasl.password") == "three");
  CHECK(logins.Worked());
}

TEST_CASE("a new secret is tried at once after a refusal", "[b110]") {
  Settings settings;
  settings.properties = {{"sasl.password", "one"}};
  std::string now = "one";
  settings.properties_now = [&] { return Properties{{"sasl.password", now}}; };
  Logins logins(settings);
  logins.Refused();
  now = "two";
  CHECK(logins.WorthATry(/*only_news=*/true));
  CHECK(logins.Choose().at("sasl.password") == "two");
}

TEST_CASE("attempts to connect become rare, down to one a minute if a login is refused", "[b109]") {
  using std::chrono::milliseconds;
  using std::chrono::seconds;
  ConnectGate gate(Settings{});
  auto now = ConnectGate::Clock::time_point(std::chrono::hours(1));
  const auto attempts_within = [&](seconds time, bool refused) {
    int attempts = 0;
    for (const auto end = now + time; now < end; now += milliseconds(50)) {
      if (!gate.Admits("kafka1:9092", now)) continue;
      ++attempts;
      if (refused) gate.Refused("kafka1:9092", now);
    }
    return attempts;
  };
  CHECK(attempts_within(seconds(1), false) == 5);  // Two attempts at 0 s, and one each at 0.1, 0.3 and 0.7 s.
  CHECK(attempts_within(seconds(60), false) == 60);
  CHECK(gate.Admits("kafka2:9092", now));

  now += seconds(10);
  CHECK(attempts_within(seconds(63), true) == 6);  // Attempts at 0, 2, 6, 14, 30 and 62 s.
  CHECK(attempts_within(seconds(600), true) == 10);
  gate.Open();
  CHECK(attempts_within(seconds(60), true) == 1);
  // After an hour without attempts, the pauses between refused logins are short again.
  now += std::chrono::hours(1);
  CHECK(attempts_within(seconds(3), true) == 2);
}

TEST_CASE("librdkafka's errors are reported with the broker, its address and a fix", "[b114][b121]") {
  CertificateTroubles certificates;
  const auto explain = [&](rd_kafka_resp_err_t error, const char* text) {
    return ExplainConnection(error, text, certificates, "db0:9092, SSL://DB2,db3:19092");
  };
  const ConnectionError refused = explain(
      RD_KAFKA_RESP_ERR__TRANSPORT,
      "sasl_ssl://db:9092/7: Connect to ipv4#10.0.0.1:9092 failed: Connection refused (after 1ms in state CONNECT)");
  CHECK(refused.kind == ConnectionError::Kind::kUnreachable);
  CHECK(refused.broker == 7);
  CHECK(refused.address == "db:9092");
  CHECK(
      Describe(refused) ==
      "broker 7 advertises db:9092, and cannot be reached there: the address refuses connections: Connect to "
      "ipv4#10.0.0.1:9092 failed: Connection refused; set advertised.listeners of that broker to an address that this "
      "machine can reach, or make this one reachable");
  // If the address is a configured one, the broker's advertised.listeners cannot be the cause.
  for (const auto& [address, broker] : {std::pair("db2:9092", 2), std::pair("db3:19092", 3)}) {
    const std::string text = std::string("ssl://") + address + "/" + std::to_string(broker) +
                             ": Connect to ipv4#10.0.0.2:9092 failed: Connection refused (after 1ms in state CONNECT)";
    CHECK(
        Describe(explain(RD_KAFKA_RESP_ERR__TRANSPORT, text.c_str())) ==
        "broker " + std::to_string(broker) + " at " + address +
            ", which bootstrap.servers names, cannot be reached: nothing listens there: Connect to ipv4#10.0.0.2:9092 "
            "failed: Connection refused; check that it runs and that this machine can reach it");
  }
  CHECK(Describe(explain(RD_KAFKA_RESP_ERR__TRANSPORT,
                         "db0:9092/bootstrap: Connect to ipv4#10.0.0.2:9092 failed: Connection refused (after 1ms in "
                         "state CONNECT)")) ==
        "db0:9092: nothing listens there: Connect to ipv4#10.0.0.2:9092 failed: Connection refused");
  for (const char* other : {"db0:9093", "db3:9092", "b0:9092", ":9092", ""})
    CHECK_FALSE(NamesAddress("db0:9092, SSL://DB2,db3:19092,", other));
  const ConnectionError first =
      explain(RD_KAFKA_RESP_ERR__RESOLVE,
              "db:9092/bootstrap: Failed to resolve 'db:9092': Name or service not known (after "
              "3ms in state CONNECT, 1 identical error(s) suppressed)");
  CHECK(first.broker == -1);
  CHECK(Describe(first) ==
        "db:9092: the name does not resolve: Failed to resolve 'db:9092': Name or service not known");
  CHECK(explain(RD_KAFKA_RESP_ERR__TRANSPORT, "db:9092/7: Disconnected (after 600000ms in state UP)").kind ==
        ConnectionError::Kind::kLost);
  const ConnectionError silent = explain(
      RD_KAFKA_RESP_ERR__TRANSPORT,
      "db:9092/7: ApiVersionRequest failed: Local: Timed out: probably due to broker version < 0.10 (see "
      "api.version.request configuration) (after 10013ms in state APIVERSION_QUERY, 1 identical error(s) suppressed)");
  CHECK(silent.kind == ConnectionError::Kind::kUnreachable);
  CHECK(silent.why == "the address does not answer: no answer in time");
  CHECK(
      explain(RD_KAFKA_RESP_ERR__TRANSPORT,
              "ssl://db:9092/7: SSL handshake failed: Disconnected: connecting to a PLAINTEXT broker listener? (after "
              "3ms in state SSL_HANDSHAKE)")
          .why ==
      "the address closes connections before they can be used: SSL handshake failed: Disconnected: "
      "connecting to a PLAINTEXT broker listener?");
  CHECK(explain(RD_KAFKA_RESP_ERR__TRANSPORT,
                "db:9092/7: Connection setup timed out in state CONNECT (after 10029ms in state CONNECT)")
            .why == "the address does not answer: Connection setup timed out in state CONNECT");
  certificates.Take("db:9092", ExplainCertificate(10));
  CHECK(explain(RD_KAFKA_RESP_ERR__SSL, "ssl://db:9092/7: SSL handshake failed: ... (after 5ms in state SSL_HANDSHAKE)")
            .why == "its certificate, or its authority's, has expired; renew it");
  CHECK(ExplainCertificate(20) != ExplainCertificate(62));
}

}  // namespace
}  // namespace outbox::kafka
