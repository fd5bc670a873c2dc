#include "storage/trust.hpp"

#include <grp.h>
#include <pwd.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <deque>
#include <optional>
#include <system_error>

#include "util/shortage.hpp"

namespace outbox::storage {
namespace {

namespace fs = std::filesystem;

constexpr int kMaxLinks = 40;  // the kernel's limit

Status Refuse(std::string why) { return {OUTBOX_BAD_CONFIG, std::move(why)}; }

Status NotExamined(const fs::path& path, int error) {
  const std::string why = std::generic_category().message(error);
  if (IsShortage(error)) return {kShortage, path.string() + " cannot be examined: " + why};
  return Refuse("cannot be opened: " + why);
}

struct User {
  uid_t uid;
  std::string name;  // empty = the user database has no entry for the number
  gid_t group;
};

constexpr auto kNoGroup = static_cast<gid_t>(-1);

// Looks up an entry of the user or group database. `get` calls one of the *_r functions for the database, and appends
// the arguments that it receives. Returns false if there is no such entry.
template <class Entry, class Get>
bool Found(Entry& entry, std::vector<char>& memory, const Get& get) {
  Entry* found = nullptr;
  for (memory.resize(1024); get(&entry, memory.data(), memory.size(), &found) == ERANGE;)
    memory.resize(2 * memory.size());
  return found != nullptr;
}

std::optional<User> Entry(const std::string& name) {
  passwd entry{};
  std::vector<char> memory;
  if (!Found(entry, memory, [&](auto... out) { return getpwnam_r(name.c_str(), out...); })) return std::nullopt;
  return User{entry.pw_uid, entry.pw_name, entry.pw_gid};
}

std::optional<User> Entry(uid_t uid) {
  passwd entry{};
  std::vector<char> memory;
  if (!Found(entry, memory, [&](auto... out) { return getpwuid_r(uid, out...); })) return std::nullopt;
  return User{entry.pw_uid, entry.pw_name, entry.pw_gid};
}

std::optional<User> UserOf(const std::string& owner) {
  uid_t uid = 0;
  const char* const end = owner.data() + owner.size();
  const auto [rest, error] = std::from_chars(owner.data(), end, uid);
  if (error != std::errc() || rest != end) return Entry(owner);
  return Entry(uid).value_or(User{uid, "", kNoGroup});
}

// Decides which owners and which groups are trusted.
class Trust {
 public:
  Status Add(const std::vector<std::string>& owners) {
    for (const uid_t uid : {uid_t{0}, geteuid()}) users_.push_back(*UserOf(std::to_string(uid)));
    for (const std::string& owner : owners) {
      auto user = UserOf(owner);
      if (!user)
        return Refuse("/plugins/trusted_owners: no user has the name '" + owner +
                      "'; expected names of users or numbers");
      users_.push_back(std::move(*user));
    }
    return {};
  }

  [[nodiscard]] bool Owner(uid_t uid) const {
    return std::any_of(users_.begin(), users_.end(), [&](const User& user) { return user.uid == uid; });
  }

  // True if only trusted users are in the group. Such groups are root's group, the private group of a trusted user (it
  // has the user's name and is the user's primary group) if its other members are trusted users, and the group of this
  // process if the group database has no entry for the group.
  [[nodiscard]] bool Group(gid_t gid) const {
    if (gid == 0) return true;
    group entry{};
    std::vector<char> memory;
    if (!Found(entry, memory, [&](auto... out) { return getgrgid_r(gid, out...); })) return gid == getegid();
    const auto named = [&](const char* name) {
      return std::find_if(users_.begin(), users_.end(), [&](const User& user) { return user.name == name; });
    };
    for (char** member = entry.gr_mem; *member != nullptr; ++member)
      if (named(*member) == users_.end()) return false;
    const auto owner = named(entry.gr_name);
    return owner != users_.end() && owner->group == gid;
  }

 private:
  std::vector<User> users_;
};

std::string NameOf(uid_t uid) {
  const auto user = Entry(uid);
  return "uid " + std::to_string(uid) + (user ? " (" + user->name + ")" : "");
}

std::string What(const fs::path& path, mode_t mode) {
  return S_ISDIR(mode) ? "the folder " + path.string() : S_ISLNK(mode) ? "the link " + path.string() : path.string();
}

Status CheckOwner(const Trust& trust, const fs::path& path, const struct stat& facts) {
  if (trust.Owner(facts.st_uid)) return {};
  return Refuse(What(path, facts.st_mode) + " belongs to " + NameOf(facts.st_uid) +
                ", who could replace the plugin; chown root " + path.string() + ", or add " +
                std::to_string(facts.st_uid) + " to /plugins/trusted_owners of the configuration");
}

// Returns a text that says why a user who is not trusted can write the file, and how to fix that; empty if no such user
// can.
std::string OtherWriters(const Trust& trust, const fs::path& path, const struct stat& facts) {
  if ((facts.st_mode & S_IWOTH) != 0) return "is writable by everybody; chmod o-w " + path.string();
  if ((facts.st_mode & S_IWGRP) == 0) return "";
  // If the file has an access list, the group bits are the upper limit of what the list grants to anybody.
  if (getxattr(path.c_str(), "system.posix_acl_access", nullptr, 0) > 0)
    return "has an access list that lets others write; setfacl -b " + path.string();
  if (trust.Group(facts.st_gid)) return "";
  return "is writable by another group (gid " + std::to_string(facts.st_gid) + "); chmod g-w " + path.string();
}

class Walk {
 public:
  explicit Walk(const Trust& trust) : trust_(trust) {}

  Result<fs::path> To(const fs::path& file) {
    Push(file.relative_path());
    at_ = "/";
    struct stat facts {};
    if (Status root = Check(facts); !root.ok()) return root;
    while (!rest_.empty()) {
      const fs::path name = rest_.front();
      rest_.pop_front();
      if (name == "." || name.empty()) continue;
      const fs::path folder = at_;
      at_ = name == ".." ? at_.parent_path() : at_ / name;
      if (Status checked = Check(facts); !checked.ok()) return checked;
      if (!S_ISLNK(facts.st_mode)) continue;
      if (++links_ > kMaxLinks) return NotExamined(at_, ELOOP);
      std::error_code error;
      const fs::path target = fs::read_symlink(at_, error);
      if (error) return NotExamined(at_, error.value());
      at_ = target.is_absolute() ? fs::path("/") : folder;
      Push(target.relative_path());
    }
    return at_;
  }

 private:
  void Push(const fs::path& path) { rest_.insert(rest_.begin(), path.begin(), path.end()); }

  // Checks at_, the path that the walk has reached, which may be a link.
  Status Check(struct stat& facts) {
    if (lstat(at_.c_str(), &facts) != 0) return NotExamined(at_, errno);
    // The type is checked first. The errors of the later checks propose to change the owner or the permissions, and
    // nobody should do that to /dev/null or /tmp.
    if (!S_ISLNK(facts.st_mode)) {
      if (rest_.empty() && !S_ISREG(facts.st_mode)) return Refuse("not a regular file");
      if (!rest_.empty() && !S_ISDIR(facts.st_mode)) return Refuse(at_.string() + " is not a folder");
    }
    if (Status owner = CheckOwner(trust_, at_, facts); !owner.ok()) return owner;
    if (S_ISLNK(facts.st_mode)) return {};  // the folder of a link determines who can replace it
    const bool sticky = S_ISDIR(facts.st_mode) && (facts.st_mode & S_ISVTX) != 0;
    const std::string writers = OtherWriters(trust_, at_, facts);
    if (writers.empty()) return {};
    // in a folder with the sticky bit only the owner of an entry can replace it; the next step checks that owner
    if (sticky && !rest_.empty()) return {};
    return Refuse(What(at_, facts.st_mode) + " " + writers);
  }

  const Trust& trust_;
  fs::path at_;
  std::deque<fs::path> rest_;
  int links_ = 0;
};

}  // namespace

Result<fs::path> TrustedFile(const fs::path& file, const std::vector<std::string>& trusted_owners) {
  Trust trust;
  if (Status added = trust.Add(trusted_owners); !added.ok()) return added;
  return Walk(trust).To(file);
}

}  // namespace outbox::storage
