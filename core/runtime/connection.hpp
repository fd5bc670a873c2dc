// One session of the storage. The session is opened when it is needed, and opened again after it broke. Thread: one
// worker thread; Cancel, Rest and GiveUp may be called on any thread.
#pragma once

#include <memory>
#include <mutex>

#include "runtime/peer_health.hpp"
#include "runtime/watchdog.hpp"
#include "storage/store.hpp"

namespace outbox::runtime {

class Connection {
 public:
  // Makes a connection without a session. `handle` is the watchdog's handle of the worker thread.
  Connection(std::shared_ptr<storage::Store> store, std::shared_ptr<PeerHealth> database,
             std::shared_ptr<WatchdogHandle> handle)
      : store_(std::move(store)), database_(std::move(database)), handle_(std::move(handle)) {}

  ~Connection() { Rest(); }
  Connection(const Connection&) = delete;

  // Notes that the connection will not be used for a while, so that the failure of its last call no longer counts
  // towards the health of the database.
  void Rest() { database_->Forget(this); }
  // Notes that a failed call of kind `what` is not repeated, so that its failure no longer counts towards the health of
  // the database.
  void GiveUp(int what) { database_->Forget({this, what}); }

  // Runs f(session) on an open session and returns its Status or Result. A broken session is closed. A session that was
  // opened earlier may have ended, because the server restarted or because the session was idle for too long; f then
  // runs a second time, on a new session, and only the second result is reported. REQUIRES: the call may be repeated.
  //
  // `name`, a literal, is the name of the call for the watchdog. `what` is the kind of call: a lock or a revoked
  // permission may hold up one kind while the other calls of the connection continue. The outcome is reported to the
  // health of the database or, if `instead` is given, only to `instead`: for calls that say nothing about the health of
  // the database.
  template <class F>
  auto Use(const char* name, const Call& call, F&& f, int what = 0, PeerHealth* instead = nullptr)
      -> decltype(f(std::declval<storage::Session&>())) {
    const PeerHealth::Use use{this, what};
    PeerHealth& health = instead != nullptr ? *instead : *database_;
    const bool kept = session_ != nullptr;
    if (Status opened = Open(call, use, health); !opened.ok()) return opened;
    const auto watched = [&] {
      const Watched watch(*handle_, name, call.timeout);
      return f(*session_);
    };
    auto result = watched();
    if (kept && StatusOf(result).code() == OUTBOX_UNAVAILABLE) {
      Close(call);
      if (Status opened = Open(call, use, health); !opened.ok()) return opened;
      result = watched();
    }
    Judge(StatusOf(result), use, health, call);
    return result;
  }

  void Cancel() {
    const std::lock_guard lock(mutex_);
    if (session_) session_->Cancel();
  }

 private:
  static const Status& StatusOf(const Status& s) { return s; }
  template <class T>
  static const Status& StatusOf(const Result<T>& r) {
    return r.status();
  }

  Status Open(const Call& call, PeerHealth::Use use, PeerHealth& health) {
    if (session_) return {};
    auto opened = Connect(call);
    if (!opened.ok()) {
      health.Bad(use, opened.status().text());
      return opened.status();
    }
    const std::lock_guard lock(mutex_);
    session_ = std::move(*opened);
    return {};
  }

  Result<std::unique_ptr<storage::Session>> Connect(const Call& call) {
    const Watched watch(*handle_, "connect", call.timeout);
    return store_->Connect(call);
  }

  void Judge(const Status& status, PeerHealth::Use use, PeerHealth& health, const Call& call) {
    switch (status.code()) {
      case OUTBOX_OK:
      case OUTBOX_LEASE_LOST:
      case OUTBOX_BAD_DATA:
      case OUTBOX_REFUSED:
      case OUTBOX_UNSUPPORTED:
        health.Good(use);
        return;
      case OUTBOX_CANCELLED:
        return;
      default:
        break;
    }
    health.Bad(use, status.text());
    Close(call);
  }

  void Close(const Call& call) {
    const Watched watch(*handle_, "disconnect", call.timeout);
    std::unique_ptr<storage::Session> broken;
    {
      const std::lock_guard lock(mutex_);
      broken.swap(session_);
    }
  }

  const std::shared_ptr<storage::Store> store_;
  const std::shared_ptr<PeerHealth> database_;
  const std::shared_ptr<WatchdogHandle> handle_;
  std::mutex mutex_;  // guards session_ against Cancel; only the worker thread changes session_
  std::unique_ptr<storage::Session> session_;
};

}  // namespace outbox::runtime
