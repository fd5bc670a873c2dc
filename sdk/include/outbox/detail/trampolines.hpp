// The functions in the function tables of a plugin, which call the adapter's C++ object. Each of them catches every
// exception that the adapter throws and converts it to a code, so nothing is thrown across the boundary.
#pragma once

#include <cstring>
#include <memory>
#include <new>
#include <type_traits>
#include <utility>

namespace outbox::detail {

// Copies the text to the array `to`, truncated if necessary, with a NUL at its end.
template <std::size_t N>
void CopyText(char (&to)[N], std::string_view text) noexcept {
  const std::size_t n = std::min(text.size(), N - 1);
  if (n > 0) std::memcpy(to, text.data(), n);  // An empty view may have a null pointer.
  to[n] = 0;
}

// Fills the error, unless `e` is nullptr, and returns the code.
inline outbox_code Fail(outbox_error* e, outbox_code code, std::string_view text, std::string_view sqlstate = {},
                        std::int32_t native = 0) noexcept {
  if (e != nullptr) {
    e->native_code = native;
    CopyText(e->sqlstate, sqlstate);
    CopyText(e->message, text);
  }
  return code;
}

// Calls f(). Returns OUTBOX_OK, or the code for the exception that f() throws.
template <class F>
outbox_code Guard(outbox_error* e, F&& f) noexcept {
  try {
    f();
    return OUTBOX_OK;
  } catch (const Error& x) {
    return Fail(e, x.code, x.what(), x.sqlstate, x.native_code);
  } catch (const std::bad_alloc&) {
    return Fail(e, OUTBOX_INTERNAL, "out of memory");
  } catch (const std::exception& x) {
    return Fail(e, OUTBOX_INTERNAL, x.what());
  } catch (...) {
    return Fail(e, OUTBOX_INTERNAL, "an exception that is not a std::exception");
  }
}

// The functions of all function tables for the adapter A, whose sessions share an object of the class Shared. An
// outbox_store is a pointer to a std::shared_ptr<Shared>, and an outbox_session is a pointer to an A.
template <class A, class Shared>
struct Trampolines {
  using Store = std::shared_ptr<Shared>;

  static A& Adapter(outbox_session* s) { return *reinterpret_cast<A*>(s); }
  static A& Adapter(outbox_session* s, const outbox_call* c) {
    A& adapter = Adapter(s);
    // The name is qualified because an adapter may have its own function Begin.
    adapter.StorageAdapter::Begin({c->shard, c->token, Millis(c->timeout_ms)});
    return adapter;
  }

  static outbox_code Open(const outbox_host* host, const char* json, std::size_t size, outbox_store** out,
                          outbox_error* e) noexcept {
    return Guard(e, [&] {
      *out = reinterpret_cast<outbox_store*>(new Store(std::make_shared<Shared>(std::string(json, size), host)));
    });
  }
  static void Close(outbox_store* s) noexcept { delete reinterpret_cast<Store*>(s); }
  static outbox_code Connect(outbox_store* s, const outbox_call* c, outbox_session** out, outbox_error* e) noexcept {
    return Guard(e, [&] {
      const Call call{c->shard, c->token, Millis(c->timeout_ms)};
      const Store& shared = *reinterpret_cast<Store*>(s);
      if constexpr (std::is_constructible_v<A, const Store&, const Call&>) {
        *out = reinterpret_cast<outbox_session*>(new A(shared, call));
      } else {
        *out = reinterpret_cast<outbox_session*>(new A(shared));
      }
    });
  }
  static void Disconnect(outbox_session* s) noexcept { delete &Adapter(s); }

  static outbox_code Reserve(outbox_session* s, const outbox_reserve* r, const outbox_call* c, outbox_batch* b,
                             outbox_error* e) noexcept {
    return Guard(e, [&] {
      const ReserveRequest request{*r};
      BatchBuilder batch(request);
      Adapter(s, c).ReserveNewEvents(request, batch);
      batch.Finish(b);
    });
  }
  static outbox_code Confirm(outbox_session* s, const outbox_row* rows, std::size_t n, const outbox_call* c,
                             std::uint8_t* kept, outbox_error* e) noexcept {
    return Guard(e, [&] {
      KeptRows found(kept, n);
      Adapter(s, c).ConfirmEvent({rows, n}, found);
    });
  }
  static outbox_code Failed(outbox_session* s, const outbox_failure* f, std::size_t n, const outbox_call* c,
                            outbox_error* e) noexcept {
    return Guard(e, [&] { Adapter(s, c).ConfirmFailed({f, n}); });
  }
  static outbox_code Release(outbox_session* s, const outbox_row_id* ids, std::size_t n, const outbox_call* c,
                             outbox_error* e) noexcept {
    return Guard(e, [&] { Adapter(s, c).Release({ids, n}); });
  }
  static void Cancel(outbox_session* s) noexcept { Adapter(s).Cancel(); }

  static outbox_code Heartbeat(outbox_session* s, outbox_bytes relay, std::int64_t lease_ms, const outbox_call* c,
                               outbox_lease* out, outbox_error* e) noexcept {
    return Guard(e, [&] {
      const Lease lease = Adapter(s, c).Heartbeat(View(relay), Millis(lease_ms));
      if (lease.owned.size() > out->capacity)
        throw Error(OUTBOX_INTERNAL, "the relay owns more shards than the caller has room for");
      out->shards_total = lease.shards_total;
      out->live_relays = lease.live_relays;
      out->lease_left_ms = lease.left.count();
      out->owned_count = static_cast<std::uint32_t>(lease.owned.size());
      std::copy(lease.owned.begin(), lease.owned.end(), out->owned);
      if (OUTBOX_HAS(outbox_lease, out, namesakes)) out->namesakes = lease.namesakes;
    });
  }
  static outbox_code ReleaseShards(outbox_session* s, outbox_bytes relay, const outbox_owned_shard* shards,
                                   std::size_t n, std::uint32_t deregister, const outbox_call* c,
                                   outbox_error* e) noexcept {
    return Guard(e, [&] { Adapter(s, c).ReleaseShards(View(relay), {shards, n}, deregister != 0); });
  }

  static std::optional<RowId> MaybeRow(const outbox_row_id* id) {
    return id != nullptr ? std::optional(ToRowId(*id)) : std::nullopt;
  }
  static outbox_code WasLost(outbox_session* s, const outbox_call* c, std::uint32_t* lost, outbox_error* e) noexcept {
    return Guard(e, [&] { *lost = Adapter(s, c).WasLost() ? 1 : 0; });
  }
  static outbox_code Mark(outbox_session* s, const outbox_row_id* row, const outbox_call* c, std::uint32_t* owners,
                          outbox_error* e) noexcept {
    return Guard(e, [&] { *owners = Adapter(s, c).Mark(MaybeRow(row)); });
  }

  static outbox_code Wait(outbox_session* s, const outbox_call* c, outbox_error* e) noexcept {
    bool seen = false;
    const outbox_code code = Guard(e, [&] { seen = Adapter(s, c).Wait(); });
    return code == OUTBOX_OK && !seen ? OUTBOX_TIMEOUT : code;
  }

  static outbox_code EmitBegin(outbox_session* s, const outbox_call* c, outbox_error* e) noexcept {
    return Guard(e, [&] { Adapter(s, c).BeginEmit(); });
  }
  static outbox_code EmitInsert(outbox_session* s, const outbox_event* events, std::size_t n, std::size_t stride,
                                const outbox_call* c, outbox_error* e) noexcept {
    return Guard(e, [&] { Adapter(s, c).Insert({events, n, stride}); });
  }
  static outbox_code EmitEnd(outbox_session* s, std::int32_t commit, const outbox_call* c, outbox_error* e) noexcept {
    return Guard(e, [&] { Adapter(s, c).EndEmit(commit != 0); });
  }

  static SchemaOptions ToSchemaOptions(const outbox_schema_options* w) {
    return {w->shards, std::string(View(w->payload)), OUTBOX_HAS(outbox_schema_options, w, wake_up) && w->wake_up != 0,
            OUTBOX_HAS(outbox_schema_options, w, rewrite_events) && w->rewrite_events != 0,
            OUTBOX_HAS(outbox_schema_options, w, remove_capture) && w->remove_capture != 0};
  }
  static outbox_code SchemaPrint(outbox_store* s, const outbox_schema_options* w, void* ctx,
                                 void (*text)(void*, outbox_bytes), outbox_error* e) noexcept {
    return Guard(e, [&] {
      const std::string sql = A::PrintSchema(**reinterpret_cast<Store*>(s), ToSchemaOptions(w));
      text(ctx, Raw(sql));
    });
  }
  static outbox_code SchemaApply(outbox_session* s, const outbox_schema_options* w, const outbox_call* c,
                                 outbox_error* e) noexcept {
    return Guard(e, [&] { Adapter(s, c).ApplySchema(ToSchemaOptions(w)); });
  }
  static outbox_code SchemaCheck(outbox_session* s, const outbox_call* c, void* ctx,
                                 void (*finding)(void*, std::int32_t, outbox_bytes, outbox_bytes),
                                 outbox_error* e) noexcept {
    return Guard(e, [&] {
      for (const Finding& f : Adapter(s, c).CheckSchema())
        finding(ctx,
                f.note    ? OUTBOX_FINDING_NOTE
                : f.error ? OUTBOX_FINDING_ERROR
                          : OUTBOX_FINDING_WARNING,
                Raw(f.what), Raw(f.fix));
    });
  }

  static outbox_code SchemaPlan(outbox_session* s, const outbox_schema_options* w, const outbox_call* c, void* ctx,
                                void (*change)(void*, outbox_bytes), outbox_error* e) noexcept {
    return Guard(e, [&] {
      for (const std::string& what : Adapter(s, c).PlanSchema(ToSchemaOptions(w))) change(ctx, Raw(what));
    });
  }

  static void Give(const std::vector<outbox::Column>& columns, void* ctx, void (*column)(void*, const outbox_column*)) {
    for (const outbox::Column& one : columns) {
      const outbox_column raw{sizeof raw, one.kind, one.role,      one.nullable ? 1u : 0u,
                              one.scale,  0,        Raw(one.name), Raw(one.type)};
      column(ctx, &raw);
    }
  }
  static outbox_code ColumnsDescribe(outbox_session* s, const outbox_call* c, void* ctx,
                                     void (*column)(void*, const outbox_column*), outbox_error* e) noexcept {
    return Guard(e, [&] { Give(Adapter(s, c).DescribeColumns(), ctx, column); });
  }
  static outbox_code ColumnsOf(outbox_session* s, outbox_bytes table, const outbox_call* c, void* ctx,
                               void (*column)(void*, const outbox_column*), outbox_error* e) noexcept {
    return Guard(e, [&] { Give(Adapter(s, c).ColumnsOf(View(table)), ctx, column); });
  }
  static outbox_code ColumnsVerify(outbox_session* s, const outbox_call* c, outbox_error* e) noexcept {
    return Guard(e, [&] { Adapter(s, c).VerifySource(); });
  }

  static outbox_code StatsRead(outbox_session* s, const outbox_call* c, outbox_stats* out, void* ctx,
                               void (*holder)(void*, const outbox_shard_holder*), outbox_error* e) noexcept {
    return Guard(e, [&] {
      const Statistics stats = Adapter(s, c).ReadStats();
      const outbox_stats full{sizeof full,
                              static_cast<std::uint32_t>(stats.backlog_precision),
                              stats.backlog,
                              stats.retrying,
                              stats.blocked,
                              stats.dead,
                              stats.oldest_age.count(),
                              stats.shards_total,
                              stats.shards_owned,
                              stats.live_relays,
                              0,
                              stats.undeletable};
      const std::uint32_t known = out->struct_size;
      std::memcpy(out, &full, std::min<std::size_t>(known, sizeof full));
      out->struct_size = known;
      if (holder == nullptr) return;
      for (const ShardHolder& h : stats.holders) {
        const outbox_shard_holder raw{h.shard, 0, h.token, h.expires_in.count(),
                                      h.relay_id ? Raw(std::string_view(*h.relay_id)) : outbox_bytes{nullptr, 0}};
        holder(ctx, &raw);
      }
    });
  }

  static outbox_code DeadList(outbox_session* s, const outbox_query* q, const outbox_call* c, void* ctx,
                              std::int32_t (*found)(void*, const outbox_record*), outbox_error* e) noexcept {
    return Guard(e, [&] {
      Query query{q->from, MaybeRow(q->after), MaybeRow(q->before), Maybe(q->key), Maybe(q->event_id),
                  q->max,  q->contents != 0};
      if (OUTBOX_HAS(outbox_query, q, topic)) query.topic = Maybe(q->topic);
      std::uint32_t count = 0;
      Adapter(s, c).List(query, [&](const Record& r) {
        if (query.key && r.event.aggregate_id != query.key) return true;
        const outbox_event event = ToRaw(r.event);
        const outbox_record raw{
            sizeof raw,       sizeof event,  &event,        r.event.payload ? Size(*r.event.payload) : r.payload_size,
            r.state,          r.shard,       r.now_us,      r.first_failed_us,
            r.last_failed_us, r.next_try_us, Raw(r.reason), Raw(r.error)};
        return found(ctx, &raw) != 0 && ++count < query.max;
      });
    });
  }
  static std::int64_t Size(std::string_view bytes) { return static_cast<std::int64_t>(bytes.size()); }
  template <std::uint64_t (Admin::*Change)(RowIds)>
  static outbox_code DeadChange(outbox_session* s, const outbox_row_id* ids, std::size_t n, const outbox_call* c,
                                std::uint64_t* changed, outbox_error* e) noexcept {
    return Guard(e, [&] { *changed = (Adapter(s, c).*Change)({ids, n}); });
  }
  static outbox_code DeadRemove(outbox_session* s, const outbox_row_id* ids, std::size_t n, std::int64_t again_ms,
                                const outbox_call* c, std::uint64_t* changed, outbox_error* e) noexcept {
    return Guard(e, [&] { *changed = Adapter(s, c).RemoveDelivered({ids, n}, Millis(again_ms)); });
  }

  static outbox_code TestReset(outbox_session* s, const outbox_call* c, outbox_error* e) noexcept {
    return Guard(e, [&] { Adapter(s, c).Reset(); });
  }
  static outbox_code TestExpire(outbox_session* s, const outbox_call* c, outbox_error* e) noexcept {
    return Guard(e, [&] { Adapter(s, c).ExpireLeases(); });
  }
  static outbox_code TestDue(outbox_session* s, const outbox_call* c, outbox_error* e) noexcept {
    return Guard(e, [&] { Adapter(s, c).MakeRetriesDue(); });
  }
  static outbox_code TestState(outbox_session* s, outbox_bytes id, const outbox_call* c, std::int32_t* state,
                               std::uint32_t* attempts, outbox_error* e) noexcept {
    return Guard(e, [&] {
      const outbox::TestState found = Adapter(s, c).StateOf(View(id));
      *state = found.state;
      *attempts = found.attempts;
    });
  }

  static const void* Extension(const char* id) noexcept {
    const std::string_view wanted = id;
    if constexpr (std::is_base_of_v<Leases, A>) {
      static const outbox_leases_v1 kTable{sizeof kTable, Heartbeat, ReleaseShards};
      if (wanted == OUTBOX_LEASES_V1) return &kTable;
    }
    if constexpr (std::is_base_of_v<Poison, A>) {
      static const outbox_poison_v1 kTable{sizeof kTable, WasLost, Mark};
      if (wanted == OUTBOX_POISON_V1) return &kTable;
    }
    if constexpr (std::is_base_of_v<WakeUp, A>) {
      static const outbox_wakeup_v1 kTable{sizeof kTable, Wait};
      if (wanted == OUTBOX_WAKEUP_V1) return &kTable;
    }
    if constexpr (std::is_base_of_v<Emit, A>) {
      static const outbox_emit_v1 kTable{sizeof kTable, EmitBegin, EmitInsert, EmitEnd};
      if (wanted == OUTBOX_EMIT_V1) return &kTable;
    }
    if constexpr (std::is_base_of_v<Columns, A>) {
      static const outbox_columns_v1 kTable{sizeof kTable, ColumnsDescribe, ColumnsVerify, ColumnsOf};
      if (wanted == OUTBOX_COLUMNS_V1) return &kTable;
    }
    if constexpr (std::is_base_of_v<Schema, A>) {
      static const outbox_schema_v1 kTable{sizeof kTable, SchemaPrint, SchemaApply, SchemaCheck, SchemaPlan};
      if (wanted == OUTBOX_SCHEMA_V1) return &kTable;
    }
    if constexpr (std::is_base_of_v<Stats, A>) {
      static const outbox_stats_v1 kTable{sizeof kTable, StatsRead};
      if (wanted == OUTBOX_STATS_V1) return &kTable;
    }
    if constexpr (std::is_base_of_v<Admin, A>) {
      static const outbox_admin_v1 kTable{sizeof kTable,
                                          DeadList,
                                          DeadChange<&Admin::Requeue>,
                                          DeadChange<&Admin::Discard>,
                                          DeadChange<&Admin::DiscardBlocked>,
                                          DeadChange<&Admin::RetryNow>,
                                          DeadRemove};
      if (wanted == OUTBOX_ADMIN_V1) return &kTable;
    }
    if constexpr (std::is_base_of_v<Testing, A>) {
      static const outbox_testing_v1 kTable{sizeof kTable, TestReset, TestExpire, TestDue, TestState};
      if (wanted == OUTBOX_TESTING_V1) return &kTable;
    }
    return nullptr;
  }
};

// True if the adapter overrides Release(). If it does not, release_events is NULL in the function table, and the relay
// does not call it.
template <class A>
constexpr bool kOverridesRelease = !std::is_same_v<decltype(&A::Release), void (StorageAdapter::*)(RowIds)>;
template <class A>
constexpr bool kOverridesCancel = !std::is_same_v<decltype(&A::Cancel), void (StorageAdapter::*)() noexcept>;

// Returns the function table of the plugin. It is constant, and the same object in every call with the same A and
// Shared.
template <class A, class Shared>
const outbox_plugin* PluginTable(const char* name, const char* version, std::uint64_t capabilities) {
  using T = Trampolines<A, Shared>;
  static const outbox_plugin kTable{sizeof kTable,
                                    OUTBOX_ABI_MINOR,
                                    name,
                                    version,
                                    capabilities,
                                    T::Open,
                                    T::Close,
                                    T::Connect,
                                    T::Disconnect,
                                    T::Reserve,
                                    T::Confirm,
                                    T::Failed,
                                    kOverridesRelease<A> ? T::Release : nullptr,
                                    kOverridesCancel<A> ? T::Cancel : nullptr,
                                    T::Extension};
  return &kTable;
}

}  // namespace outbox::detail
