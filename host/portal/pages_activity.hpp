#pragma once
#include <optional>
#include <vector>

#include "portal/chart.hpp"
#include "portal/pages_keys.hpp"

namespace toolhost::portal {

inline constexpr int kChartDays = 30;
inline constexpr std::size_t kShownErrors = 20;

/// The chart of the last 30 days, with its figures as a table.
Html days_card(const std::vector<storage::DayRow>& rows, Moment now);
Html tools_card(const std::vector<storage::DayRow>& rows);
/// What was refused or failed, in words.
Html errors_card(const std::vector<storage::KeyError>& errors, Moment now);
/// A sentence for an outcome and reason of the audit.
std::string_view outcome_text(std::string_view outcome, std::string_view reason) noexcept;

struct KeyView {
  storage::PortalKey key;
  std::vector<storage::DayRow> days;
  std::vector<storage::KeyError> errors;
};
/// One key: what it is, what it did, what can be done with it.
Page key_page(const Scene& scene, const KeyPlace& place, const KeyView& view);

struct ActivityView {
  std::vector<storage::PortalKey> keys;
  std::optional<KeyId> chosen;  ///< nothing: all keys
  std::vector<storage::DayRow> days;
  std::vector<storage::KeyError> errors;  ///< of the chosen key
};
Page activity_page(const Scene& scene, const ActivityView& view);

struct TeamView {
  std::vector<TenantChoice> tenants;  ///< those that the person is an admin of
  TenantChoice chosen;
  std::vector<storage::PortalKey> keys;
  std::vector<storage::DayRow> days;
};
Page team_page(const Scene& scene, const TeamView& view);

}  // namespace toolhost::portal
