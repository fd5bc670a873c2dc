// Tests of the plugin's options and of the extension outbox.schema/1.
#include <spdlog/logger.h>

#include <nlohmann/json.hpp>

#include "rig.hpp"

namespace outbox::contract {
namespace {

constexpr Millis kTimeout{10'000};

Status OpenWith(const Subject& subject, const std::string& options) {
  Subject changed = subject;
  changed.options = options;
  const auto logger = std::make_shared<spdlog::logger>("plugin");
  return storage::Store::Open(LoadSubject(subject), options, logger).status();
}

void BadJsonIsBadConfig(const Subject& subject) {
  for (const char* options : {"", "{", "nonsense", "[]", "1", "null", "{\"a\":}"}) {
    const Status status = OpenWith(subject, options);
    Expect(status.code() == OUTBOX_BAD_CONFIG, "open with options '{}' returned code {}: {}", options, status.code(),
           status.text());
  }
}

void UnknownKeyIsNamed(const Subject& subject) {
  auto options = nlohmann::json::parse(subject.options);
  options["conection_timeot"] = 1;
  const Status status = OpenWith(subject, options.dump());
  Expect(status.code() == OUTBOX_BAD_CONFIG, "open returned code {}: {}", status.code(), status.text());
  Expect(status.text().find("conection_timeot") != std::string::npos, "the error does not name the key: {}",
         status.text());
}

void SchemaIsPrintedWithoutADatabase(const Subject& subject) {
  const auto store = OpenSubject(subject);
  const auto sql = store->PrintSchema({1, subject.payload});
  if (sql.status().code() == OUTBOX_UNSUPPORTED) throw Skipped(sql.status().text());
  Ok(sql.status());
  Expect(!sql->empty(), "the printed schema is empty");
}

void SecondApplyChangesNothing(const Subject& subject) {
  Rig rig(subject);
  rig.Emit(2, "k");
  const Status status = rig.session().ApplySchema({0, subject.payload}, Within(kTimeout));
  if (status.code() == OUTBOX_UNSUPPORTED) throw Skipped(status.text());
  Ok(status);
  Relay relay(rig);
  Expect(Numbers(relay.Await(2)) == "1 2", "the events are gone");
}

void CheckFindsNoErrorAfterApply(const Subject& subject) {
  Rig rig(subject);
  const auto findings = rig.session().CheckSchema(Within(kTimeout));
  if (findings.status().code() == OUTBOX_UNSUPPORTED) throw Skipped(findings.status().text());
  Ok(findings.status());
  for (const Finding& finding : *findings) Expect(!finding.error, "{} ({})", finding.what, finding.fix);
}

}  // namespace

std::vector<Case> ConfigCases() {
  return {
      {"config", "bad-json-is-bad-config", "Options that are no JSON object are refused as BAD_CONFIG.",
       BadJsonIsBadConfig},
      {"config", "unknown-key-is-named", "A misspelt option is refused, and the error names it.", UnknownKeyIsNamed},
      {"config", "schema-is-printed-without-a-database", "schema.print needs no connection.",
       SchemaIsPrintedWithoutADatabase},
      {"config", "second-apply-changes-nothing", "schema.apply keeps the events that are there.",
       SecondApplyChangesNothing},
      {"config", "check-finds-no-error-after-apply", "schema.check accepts what schema.apply creates.",
       CheckFindsNoErrorAfterApply},
  };
}

}  // namespace outbox::contract
