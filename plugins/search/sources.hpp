#pragma once
#include <toolhost/plugin.hpp>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "document.hpp"

/// The plugins that can be searched: whoever exports a view search_documents (README.md says what it shows).
namespace search {

struct Source {
  std::string plugin;    ///< id
  std::string sql_name;  ///< of its view
};

/// A document whose present state is not in the index.
struct PendingDocument {
  std::string source, ref;
  std::int64_t changed = 0;
  bool is_deleted = false;
  std::int64_t old_segment = -1;  ///< where its older state is; negative: nowhere
  std::uint32_t old_doc = 0;
};

/// Reads the views in the transaction of one call.
class Sources {
 public:
  explicit Sources(std::vector<Source> sources);

  [[nodiscard]] const std::vector<Source>& list() const noexcept { return sources_; }

  /// What was changed by transactions from `watermark` on and is not in that generation of the index: at most `limit`,
  /// the oldest change first.
  std::vector<PendingDocument> pending(toolhost::Call& call, std::int64_t watermark, std::int64_t generation,
                                       std::int64_t limit) const;

  /// The present state of these documents of one source. Those that are gone are left out.
  std::vector<Document> documents(toolhost::Call& call, std::string_view plugin,
                                  const std::vector<std::string>& refs) const;

  /// Documents that are there to be found.
  std::int64_t count(toolhost::Call& call) const;

 private:
  [[nodiscard]] const Source* find(std::string_view plugin) const;
  std::vector<Source> sources_;
  std::string changes_;  // SQL: source, ref, changed, deleted of all
};

}  // namespace search
