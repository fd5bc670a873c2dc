// Tests that a log entry is one line, whatever it contains.
#include <spdlog/logger.h>

#include "monitoring/log.hpp"

#include <cstdio>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "tests/catch.hpp"

namespace outbox::monitoring {
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
  CHECK(Escape(kHostile) == "a\\nb\\x1b[31m\\u009b\\xff{}\"\\\xd0\x96");
  CHECK(Escape("\x7f\t\r") == "\\x7f\\t\\x0d");
  CHECK(Escape("\xd0") == "\\xd0");
  const std::string line = Logged({"info", "text"}, kHostile);
  INFO(line);
  REQUIRE(line.size() > 24);
  CHECK(line.substr(23) == " warn  [shard 0] a\\nb\\x1b[31m\\u009b\\xff{}\"\\\xd0\x96\n");
}

TEST_CASE("bidirectional controls, invisible characters and invalid bytes are escaped, and ordinary text is not",
          "[b122]") {
  for (const auto& [raw, shown] : std::vector<std::pair<std::string, std::string>>{
           {"\xc2\x80\xc2\x9f", "\\u0080\\u009f"},
           {"\xe2\x80\xaa\xe2\x80\xae", "\\u202a\\u202e"},
           {"\xe2\x81\xa6\xe2\x81\xa9", "\\u2066\\u2069"},
           {"\xe2\x80\x8e\xe2\x80\x8f\xd8\x9c", "\\u200e\\u200f\\u061c"},
           {"\xe2\x80\x8b\xef\xbb\xbf\xc2\xad", "\\u200b\\ufeff\\u00ad"},
           {"\xe2\x80\xa8\xe2\x80\xa9", "\\u2028\\u2029"},
           {"\xf3\xa0\x81\x81", "\\udb40\\udc41"},
           {"\xe0\x80\x80\xed\xa0\x80\xc0\xaf", "\\xe0\\x80\\x80\\xed\\xa0\\x80\\xc0\\xaf"},
           {"\xc2\xa0 \xd7\xa9\xd8\xb9\xe4\xb8\xad\xf0\x9f\x98\x80",
            "\xc2\xa0 \xd7\xa9\xd8\xb9\xe4\xb8\xad\xf0\x9f\x98\x80"}}) {
    CHECK(Escape(raw) == shown);
  }
  const std::string line = Logged({"info", "json"}, "a\xc2\x9b\xe2\x80\xae\x7f");
  CHECK(line.find("a\\u009b\\u202e") != std::string::npos);
  CHECK(line.find('\x7f') == std::string::npos);
  CHECK(nlohmann::json::parse(line).at("msg") == "a\xc2\x9b\xe2\x80\xae\x7f");
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

TEST_CASE("a log that cannot be written is lost and does no harm", "[b7]") {
  std::FILE* full = std::fopen("/dev/full", "w");
  REQUIRE(full != nullptr);
  const auto logger = MakeLogger({"info", "json"}, full);
  for (int i = 0; i < 1000; ++i) logger->info("{}", std::string(100, 'x'));
  logger->flush();
  std::fclose(full);
}

}  // namespace
}  // namespace outbox::monitoring
