#pragma once
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "observability/audit_journal.hpp"

namespace toolhost::test_support {

/// An audit journal in a directory of the test's own, with segments small enough to be filled.
class JournalFixture : public testing::Test {
 protected:
  JournalFixture() {
    std::string pattern = (std::filesystem::temp_directory_path() / "toolhost-audit-XXXXXX").string();
    root_ = ::mkdtemp(pattern.data());
    directory_ = root_ / "state" / "audit";
  }
  ~JournalFixture() override { std::filesystem::remove_all(root_); }

  static std::unique_ptr<observability::AuditJournal> open(const std::filesystem::path& directory) {
    auto journal = observability::AuditJournal::open(
        {.directory = directory, .segment_bytes = 256 * 1024, .reserve_bytes = 64 * 1024});
    EXPECT_TRUE(journal.has_value()) << journal.error().message;
    return journal ? std::move(*journal) : nullptr;
  }
  [[nodiscard]] std::unique_ptr<observability::AuditJournal> open() const { return open(directory_); }

  static Caller caller_of(std::int32_t tenant) {
    return {.tenant_id = TenantId{tenant},
            .tenant = "tenant-" + std::to_string(tenant),
            .time_zone = "UTC",
            .key_prefix = "hdsk_abcdef",
            .principal = "ann@example.com"};
  }

  static void emit(observability::EventSink& journal, std::string_view request_id,
                   std::string_view tool = "create_ticket", std::string_view outcome = "ok",
                   const Caller& caller = kCaller) {
    journal.emit(observability::ToolCalled{.caller = caller,
                                           .tool = tool,
                                           .plugin = "tickets",
                                           .request_id = request_id,
                                           .outcome = outcome,
                                           .duration = std::chrono::microseconds(1500),
                                           .detail = "never in the journal"});
  }

  /// Everything from `from` on, which then is forgotten.
  static std::vector<std::string> take(observability::AuditJournal& journal) {
    std::vector<std::string> texts;
    for (auto at = journal.begin();;) {
      const auto batch = journal.read(at, 1000, 1 << 20);
      EXPECT_TRUE(batch) << batch.error().message;
      if (!batch) return texts;
      EXPECT_EQ(batch->damage.records, 0U);
      at = batch->end;
      for (const auto& record : batch->records) texts.emplace_back(record.text);
      if (batch->records.empty()) break;
    }
    journal.forget(journal.end());
    return texts;
  }

  [[nodiscard]] std::size_t count_segments() const {
    std::size_t count = 0;
    for (const auto& entry : std::filesystem::directory_iterator(directory_))
      count += entry.path().extension() == ".seg" ? 1 : 0;
    return count;
  }

  static inline const Caller kCaller = caller_of(7);
  std::filesystem::path root_;
  std::filesystem::path directory_;
};

}  // namespace toolhost::test_support
