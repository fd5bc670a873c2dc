#include "config/profiles.hpp"

#include <algorithm>

namespace outbox::config {

const std::vector<Profile>& Profiles() {
  static const std::vector<Profile> kProfiles = {
      {.name = "debezium",
       .columns = {{"id", "id"}, {"key", "aggregateid"}, {"payload", "payload"}},
       .topic = "outbox.event.{aggregatetype}",
       .headers = {{"id", "{id}"}},
       .debezium = true},
      // The tables of Debezium's extension for Quarkus, and the records that the router makes from them. The extension
      // adds a column for the trace; the router makes a header from that column only if it is configured to do so.
      {.name = "debezium-quarkus",
       .columns = {{"id", "id"}, {"key", "aggregateid"}, {"payload", "payload"}},
       .topic = "outbox.event.{aggregatetype}",
       .headers = {{"id", "{id}"}},
       .debezium = true},
      // The table of the Go package github.com/fedotovmax/outbox.
      {.name = "go-package",
       .columns = {{"id", "id"}, {"key", "aggregate_id"}, {"payload", "payload"}},
       .topic = "{event_topic}",
       .headers = {{"event_id", "{id}"}, {"event_type", "{event_type}"}}},
  };
  return kProfiles;
}

const Profile* FindProfile(std::string_view name) {
  const auto found =
      std::find_if(Profiles().begin(), Profiles().end(), [&](const Profile& p) { return p.name == name; });
  return found == Profiles().end() ? nullptr : &*found;
}

}  // namespace outbox::config
