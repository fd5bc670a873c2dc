#include "cli/common/shaping.hpp"

namespace outbox::cli {

Result<std::shared_ptr<const record::Shaper>> MakeShaper(const config::Config& config,
                                                         const std::vector<Column>& columns, ShaperFor use) {
  if (use == ShaperFor::kDelivery && columns.empty() && config.record == config::Record{})
    return std::shared_ptr<const record::Shaper>();
  std::vector<record::Problem> problems;
  record::Plan plan = record::Compile(config.record, columns, problems);
  if (!problems.empty()) {
    std::string text;
    for (const record::Problem& problem : problems)
      text += (text.empty() ? "" : "\n") + problem.pointer + ": " + problem.text;
    return Status(OUTBOX_BAD_CONFIG, text);
  }
  const auto headers =
      config.publisher.strict_headers ? publisher::HeaderValues::kStrict : publisher::HeaderValues::kAsText;
  return std::shared_ptr<const record::Shaper>(std::make_shared<record::Shaper>(std::move(plan), headers));
}

}  // namespace outbox::cli
