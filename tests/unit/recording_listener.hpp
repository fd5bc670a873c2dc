// Records what a publisher has reported, and waits for reports.
#pragma once

#include <chrono>
#include <condition_variable>
#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "publisher/publisher.hpp"

namespace outbox::test {

class RecordingListener final : public publisher::PublisherListener {
 public:
  void OnReports(std::span<const publisher::Report> reports) override {
    const std::lock_guard lock(mutex_);
    reports_.insert(reports_.end(), reports.begin(), reports.end());
    changed_.notify_all();
  }
  void OnReset(std::uint32_t epoch) override {
    const std::lock_guard lock(mutex_);
    epoch_ = epoch;
    reported_before_reset_ = reports_.size();
    changed_.notify_all();
  }
  void OnProducerFailed(const std::string& why) override {
    const std::lock_guard lock(mutex_);
    failures_.push_back(why);
    changed_.notify_all();
  }
  void OnBrokerState(bool up, const std::string& why) override {
    const std::lock_guard lock(mutex_);
    states_.emplace_back(up, why);
    changed_.notify_all();
  }

  void OnTopicsKnown() override {
    const std::lock_guard lock(mutex_);
    ++topics_known_;
    changed_.notify_all();
  }

  // Each WaitFor function waits until the publisher has reported the given number or epoch, and then returns true.
  // After 20 s it returns false.
  bool WaitForReports(std::size_t count) {
    return Wait([&] { return reports_.size() >= count; });
  }
  bool WaitForEpoch(std::uint32_t epoch) {
    return Wait([&] { return epoch_ == epoch; });
  }
  bool WaitForFailures(std::size_t count) {
    return Wait([&] { return failures_.size() >= count; });
  }
  bool WaitForStates(std::size_t count) {
    return Wait([&] { return states_.size() >= count; });
  }

  bool WaitForTopics(std::size_t count) {
    return Wait([&] { return topics_known_ >= count; });
  }
  std::size_t topics_known() const { return Copy(topics_known_); }

  std::vector<publisher::Report> reports() const { return Copy(reports_); }
  std::vector<std::string> failures() const { return Copy(failures_); }
  std::vector<std::pair<bool, std::string>> states() const { return Copy(states_); }
  std::size_t reported_before_reset() const { return Copy(reported_before_reset_); }
  std::size_t Count(publisher::Outcome outcome) const {
    std::size_t count = 0;
    for (const publisher::Report& report : reports()) count += report.outcome == outcome ? 1 : 0;
    return count;
  }

 private:
  template <class F>
  bool Wait(F done) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, std::chrono::seconds(20), done);
  }
  template <class T>
  T Copy(const T& value) const {
    const std::lock_guard lock(mutex_);
    return value;
  }

  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<publisher::Report> reports_;
  std::vector<std::string> failures_;
  std::vector<std::pair<bool, std::string>> states_;
  std::uint32_t epoch_ = 0;
  std::size_t reported_before_reset_ = 0;
  std::size_t topics_known_ = 0;
};

}  // namespace outbox::test
