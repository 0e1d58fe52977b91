#pragma once
#include <span>

#include "storage/migrator.hpp"

namespace toolhost::storage {

/// The host's own migrations, in order: storage/migrations/*.sql, compiled in.
std::span<const Migration> host_migrations();

}  // namespace toolhost::storage
