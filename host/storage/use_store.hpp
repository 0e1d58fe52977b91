#pragma once
#include <chrono>
#include <pqxx/pqxx>
#include <vector>

#include "storage/directory_store.hpp"

namespace toolhost::storage {

/// What DirectoryStore does with the uses of keys, as part of the caller's transaction. They throw what libpqxx throws.

/// Adds to the keys' counts and to those of their days and tools. A key that is gone is left out.
void add_uses(pqxx::work& work, const std::vector<KeyUse>& uses);
/// Days are kept for 100 days.
void remove_old_days(pqxx::work& work);
/// The newest one; the first of all when no use names a day.
std::chrono::sys_days latest_day(const std::vector<KeyUse>& uses) noexcept;

}  // namespace toolhost::storage
