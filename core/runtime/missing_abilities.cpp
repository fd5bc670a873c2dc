#include "runtime/missing_abilities.hpp"

namespace outbox::runtime {

std::vector<MissingAbility> FindMissingAbilities(const config::Relay& config, const storage::Store& store) {
  std::vector<MissingAbility> missing;
  const std::string plugin = "the plugin " + std::string(store.name());
  if (config.ordering == config::Ordering::kKey && !store.Can(OUTBOX_CAN_ORDER_KEYS))
    missing.push_back({"/relay/ordering is \"key\", and " + plugin + " cannot keep the order of keys",
                       "set \"ordering\": \"none\" in /relay"});
  if (const std::string asks = config.AsksForDeadLetters(); !asks.empty() && !store.Can(OUTBOX_CAN_DEAD_LETTER))
    missing.push_back({asks + " is \"dead_letter\", and " + plugin + " keeps no dead letters", "set it to \"block\""});
  if (config.wake_up && !store.HasWakeUps())
    missing.push_back({"/relay/wake_up is true, and " + plugin + " offers no wake-ups",
                       "set it to false; use a shorter poll_interval, or \"hints\" from the application"});
  return missing;
}

}  // namespace outbox::runtime
