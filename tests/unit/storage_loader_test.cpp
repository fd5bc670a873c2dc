// Tests that the loader accepts a good file, and that it refuses every bad one with a message that names the broken
// rule and the searched folders.
#include <grp.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <random>

#include "fake_plugin.hpp"
#include "storage/elf.hpp"
#include "storage/loader.hpp"
#include "tests/catch.hpp"

namespace outbox::storage {
namespace {

namespace fs = std::filesystem;
using outbox::testing::NoLog;

const fs::path kBadPlugins = OUTBOX_BAD_PLUGINS;

fs::path BadPlugin(const std::string& name) { return kBadPlugins / ("outbox-" + name + ".so"); }

class Folder {
 public:
  Folder() {
    std::string name = (fs::temp_directory_path() / "outbox-loader-XXXXXX").string();
    REQUIRE(::mkdtemp(name.data()) != nullptr);
    path = name;
  }
  ~Folder() { fs::remove_all(path); }
  fs::path Put(const fs::path& from, const std::string& name) const {
    fs::copy_file(from, path / name);
    return path / name;
  }
  fs::path Write(const std::string& name, const std::string& bytes) const {
    std::ofstream(path / name, std::ios::binary) << bytes;
    return path / name;
  }
  fs::path path;
};

std::string ReadFile(const fs::path& file) {
  std::ifstream in(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

std::string Refusal(const std::string& name, const SearchPath& where) {
  const auto table = Load(name, where);
  REQUIRE_FALSE(table.ok());
  CHECK(table.status().code() == OUTBOX_BAD_CONFIG);
  return table.status().text();
}

std::string RefusalOf(const std::string& name, const fs::path& file) {
  const std::string text = Refusal(name, {file.string(), {}});
  const std::string start = "storage plugin '" + name + "' refused: " + file.string() + ": ";
  CHECK(text.starts_with(start));
  return text.substr(std::min(text.size(), start.size()), text.rfind(" Searched: ") - start.size());
}

}  // namespace

TEST_CASE("a plugin in plain C is found by its name, loaded and used") {
  const auto table = Load("plain-c", {"", {"/nowhere", kBadPlugins}});
  REQUIRE(table.ok());
  const auto store = Store::Open(*table, "{}", NoLog());
  REQUIRE(store.ok());
  const auto session = std::move(*(*store)->Connect({0, 0, Millis(1000)}));
  CHECK(session->ReserveNewEvents({}, {0, 0, Millis(1000)}).ok());
  CHECK(Load("plain-c", {BadPlugin("plain-c").string(), {}}).ok());
}

TEST_CASE("an unknown name is refused with every place searched and the nearest name") {
  const Folder folder;
  folder.Put(BadPlugin("plain-c"), "outbox-plain-c.so");
  CHECK(Refusal("plainc", {"", {"/nowhere", folder.path, "relative"}}) ==
        "storage plugin 'plainc' not found. Searched: /nowhere/outbox-plainc.so, " + folder.path.string() +
            "/outbox-plainc.so, relative/outbox-plainc.so (skipped: not an absolute path). Available: plain-c. Did you "
            "mean 'plain-c'?");
  CHECK(Refusal("cassandra", {"", {folder.path}}).ends_with(" Available: plain-c."));
  CHECK(Refusal("cassandra", {"", {"/nowhere"}}).find(" There is no plugin in these folders; install the relay") !=
        std::string::npos);
  CHECK(Refusal("plain-c", {"/nowhere/x.so", {folder.path}}) ==
        "storage plugin 'plain-c' not found: storage.plugin_path names /nowhere/x.so, which does not exist");
}

TEST_CASE("a name cannot lead out of the folders") {
  const std::string name = GENERATE("", "../x", "a/b", "Upper", "a.b", "a b", "\xC3\xA9");
  CHECK(Refusal(name, {"", {kBadPlugins}}) ==
        "storage plugin '" + name + "': a plugin's name consists of a-z, 0-9, _ and - only");
}

TEST_CASE("the first existing file decides") {
  const Folder first, second;
  first.Write("outbox-plain-c.so", "not a library");
  second.Put(BadPlugin("plain-c"), "outbox-plain-c.so");
  CHECK(Refusal("plain-c", {"", {"/nowhere", first.path, second.path}}) ==
        "storage plugin 'plain-c' refused: " + first.path.string() +
            "/outbox-plain-c.so: not an ELF file, so not a shared library. Searched: /nowhere/outbox-plain-c.so, " +
            first.path.string() + "/outbox-plain-c.so.");
}

TEST_CASE("a file that breaks a rule is refused with the rule", "[b87]") {
  const Folder folder;
  SECTION("relative path") {
    // A relative name is never looked up in the working directory.
    CHECK(Refusal("plain-c", {"outbox-plain-c.so", {}}).find("does not exist") != std::string::npos);
    const fs::path relative = fs::relative(BadPlugin("plain-c"));
    CHECK(RefusalOf("plain-c", relative) == "not an absolute path.");
  }
  SECTION("empty") {
    CHECK(RefusalOf("x", folder.Write("outbox-x.so", "")) == "not an ELF file, so not a shared library.");
  }
  SECTION("a folder") {
    fs::create_directory(folder.path / "outbox-x.so");
    CHECK(RefusalOf("x", folder.path / "outbox-x.so") == "not a regular file.");
    // The message must not suggest "chmod o-w": the machine needs /dev/null and /tmp writable by everybody.
    CHECK(RefusalOf("x", "/dev/null") == "not a regular file.");
    CHECK(RefusalOf("x", "/tmp") == "not a regular file.");
  }
  SECTION("a link to nothing") {
    fs::create_symlink("/nowhere", folder.path / "outbox-x.so");
    CHECK(RefusalOf("x", folder.path / "outbox-x.so") == "cannot be opened: No such file or directory.");
  }
  SECTION("another architecture") {
    std::string bytes = ReadFile(BadPlugin("plain-c"));
    bytes.at(18) = '\x08';  // Sets e_machine to MIPS.
    bytes.at(19) = 0;
    CHECK(RefusalOf("x", folder.Write("outbox-x.so", bytes)).starts_with("built for another architecture ("));
  }
  SECTION("cut off") {
    const std::string bytes = ReadFile(BadPlugin("plain-c")).substr(0, 3000);
    CHECK(RefusalOf("x", folder.Write("outbox-x.so", bytes)) == "damaged: its ELF tables lead outside the file.");
  }
  SECTION("no entry") {
    CHECK(RefusalOf("no-symbol", BadPlugin("no-symbol")) ==
          "not an outbox plugin: it does not export outbox_plugin_v1.");
  }
  SECTION("another ABI") {
    CHECK(RefusalOf("other-major", BadPlugin("other-major")) ==
          "built for another plugin ABI: it exports outbox_plugin_v2, this relay needs outbox_plugin_v1; get the "
          "build of the plugin for this relay.");
  }
  SECTION("a symbol that no library defines") {
    const fs::path plugin = BadPlugin("unresolved");
    CHECK(RefusalOf("unresolved", plugin) ==
          "cannot be loaded: " + plugin.string() + ": undefined symbol: nobody_has_this.");
  }
  SECTION("NULL table") {
    CHECK(RefusalOf("null-table", BadPlugin("null-table")) == "outbox_plugin_v1 returned NULL instead of a table.");
  }
  SECTION("short table") {
    CHECK(RefusalOf("short-table", BadPlugin("short-table")).starts_with("its table is too short: struct_size is "));
  }
  SECTION("NULL slot") {
    CHECK(RefusalOf("null-slot", BadPlugin("null-slot")) == "confirm_failed is NULL in its table.");
  }
  SECTION("another name") {
    CHECK(RefusalOf("wrong-name", BadPlugin("wrong-name")) ==
          "the name in its table is 'somebody-else', not 'wrong-name'.");
  }
  SECTION("an impossible name") {
    CHECK(RefusalOf("bad-name", BadPlugin("bad-name")) == "the name in its table is not of the form [a-z0-9_-]+.");
  }
}

TEST_CASE("a file that others can change is refused", "[b87]") {
  const Folder folder;
  const fs::path file = folder.Put(BadPlugin("plain-c"), "outbox-plain-c.so");
  SECTION("itself") {
    fs::permissions(file, fs::perms::others_write, fs::perm_options::add);
    CHECK(RefusalOf("plain-c", file) == file.string() + " is writable by everybody; chmod o-w " + file.string() + ".");
  }
  SECTION("its folder") {
    fs::permissions(folder.path, fs::perms::others_write, fs::perm_options::add);
    CHECK(RefusalOf("plain-c", file) ==
          "the folder " + folder.path.string() + " is writable by everybody; chmod o-w " + folder.path.string() + ".");
  }
  SECTION("behind a link") {
    const Folder other;
    const fs::path link = other.path / "outbox-plain-c.so";
    fs::create_symlink(file, link);
    CHECK(Load("plain-c", {link.string(), {}}).ok());
    fs::permissions(file, fs::perms::others_write, fs::perm_options::add);
    CHECK(RefusalOf("plain-c", link).starts_with(file.string() + " is writable by everybody"));
  }
  SECTION("by a group") {
    fs::permissions(file, fs::perms::group_write, fs::perm_options::add);
    CHECK(Load("plain-c", {file.string(), {}}).ok());  // The file belongs to the relay's own group.
    if (::geteuid() == 0) {                            // Only root can give the file to another group.
      REQUIRE(::chown(file.c_str(), 0, 12345) == 0);
      CHECK(RefusalOf("plain-c", file) ==
            file.string() + " is writable by another group (gid 12345); chmod g-w " + file.string() + ".");
    }
  }
}

TEST_CASE("every user who can replace the file or a part of its path must be trusted", "[b119]") {
  if (::geteuid() != 0) {
    WARN("only root can give a file to another user");
    return;
  }
  constexpr uid_t kStranger = 54321;
  const Folder top;
  const fs::path folder = top.path / "a" / "b";
  fs::create_directories(folder);
  fs::copy_file(BadPlugin("plain-c"), folder / "outbox-plain-c.so");
  const fs::path file = folder / "outbox-plain-c.so";
  const auto loads = [&](const fs::path& path, std::vector<std::string> trusted = {}) {
    return Load("plain-c", {path.string(), {}, std::move(trusted)}).ok();
  };
  const auto give = [&](const fs::path& path) { REQUIRE(::lchown(path.c_str(), kStranger, kStranger) == 0); };
  REQUIRE(loads(file));

  SECTION("the owner of any part of the path") {
    // GENERATE draws a number and not the path itself, because Catch treats a path as a range of its parts.
    const int up = GENERATE(0, 1, 2);
    const fs::path given = up == 0 ? file : up == 1 ? folder : folder.parent_path();
    give(given);
    INFO(given);
    const std::string why = RefusalOf("plain-c", file);
    CHECK(why.find(given.string() + " belongs to uid 54321, who could replace the plugin; chown root " +
                   given.string() + ", or add 54321 to /plugins/trusted_owners") != std::string::npos);
    CHECK(loads(file, {"54321"}));
    CHECK_FALSE(loads(file, {"54322"}));
    CHECK(Load("plain-c", {file.string(), {}, {"no-such-user"}})
              .status()
              .text()
              .find("no user has the name 'no-such-user'") != std::string::npos);
  }
  SECTION("a parent folder that everybody may write") {
    fs::permissions(folder.parent_path(), fs::perms::all);
    CHECK(RefusalOf("plain-c", file)
              .starts_with("the folder " + folder.parent_path().string() + " is writable by everybody"));
    // With the sticky bit, only the owner of an entry can replace it.
    fs::permissions(folder.parent_path(), fs::perms::all | fs::perms::sticky_bit);
    CHECK(loads(file));
    give(folder);
    CHECK_FALSE(loads(file));
  }
  SECTION("a link, and the folders that it leads through") {
    const fs::path link = top.path / "link";
    fs::create_directory_symlink("a/b/../b", link);
    CHECK(loads(link / "outbox-plain-c.so"));
    give(link);
    CHECK(RefusalOf("plain-c", link / "outbox-plain-c.so")
              .starts_with("the link " + link.string() + " belongs to uid 54321"));
    REQUIRE(::lchown(link.c_str(), 0, 0) == 0);
    fs::permissions(top.path / "a", fs::perms::all);
    CHECK_FALSE(loads(link / "outbox-plain-c.so"));
  }
  SECTION("links in a circle") {
    fs::create_symlink("round", top.path / "round");
    CHECK(RefusalOf("plain-c", top.path / "round").starts_with("cannot be opened: Too many levels of symbolic links"));
  }
  SECTION("a group with other members") {
    const group* const shared = ::getgrnam("users");
    if (shared == nullptr) {
      WARN("this machine has no group named users");
      return;
    }
    REQUIRE(::chown(folder.c_str(), 0, shared->gr_gid) == 0);
    fs::permissions(folder, fs::perms::group_write, fs::perm_options::add);
    CHECK(RefusalOf("plain-c", file).starts_with("the folder " + folder.string() + " is writable by another group"));
  }
}

TEST_CASE("an exception thrown in open arrives as code and text", "[b88]") {
  const auto table = Load("throws-in-open", {"", {kBadPlugins}});
  REQUIRE(table.ok());
  const auto open = [&](const char* options) { return Store::Open(*table, options, NoLog()).status(); };
  CHECK(open("{}").code() == OUTBOX_INTERNAL);
  CHECK(open("{}").text() == "throws-in-open: this store cannot be opened");
  CHECK(open("{\"throw\":\"int\"}").text() == "throws-in-open: an exception that is not a std::exception");
  CHECK(open("{\"throw\":\"long\"}").code() == OUTBOX_BAD_CONFIG);
  CHECK(open("{\"throw\":\"long\"}").text() ==
        "throws-in-open: " + std::string(sizeof(outbox_error::message) - 1, 'x'));
}

TEST_CASE("a broken extension table is refused when the store is opened", "[b87]") {
  const auto table = Load("short-extension", {"", {kBadPlugins}});
  REQUIRE(table.ok());
  const Status status = Store::Open(*table, "{}", NoLog()).status();
  CHECK(status.code() == OUTBOX_BAD_CONFIG);
  CHECK(status.text().starts_with("plugin 'short-extension': the table of outbox.leases/1 is too short"));
}

TEST_CASE("the list contains each plugin and what is wrong with it") {
  const Folder first, second;
  first.Put(BadPlugin("plain-c"), "outbox-plain-c.so");
  first.Put(BadPlugin("no-symbol"), "outbox-no-symbol.so");
  first.Write("outbox-Odd.so", "");
  first.Write("README", "");
  second.Put(BadPlugin("plain-c"), "outbox-plain-c.so");
  const auto list = List({"", {first.path, "/nowhere", second.path}});
  REQUIRE(list.size() == 4);
  const auto named = [&](const std::string& name) {
    return *std::find_if(list.begin(), list.end(), [&](const Found& found) { return found.name == name; });
  };
  CHECK(named("plain-c").version == "1.0.0");
  CHECK_FALSE(named("plain-c").refused);
  CHECK_FALSE(named("plain-c").shadowed);
  CHECK(named("no-symbol").refused == "not an outbox plugin: it does not export outbox_plugin_v1");
  CHECK(named("Odd").refused == "a plugin's name consists of a-z, 0-9, _ and - only");
  CHECK(list.back().file == second.path / "outbox-plain-c.so");
  CHECK(list.back().shadowed);
}

TEST_CASE("the search path comes from the environment, with the installed folder last") {
  REQUIRE(::setenv("OUTBOX_PLUGIN_PATH", "/a:/b::relative:", 1) == 0);
  const SearchPath where = DefaultSearchPath("/c/x.so");
  REQUIRE(::unsetenv("OUTBOX_PLUGIN_PATH") == 0);
  CHECK(where.plugin_path == "/c/x.so");
  REQUIRE(where.folders.size() == 4);
  CHECK(where.folders[0] == "/a");
  CHECK(where.folders[1] == "/b");
  CHECK(where.folders[2] == "relative");
  CHECK(where.folders[3].filename() == "outbox-relay");
  CHECK(DefaultSearchPath().folders.size() == 1);
}

TEST_CASE("damaged ELF files are read without harm", "[b87]") {
  const Folder folder;
  const std::string good = ReadFile(BadPlugin("plain-c"));
  constexpr unsigned kSeed = 7;
  INFO("seed " << kSeed);
  std::mt19937 random(kSeed);
  const fs::path file = folder.path / "outbox-x.so";
  // Damages bytes near the start, where the headers are, and near the end, where the section table is.
  for (int i = 0; i < 500; ++i) {
    std::string bytes = good;
    for (int flips = 0; flips < 8; ++flips) {
      const std::size_t near = random() % 1500;
      bytes.at(random() % 2 == 0 ? near : bytes.size() - 1 - near) = static_cast<char>(random());
    }
    if (random() % 4 == 0) bytes.resize(random() % bytes.size());
    folder.Write(file.filename().string(), bytes);
    (void)ExportedSymbols(file);
  }
  SUCCEED();
}

}  // namespace outbox::storage
