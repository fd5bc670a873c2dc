#include "kafka/logins.hpp"

#include <sys/stat.h>

#include <array>
#include <utility>

namespace outbox::kafka {
namespace {

constexpr std::chrono::seconds kBetweenLooks{1};
constexpr std::array kFileProperties = {"ssl.ca.location",  "ssl.certificate.location", "ssl.key.location",
                                        "ssl.crl.location", "ssl.keystore.location",    "sasl.kerberos.keytab"};

}  // namespace

std::string Logins::Files() const {
  std::string all;
  for (const char* name : kFileProperties) {
    const auto found = settings_.properties.find(name);
    struct stat info {};
    if (found == settings_.properties.end() || stat(found->second.c_str(), &info) != 0) continue;
    for (const auto number : {static_cast<long>(info.st_ino), static_cast<long>(info.st_size),
                              static_cast<long>(info.st_mtim.tv_sec), static_cast<long>(info.st_mtim.tv_nsec)})
      all += std::to_string(number) + " ";
  }
  return all;
}

Properties Logins::Choose() {
  Properties now = settings_.Now();
  const bool old_refused = refused_ && in_use_ == worked_;
  if (worked_ && rejected_ == now && !old_refused) now = *worked_;
  files_ = Files();
  in_use_ = now;
  return now;
}

bool Logins::Worked() {
  refused_ = false;
  if (worked_ == in_use_) return false;
  rejected_.reset();
  return std::exchange(worked_, in_use_).has_value();
}

void Logins::Refused() {
  const bool falls_back = worked_ && in_use_ != worked_;
  if (falls_back && rejected_ != in_use_) {
    rejected_ = in_use_;
    fell_back_ = true;
  }
  if (std::exchange(refused_, true)) return;
  gap_.Begin();
  if (!falls_back) gap_.Tried(TryGap::Clock::now());
}

bool Logins::TakeFallBack() { return in_use_ == worked_ && std::exchange(fell_back_, false); }

bool Logins::WorthATry(bool only_news) {
  const auto now = TryGap::Clock::now();
  if (!refused_ || now < next_look_) return false;
  next_look_ = now + kBetweenLooks;
  Properties current = settings_.Now();
  std::string files = Files();
  const bool news = (current != in_use_ && current != seen_) || (files != files_ && files != seen_files_);
  seen_ = std::move(current);
  seen_files_ = std::move(files);
  if (news) gap_.Begin();
  const bool falls_back = rejected_ == in_use_;
  if ((only_news && !news && !falls_back) || !gap_.Due(now)) return false;
  gap_.Tried(now);
  return true;
}

}  // namespace outbox::kafka
