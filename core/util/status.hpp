// Status and Result report expected failures inside the core. The caller must check them.
#pragma once

#include <cassert>
#include <optional>
#include <string>
#include <utility>

#include "outbox/plugin.h"

namespace outbox {

// The outcome of an operation, with a text for people. The codes are those of the plugin ABI (outbox/plugin.h), because
// the code decides what the relay does next.
class [[nodiscard]] Status {
 public:
  Status() = default;
  Status(outbox_code code, std::string text) : code_(code), text_(std::move(text)) {}

  [[nodiscard]] bool ok() const { return code_ == OUTBOX_OK; }
  [[nodiscard]] outbox_code code() const { return code_; }
  [[nodiscard]] const std::string& text() const { return text_; }

 private:
  outbox_code code_ = OUTBOX_OK;
  std::string text_;
};

// A value, or the Status that says why there is none. REQUIRES: ok() is true wherever the value is accessed.
template <class T>
class [[nodiscard]] Result {
 public:
  Result(T value) : value_(std::move(value)) {}                                  // NOLINT(google-explicit-constructor)
  Result(Status status) : status_(std::move(status)) { assert(!status_.ok()); }  // NOLINT(google-explicit-constructor)

  [[nodiscard]] bool ok() const { return value_.has_value(); }
  [[nodiscard]] const Status& status() const { return status_; }
  T& operator*() {
    assert(ok());
    return *value_;
  }
  const T& operator*() const {
    assert(ok());
    return *value_;
  }
  T* operator->() {
    assert(ok());
    return &*value_;
  }
  const T* operator->() const {
    assert(ok());
    return &*value_;
  }

 private:
  std::optional<T> value_;
  Status status_;
};

}  // namespace outbox
