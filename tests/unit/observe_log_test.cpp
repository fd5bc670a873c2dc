// A log entry is one line whatever is in it.
#include <spdlog/logger.h>

#include "observe/log.hpp"

#include <cstdio>
#include <nlohmann/json.hpp>
#include <string>

#include "tests/catch.hpp"

namespace outbox::observe {
namespace {

std::string Logged(const config::Log& config, const std::string& message) {
  std::FILE* file = std::tmpfile();
  REQUIRE(file != nullptr);
  const auto logger = MakeLogger(config, file);
  logger->clone("shard 0")->warn("{}", message);
  logger->debug("not at this level");
  logger->flush();
  std::rewind(file);
  std::string text(4096, '\0');
  text.resize(std::fread(text.data(), 1, text.size(), file));
  std::fclose(file);
  return text;
}

const std::string kHostile = "a\nb\x1b[31m\xc2\x9b\xff{}\"\\\xd0\x96";

TEST_CASE("control characters in a message are escaped", "[b84]") {
  CHECK(Escape(kHostile) == "a\\nb\\x1b[31m\\xc2\\x9b\\xff{}\"\\\xd0\x96");
  CHECK(Escape("\x7f\t\r") == "\\x7f\\t\\x0d");
  CHECK(Escape("\xd0") == "\\xd0");
  const std::string line = Logged({"info", "text"}, kHostile);
  INFO(line);
  REQUIRE(line.size() > 24);
  CHECK(line.substr(23) == " warn  [shard 0] a\\nb\\x1b[31m\\xc2\\x9b\\xff{}\"\\\xd0\x96\n");
}

TEST_CASE("without a terminal an entry is a JSON object") {
  const std::string line = Logged({"info", "auto"}, kHostile);
  INFO(line);
  REQUIRE(line.find('\n') == line.size() - 1);
  const auto entry = nlohmann::json::parse(line);
  CHECK(entry.at("level") == "warn");
  CHECK(entry.at("source") == "shard 0");
  CHECK(entry.at("msg") == "a\nb\x1b[31m\xc2\x9b\xef\xbf\xbd{}\"\\\xd0\x96");
  CHECK(entry.at("time").get<std::string>().size() == 24);
}

TEST_CASE("a log that cannot be written is lost and disturbs nothing", "[b7]") {
  std::FILE* full = std::fopen("/dev/full", "w");
  REQUIRE(full != nullptr);
  const auto logger = MakeLogger({"info", "json"}, full);
  for (int i = 0; i < 1000; ++i) logger->info("{}", std::string(100, 'x'));
  logger->flush();
  std::fclose(full);
}

}  // namespace
}  // namespace outbox::observe
