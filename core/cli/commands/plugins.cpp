// `outbox-relay plugins`: lists the plugins that were found, with the file of each, and says why a file was refused.
#include "storage/loader.hpp"

#include <iostream>

#include "cli/commands/commands.hpp"
#include "cli/common/command.hpp"
#include "util/format.hpp"
#include "util/json.hpp"

namespace outbox::cli {
namespace {

using util::Json;

struct Capability {
  std::uint64_t bit;
  const char* name;
};
constexpr Capability kCapabilities[] = {{OUTBOX_CAN_SHARE, "share"},
                                        {OUTBOX_CAN_ORDER_KEYS, "order_keys"},
                                        {OUTBOX_CAN_FENCE, "fence"},
                                        {OUTBOX_CAN_DEAD_LETTER, "dead_letter"},
                                        {OUTBOX_CAN_FILL_SECRETS, "fill_secrets"}};

std::vector<std::string> Names(std::uint64_t capabilities) {
  std::vector<std::string> names;
  for (const Capability& capability : kCapabilities) {
    if ((capabilities & capability.bit) != 0) names.emplace_back(capability.name);
  }
  return names;
}

std::string Joined(const std::vector<std::string>& texts) {
  std::string joined;
  for (const std::string& text : texts) joined += (joined.empty() ? "" : ", ") + text;
  return joined;
}

void PrintJson(const storage::SearchPath& where, const std::vector<storage::Found>& list) {
  Json searched = Json::Array();
  for (const auto& folder : where.folders) searched.Append(folder.string());
  Json plugins = Json::Array();
  for (const storage::Found& found : list) {
    Json entry = Json::Object({{"name", found.name}, {"file", found.file.string()}});
    if (found.refused) {
      entry.Set("refused", *found.refused);
    } else {
      entry.Set("version", found.version);
      entry.Set("capabilities", Names(found.capabilities));
      entry.Set("extensions", found.extensions);
      entry.Set("shadowed", found.shadowed);
    }
    plugins.Append(std::move(entry));
  }
  const Json shown = Json::Object({{"searched", std::move(searched)}, {"plugins", std::move(plugins)}});
  std::cout << shown.Dump(Json::NotUtf8::kThrow, 2) << std::endl;
}

void PrintText(const storage::SearchPath& where, const std::vector<storage::Found>& list) {
  for (const storage::Found& found : list) {
    std::cout << fmt::format("{:<12} {}\n", found.name, found.file.string());
    if (found.refused) {
      std::cout << "             refused: " << *found.refused << "\n";
      continue;
    }
    std::cout << fmt::format("             version {}; capabilities: {}\n             extensions: {}\n", found.version,
                             Joined(Names(found.capabilities)), Joined(found.extensions));
    if (found.shadowed) std::cout << "             not used: an earlier folder has a plugin of this name\n";
  }
  std::cout << (list.empty() ? "No plugin found. Searched:\n" : "Searched, in this order:\n");
  for (const auto& folder : where.folders) std::cout << "  " << folder.string() << "\n";
  std::cout << std::flush;
}

struct Options {
  bool json = false;
};

int ListPlugins(const Options& options) {
  const storage::SearchPath where = storage::DefaultSearchPath();
  const auto list = storage::List(where);
  options.json ? PrintJson(where, list) : PrintText(where, list);
  return kOk;
}

void Declare(Command& command, Options& options) {
  command.Flag("--json", options.json, "Print JSON");
  command.Footer(
      "Searches each folder of OUTBOX_PLUGIN_PATH (colon-separated), then the installed folder. Refuses a file that\n"
      "anybody but root, this user and the users in OUTBOX_TRUSTED_OWNERS (colon-separated) could replace.\n"
      "\n"
      "Examples:\n"
      "  outbox-relay plugins\n"
      "  OUTBOX_PLUGIN_PATH=/opt/my-plugins outbox-relay plugins --json");
}

}  // namespace

constinit const CommandEntry kPluginsCommand{"plugins", "List the installed storage plugins",
                                             [](Command& command) { return Bind(command, Declare, ListPlugins); }};

}  // namespace outbox::cli
