#pragma once
#include <toolhost/plugin.hpp>

#include <cstdint>
#include <functional>
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
  [[nodiscard]] std::vector<std::string> plugins() const;

  /// What is not in that generation of the index as it is now: at most `limit`, the oldest change first. Looks only at
  /// what was changed since the generation's watermark of each source (table index_sources).
  std::vector<PendingDocument> pending(toolhost::Call& call, std::int64_t generation, std::int64_t limit) const;

  /// Calls `visit` for the present state of each of these documents; those that are gone are left out. Each of a
  /// document's texts is cut after `longest` characters.
  void documents(toolhost::Call& call, std::string_view plugin, std::vector<std::string> refs, std::int64_t longest,
                 const std::function<void(Document&& document)>& visit) const;

  /// The longest texts that are indexed; the rest of a longer one is not found.
  static constexpr std::int64_t kLongestText = 200'000;

  /// Documents that are there to be found.
  std::int64_t count(toolhost::Call& call) const;

 private:
  [[nodiscard]] const Source* find(std::string_view plugin) const;
  std::vector<Source> sources_;
};

}  // namespace search
