#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <array>
#include <nlohmann/json.hpp>

#include "publisher/stdout_publisher.hpp"
#include "tests/catch.hpp"
#include "tests/unit/prepared_batch.hpp"
#include "tests/unit/recording_listener.hpp"

using namespace outbox;
using namespace outbox::publisher;
using namespace outbox::test;
using namespace std::string_literals;

namespace {

struct Pipe {
  Pipe() { REQUIRE(pipe2(ends.data(), O_CLOEXEC) == 0); }
  ~Pipe() {
    CloseReader();
    close(ends[1]);
  }
  void CloseReader() {
    if (ends[0] >= 0) close(ends[0]);
    ends[0] = -1;
  }
  std::string ReadLine() {
    std::string line;
    for (char c = 0; read(ends[0], &c, 1) == 1 && c != '\n';) line += c;
    return line;
  }
  int writer() const { return ends[1]; }
  std::array<int, 2> ends{};
};

PreparedBatch Prepare(Publisher& publisher, std::vector<Row> rows) {
  PreparedBatch batch = MakeBatch(std::move(rows));
  REQUIRE(publisher.Prepare(batch, Millis(1000)).ok());
  return batch;
}

}  // namespace

TEST_CASE("a line distinguishes null from empty, and bytes from text") {
  Pipe pipe;
  RecordingListener listener;
  const auto publisher = MakeStdoutPublisher(listener, pipe.writer());
  const PreparedBatch batch =
      Prepare(*publisher,
              {{"orders", "k", "{\"a\":1}", R"({"trace": "7", "none": null, "raw": {"base64": "/w=="}})", "e1", "T"},
               {"orders", std::nullopt, std::nullopt, std::nullopt, "e2", "T"},
               {"orders", "", "", "{}", "e3", "T"},
               {"orders", "\xff", "a\0\n\"\\"s, std::nullopt, "e4", "T"},
               {"orders", "\xed\xa0\x80", "\xf4\x90\x80\x80", std::nullopt, "e5", "Тип"}});
  publisher->Publish(All(batch, 10), 3);

  CHECK(pipe.ReadLine() == R"({"topic":"orders","key":"k","headers":{"trace":"7","none":null,"raw":{"base64":"/w=="}},)"
                           R"("payload":"{\"a\":1}","event_id":"e1","event_type":"T"})");
  CHECK(pipe.ReadLine() ==
        R"({"topic":"orders","key":null,"headers":{},"payload":null,"event_id":"e2","event_type":"T"})");
  CHECK(pipe.ReadLine() == R"({"topic":"orders","key":"","headers":{},"payload":"","event_id":"e3","event_type":"T"})");
  const auto binary = nlohmann::json::parse(pipe.ReadLine());
  CHECK(binary["key"] == nlohmann::json{{"base64", "/w=="}});
  CHECK(binary["payload"] == "a\0\n\"\\"s);
  // The key is a surrogate, and the payload is a code point above U+10FFFF.
  const auto not_utf8 = nlohmann::json::parse(pipe.ReadLine());
  CHECK(not_utf8["key"] == nlohmann::json{{"base64", "7aCA"}});
  CHECK(not_utf8["payload"] == nlohmann::json{{"base64", "9JCAgA=="}});
  CHECK(not_utf8["event_type"] == "Тип");

  REQUIRE(listener.WaitForReports(5));
  for (std::uint32_t i = 0; i < 5; ++i) {
    const Report report = listener.reports()[i];
    CHECK(report.event == 10 + i);
    CHECK(report.epoch == 3);
    CHECK(report.outcome == Outcome::kAcknowledged);
  }
}

TEST_CASE("bad headers refuse their event only", "[b83]") {
  Pipe pipe;
  RecordingListener listener;
  const auto publisher = MakeStdoutPublisher(listener, pipe.writer());
  const PreparedBatch batch =
      Prepare(*publisher, {{}, {"orders", "k", "{}", "[]"}, {"orders", "k", "{}", R"({"a":"b"})"}});
  CHECK(batch.events[0].refusal < 0);
  REQUIRE(batch.events[1].refusal == 0);
  CHECK(batch.refusals[0].reason == "bad_headers");
  CHECK(batch.events[2].refusal < 0);
}

TEST_CASE("a reader that stops blocks neither the engine nor the end, and nothing is lost", "[b20]") {
  Pipe pipe;
  RecordingListener listener;
  auto publisher = MakeStdoutPublisher(listener, pipe.writer());
  const std::string big(40'000, 'x');
  const PreparedBatch batch = Prepare(*publisher, std::vector<Row>(20, Row{"orders", "k", big}));
  publisher->Publish(All(batch), 1);

  SECTION("reset: what was not written is unknown, and a partly written line is completed") {
    // The pipe holds 64 KiB, that is, one whole line and a part of the next.
    REQUIRE(listener.WaitForReports(1));
    publisher->Reset(2);
    REQUIRE(listener.WaitForEpoch(2));
    REQUIRE(listener.reports().size() == 20);
    const std::size_t stored = listener.Count(Outcome::kAcknowledged);
    CHECK(stored >= 1);
    CHECK(stored < 20);
    const PreparedBatch again = Prepare(*publisher, {{"orders", "k", "after"}});
    publisher->Publish(All(again, 20), 2);
    std::vector<std::string> lines;
    do {
      lines.push_back(pipe.ReadLine());
    } while (lines.back().find("\"after\"") == std::string::npos);
    for (const std::string& line : lines) CHECK(nlohmann::json::accept(line));
    CHECK(lines.size() >= stored + 1);
  }
  SECTION("destroyed while the pipe is full") { publisher.reset(); }
}

TEST_CASE("a closed pipe is an outage, reported once") {
  Pipe pipe;
  RecordingListener listener;
  const auto publisher = MakeStdoutPublisher(listener, pipe.writer());
  pipe.CloseReader();
  const PreparedBatch batch = Prepare(*publisher, std::vector<Row>(3));
  publisher->Publish(All(batch), 1);
  REQUIRE(listener.WaitForReports(3));
  publisher->Publish(All(batch), 1);  // The engine does not know of the outage yet, and sends on.
  REQUIRE(listener.WaitForReports(6));
  CHECK(listener.Count(Outcome::kUnknown) == 6);
  publisher->Reset(2);
  REQUIRE(listener.WaitForEpoch(2));
  publisher->Publish(All(batch), 2);
  REQUIRE(listener.WaitForReports(9));
  REQUIRE(listener.states().size() == 2);
  CHECK(listener.states()[0].first);
  CHECK_FALSE(listener.states()[1].first);
  CHECK(listener.states()[1].second == "cannot write to stdout: Broken pipe");
}
