#pragma once
#include <filesystem>

namespace toolhost::app {

/// The embedded database for processes that come and go as they like: `toolhost stdio`, one for each assistant. A
/// process of its own runs the server while any of them uses it, and two seconds longer; so none of them ends it for
/// the others, and none has to wait for it to stop. It makes way for `toolhost serve`.

/// Starts such a process and waits until the database is ready, or that process has given up, for a minute at most:
/// EmbeddedPostgres::join() tells. Any thread.
void start_database_keeper(const std::filesystem::path& data_dir);

/// What that process does: exit code. It writes a byte to `ready_fd` and closes it.
int keep_database(const std::filesystem::path& data_dir, int ready_fd);

}  // namespace toolhost::app
