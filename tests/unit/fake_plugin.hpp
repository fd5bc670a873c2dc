// A plugin that is compiled into the test: a function table whose answers and batches the test determines.
#pragma once

#include <spdlog/logger.h>
#include <spdlog/sinks/null_sink.h>

#include <functional>

#include "storage/store.hpp"

namespace outbox::testing {

// The functions of the function table receive no context of their own, so the store handle points to the FakePlugin
// itself. Each FakePlugin has one store.
struct FakePlugin {
  outbox_code open_code = OUTBOX_OK, connect_code = OUTBOX_OK, confirm_code = OUTBOX_OK;
  std::string message = "the fake's own words";
  bool no_store = false, no_session = false;
  std::function<void(const outbox_reserve&, outbox_batch&)> fill;  // Fills the batch of the next reserve.
  std::string event_id = "e";
  std::string options;  // The options that were passed to open().
  int released = 0, closed = 0, disconnected = 0;

  FakePlugin() {
    current = this;
    table = {sizeof table, OUTBOX_ABI_MINOR, "fake",  "1.2.3", 0,       Open,    Close,    Connect,
             Disconnect,   Reserve,          Confirm, Failed,  nullptr, nullptr, Extension};
  }
  ~FakePlugin() { current = nullptr; }

  // Returns an event with every required field filled.
  static outbox_event Event(std::string_view row_id) {
    outbox_event event{};
    event.row_id = Raw(RowId(row_id));
    event.event_id = event.event_type = event.topic = Raw("x");
    return event;
  }
  void Hand(outbox_batch& batch, const std::vector<outbox_event>& events) {
    batch.event_size = sizeof(outbox_event);
    batch.events = events.data();
    batch.count = events.size();
    batch.release = [](outbox_batch*) { ++current->released; };
  }

  outbox_plugin table;

 private:
  static inline FakePlugin* current = nullptr;

  static outbox_code Fail(outbox_code code, outbox_error* error) {
    if (code != OUTBOX_OK) detail::CopyText(error->message, current->message);
    return code;
  }
  static outbox_code Open(const outbox_host*, const char* options, std::size_t size, outbox_store** store,
                          outbox_error* e) {
    current->options.assign(options, size);
    if (!current->no_store) *store = reinterpret_cast<outbox_store*>(current);
    return Fail(current->open_code, e);
  }
  static void Close(outbox_store*) { ++current->closed; }
  static outbox_code Connect(outbox_store*, const outbox_call*, outbox_session** session, outbox_error* e) {
    if (!current->no_session) *session = reinterpret_cast<outbox_session*>(current);
    return Fail(current->connect_code, e);
  }
  static void Disconnect(outbox_session*) { ++current->disconnected; }
  static outbox_code Reserve(outbox_session*, const outbox_reserve* ask, const outbox_call*, outbox_batch* batch,
                             outbox_error*) {
    current->fill(*ask, *batch);
    return OUTBOX_OK;
  }
  static outbox_code Confirm(outbox_session*, const outbox_row*, std::size_t, const outbox_call*, std::uint8_t*,
                             outbox_error* e) {
    return Fail(current->confirm_code, e);
  }
  static outbox_code Failed(outbox_session*, const outbox_failure*, std::size_t, const outbox_call*, outbox_error*) {
    return OUTBOX_OK;
  }
  static const void* Extension(const char*) { return nullptr; }
};

inline std::shared_ptr<spdlog::logger> NoLog() {
  return std::make_shared<spdlog::logger>("none", std::make_shared<spdlog::sinks::null_sink_mt>());
}

}  // namespace outbox::testing
