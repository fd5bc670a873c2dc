#include "publisher/stdout_publisher.hpp"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <cstring>
#include <deque>
#include <mutex>
#include <system_error>
#include <thread>
#include <vector>

#include "publisher/event_line.hpp"
#include "publisher/headers.hpp"
#include "util/thread.hpp"

namespace outbox::publisher {
namespace {

struct Line {
  std::string text;
  std::uint32_t event;
  std::uint32_t epoch;
};

// A pipe whose reader has stopped would block write() for an unlimited time. Publish() therefore only formats lines. A
// separate thread writes the lines and waits for room in poll(), from which another thread can wake it. The engine's
// window limits the number of lines that wait here.
class StdoutPublisher final : public Publisher {
 public:
  StdoutPublisher(PublisherListener& listener, int fd, HeaderValues headers)
      : listener_(listener),
        headers_(headers),
        fd_(fd),
        max_write_(MaxWrite(fd)),
        wake_(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) {
    if (wake_ < 0) throw std::system_error(errno, std::generic_category(), "eventfd");
    writer_ = util::StartThread("stdout-writer", [this] { Run(); });
  }

  ~StdoutPublisher() override {
    {
      const std::lock_guard lock(mutex_);
      stop_ = true;
    }
    Wake();
    writer_.join();
    close(wake_);
  }

  Status Prepare(PreparedBatch& batch, Millis) override {
    batch.events.assign(batch.batch.size(), Prepared{});
    for (std::size_t i = 0; i < batch.events.size(); ++i) {
      Prepared& event = batch.events[i];
      if (!batch.shaped.empty()) {
        event.refusal = batch.shaped[i].refusal;
        continue;
      }
      const outbox_bytes headers = batch.batch[i].headers;
      if (headers.data == nullptr) continue;
      event.headers_at = static_cast<std::uint32_t>(batch.packed_headers.size());
      const Status packed = PackHeaders(View(headers), batch.packed_headers, headers_);
      event.headers_size = static_cast<std::uint32_t>(batch.packed_headers.size()) - event.headers_at;
      if (packed.ok()) continue;
      batch.Refuse(event.refusal, {"bad_headers", packed.text()});
    }
    return {};
  }

  void Cancel() override {}

  void Publish(std::span<const Outgoing> records, std::uint32_t epoch) override {
    {
      const std::lock_guard lock(mutex_);
      for (const Outgoing& record : records) {
        Line& line = lines_.emplace_back(Line{{}, record.event, epoch});
        AppendEventLine(record.Content(), line.text);
      }
    }
    Wake();
  }

  void Reset(std::uint32_t epoch) override {
    {
      const std::lock_guard lock(mutex_);
      resets_.push_back(epoch);
    }
    Wake();
  }

  Refusal Explain(std::int32_t error) const override { return {"refused", std::generic_category().message(error)}; }

 private:
  void Run() {
    listener_.OnBrokerState(true, "stdout accepts lines");
    std::deque<Line> lines;
    for (;;) {
      std::vector<std::uint32_t> resets;
      {
        const std::lock_guard lock(mutex_);
        if (stop_) return;
        resets.swap(resets_);
        std::move(lines_.begin(), lines_.end(), std::back_inserter(lines));
        lines_.clear();
      }
      if (!resets.empty()) {
        GiveUp(lines);
        failed_ = false;
        for (const std::uint32_t epoch : resets) listener_.OnReset(epoch);
      } else if (lines.empty() || failed_) {
        if (failed_) GiveUp(lines);
        WaitForWake();
      } else {
        WriteSome(lines);
      }
    }
  }

  // Writes lines of about kGoodWrite bytes in total. Returns early if the publisher is being stopped or reset.
  void WriteSome(std::deque<Line>& lines) {
    std::string text = rest_;
    std::size_t line_end = text.size();
    for (auto line = lines.begin(); line != lines.end() && text.size() < kGoodWrite; ++line) text += line->text;

    for (std::size_t done = 0; done < text.size();) {
      pollfd wait[] = {{fd_, POLLOUT, 0}, {wake_, POLLIN, 0}};
      if (poll(wait, 2, -1) < 0) continue;
      if ((wait[1].revents & POLLIN) != 0 && !Drained()) return KeepRest(text, done);
      if (wait[0].revents == 0) continue;
      const ssize_t n = write(fd_, text.data() + done, std::min(text.size() - done, max_write_));
      if (n < 0) {
        if (errno == EINTR || errno == EAGAIN) continue;
        KeepRest(text, done);
        return Fail(lines, errno);
      }
      done += static_cast<std::size_t>(n);
      std::size_t whole = 0;
      while (whole < lines.size() && line_end + lines[whole].text.size() <= done)
        line_end += lines[whole++].text.size();
      if (whole > 0) Stored(lines, whole);
    }
    rest_.clear();
  }

  // Remembers the rest of a partly written line in rest_. `text` begins with the previous rest_, and its first `done`
  // bytes are written.
  void KeepRest(const std::string& text, std::size_t done) {
    const bool inside = done > 0 ? text[done - 1] != '\n' : !rest_.empty();
    rest_ = inside ? text.substr(done, text.find('\n', done) + 1 - done) : "";
  }

  void Stored(std::deque<Line>& lines, std::size_t count) {
    if (!up_) listener_.OnBrokerState(true, "stdout accepts lines again");
    up_ = true;
    ReportFront(lines, count, Outcome::kAcknowledged);
  }

  void Fail(std::deque<Line>& lines, int error) {
    failed_ = true;
    if (up_) listener_.OnBrokerState(false, "cannot write to stdout: " + std::generic_category().message(error));
    up_ = false;
    GiveUp(lines);
  }

  // Clears the wake-up. Returns true if the writer was woken only for more lines, not for a stop or a reset.
  bool Drained() {
    ClearWake();
    const std::lock_guard lock(mutex_);
    return !stop_ && resets_.empty();
  }

  void WaitForWake() {
    pollfd wait{wake_, POLLIN, 0};
    poll(&wait, 1, -1);
    ClearWake();
  }

  void Wake() { eventfd_write(wake_, 1); }
  void ClearWake() {
    eventfd_t ignored = 0;
    eventfd_read(wake_, &ignored);
  }

  void GiveUp(std::deque<Line>& lines) { ReportFront(lines, lines.size(), Outcome::kUnknown); }

  void ReportFront(std::deque<Line>& lines, std::size_t count, Outcome outcome) {
    if (count == 0) return;
    std::vector<Report> reports;
    reports.reserve(count);
    for (std::size_t i = 0; i < count; ++i) reports.push_back({lines[i].event, lines[i].epoch, outcome, 0});
    lines.erase(lines.begin(), lines.begin() + static_cast<std::ptrdiff_t>(count));
    listener_.OnReports(reports);
  }

  static constexpr std::size_t kGoodWrite = 64 * 1024;  // Number of bytes that is large enough for one write().

  // Returns the maximum size of one write() in bytes. A pipe that poll() reports as writable accepts PIPE_BUF bytes
  // without blocking, but possibly not one byte more. A regular file has no such limit.
  static std::size_t MaxWrite(int fd) {
    struct stat what {};
    return fstat(fd, &what) == 0 && S_ISREG(what.st_mode) ? kGoodWrite : PIPE_BUF;
  }

  PublisherListener& listener_;
  const HeaderValues headers_;
  const int fd_;
  const std::size_t max_write_;
  const int wake_;

  std::mutex mutex_;
  std::deque<Line> lines_;
  std::vector<std::uint32_t> resets_;
  bool stop_ = false;

  // The members below are used only by the writer thread.

  // The rest of a partly written line. The rest is written next, although the line's event is given up and sent again.
  // So a line remains truncated only if the process ends.
  std::string rest_;
  bool failed_ = false;  // True until Reset(): no line is written, because lines must not follow lost ones.
  bool up_ = true;

  std::thread writer_;
};

}  // namespace

std::unique_ptr<Publisher> MakeStdoutPublisher(PublisherListener& listener, int fd, HeaderValues headers) {
  return std::make_unique<StdoutPublisher>(listener, fd, headers);
}

}  // namespace outbox::publisher
