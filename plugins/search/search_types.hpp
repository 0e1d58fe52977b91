#pragma once
#include <toolhost/plugin/enums.hpp>
#include <toolhost/plugin/values.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "pages.hpp"
#include "priority.hpp"
#include "query.hpp"
#include "ranking.hpp"

/// What the tools take and give, as plain values. The JSON names and descriptions stand in search_plugin.cpp.
namespace search {

using helpdesk::ResponseFormat;

TH_ENUM(QueryMode, value(QueryMode::kAuto, "auto"), value(QueryMode::kAllWords, "all_words"),
        value(QueryMode::kPhrase, "phrase"))

enum class Part { kTitle, kDescription, kMessages, kTags };
TH_ENUM(Part, value(Part::kTitle, "title"), value(Part::kDescription, "description"),
        value(Part::kMessages, "messages"), value(Part::kTags, "tags"))

enum class MatchedIn { kId, kTitle, kTags, kDescription, kMessages, kNotes };
TH_ENUM(MatchedIn, value(MatchedIn::kId, "id"), value(MatchedIn::kTitle, "title"), value(MatchedIn::kTags, "tags"),
        value(MatchedIn::kDescription, "description"), value(MatchedIn::kMessages, "messages"),
        value(MatchedIn::kNotes, "notes"))

enum class StatusFilter { kOpen, kInProgress, kWaiting, kResolved, kClosed, kUnresolved, kAll };
TH_ENUM(StatusFilter, value(StatusFilter::kOpen, "open"), value(StatusFilter::kInProgress, "in_progress"),
        value(StatusFilter::kWaiting, "waiting"), value(StatusFilter::kResolved, "resolved"),
        value(StatusFilter::kClosed, "closed"), value(StatusFilter::kUnresolved, "unresolved"),
        value(StatusFilter::kAll, "all"))

enum class FacetName { kStatus, kPriority, kCategory, kAssignee, kTag };
TH_ENUM(FacetName, value(FacetName::kStatus, "status"), value(FacetName::kPriority, "priority"),
        value(FacetName::kCategory, "category"), value(FacetName::kAssignee, "assignee"), value(FacetName::kTag, "tag"))

TH_ENUM(RankBy, value(RankBy::kRelevance, "relevance"), value(RankBy::kUpdated, "updated"),
        value(RankBy::kCreated, "created"))

// ---- Arguments

struct SearchTickets {
  std::string query;
  QueryMode mode = QueryMode::kAuto;
  std::vector<Part> in;
  std::optional<toolhost::OneOrMany<StatusFilter>> status;
  std::vector<helpdesk::PriorityInput> priority;
  std::optional<std::string> assignee, requester;
  std::vector<std::string> tags;
  std::optional<std::string> category, created_after, created_before, updated_after, due_before;
  std::vector<FacetName> facets;
  RankBy sort = RankBy::kRelevance;
  std::int64_t limit = 10;
  std::optional<std::string> cursor;
  ResponseFormat response_format = ResponseFormat::kConcise;
};

struct FindSimilarTickets {
  std::optional<std::string> ticket_id, text;
  std::int64_t limit = 5;
  std::optional<toolhost::OneOrMany<StatusFilter>> status;
};

struct SearchAll {
  std::string query;
  std::vector<std::string> types;
  std::int64_t limit = 10;
};

struct Reindex {
  bool restart = false;
};

// ---- Results. Times are ISO 8601 in the tenant's time zone, with offset.

struct FoundDocument {
  std::string id;
  std::optional<std::string> type;  ///< where several kinds may be found
  std::string title;
  std::optional<std::string> status, priority;
  std::string updated_at;
  std::optional<std::string> created_at, due_at, category, assignee, requester;
  std::optional<std::vector<std::string>> tags;
  double score = 0;
  std::vector<MatchedIn> matched_in;
  std::string snippet;
};

struct FacetValue {
  std::string value;  ///< "none" for documents without; those without tags are not counted
  std::int64_t count = 0;
};

struct Facets {
  std::optional<std::vector<FacetValue>> status, priority, category, assignee, tag;
};

struct FoundPage {
  std::vector<FoundDocument> hits;
  std::int64_t total = 0;
  bool total_is_exact = true;
  std::optional<bool> truncated;  ///< fewer hits than asked for: the page was full
  std::optional<std::string> corrected_query, did_you_mean, next_cursor;
  std::optional<Facets> facets;
  std::optional<std::vector<std::string>> warnings;
  std::string server_time, time_zone;
};

struct JobProgress {
  bool more = false;
  std::optional<std::int64_t> done, total;
};

}  // namespace search
