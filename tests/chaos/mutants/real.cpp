#include "real.hpp"

#include <dlfcn.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <sstream>
#include <string>

namespace outbox::chaos {

namespace {

namespace fs = std::filesystem;

fs::path NextPlugin() {
  Dl_info self{};
  dladdr(reinterpret_cast<const void*>(&RealPlugin), &self);
  const fs::path ours = self.dli_fname;
  const char* const folders = std::getenv("OUTBOX_PLUGIN_PATH");
  std::istringstream list(folders != nullptr ? folders : "");
  for (std::string folder; std::getline(list, folder, ':');)
    if (const fs::path file = fs::path(folder) / ours.filename(); file != ours && fs::exists(file)) return file;
  return {};
}

}  // namespace

const outbox_plugin& RealPlugin() {
  static const outbox_plugin* const plugin = [] {
    void* const library = dlopen(NextPlugin().c_str(), RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
    void* const entry = library != nullptr ? dlsym(library, "outbox_plugin_v1") : nullptr;
    if (entry == nullptr) {
      std::fputs("OUTBOX_PLUGIN_PATH has no real plugin with the file name of this mutant\n", stderr);
      _exit(2);
    }
    return reinterpret_cast<decltype(&outbox_plugin_v1)>(entry)();
  }();
  return *plugin;
}

std::map<std::uint32_t, std::uint64_t> LivingTokens(outbox_session* session, const outbox_call* call) {
  std::map<std::uint32_t, std::uint64_t> tokens;
  outbox_stats stats{};
  stats.struct_size = sizeof stats;
  outbox_error error{};
  error.struct_size = sizeof error;
  const auto take = [](void* into, const outbox_shard_holder* holder) {
    if (holder->relay_id.data != nullptr)
      (*static_cast<std::map<std::uint32_t, std::uint64_t>*>(into))[holder->shard] = holder->token;
  };
  (void)RealExtension<outbox_stats_v1>(OUTBOX_STATS_V1).read(session, call, &stats, &tokens, take, &error);
  return tokens;
}

std::vector<outbox_event> EventsOf(const outbox_batch& batch) {
  std::vector<outbox_event> events;
  const auto* at = reinterpret_cast<const char*>(batch.events);
  for (std::size_t i = 0; i < batch.count; ++i, at += batch.event_size)
    events.push_back(*reinterpret_cast<const outbox_event*>(at));
  return events;
}

namespace {

struct Replaced {
  outbox_batch own;
  std::vector<outbox_event> events;
};

}  // namespace

void Replace(outbox_batch& batch, std::vector<outbox_event> events) {
  auto* const replaced = new Replaced{batch, std::move(events)};
  batch.events = replaced->events.data();
  batch.count = replaced->events.size();
  batch.event_size = sizeof(outbox_event);
  batch.owner = replaced;
  batch.release = [](outbox_batch* released) {
    const std::unique_ptr<Replaced> whole(static_cast<Replaced*>(released->owner));
    whole->own.release(&whole->own);
  };
}

}  // namespace outbox::chaos
