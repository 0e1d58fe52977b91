#include "storage/chain_verifier.hpp"

#include <algorithm>
#include <utility>

#include "base/json.hpp"
#include "observability/audit_record.hpp"

namespace toolhost::storage {
namespace {

constexpr std::size_t kWindow = 64;                              // how far apart rows that changed places are found
constexpr std::uint64_t kMostFlaws = 1'000;                      // of one chain that are told one by one
constexpr std::int64_t kOldest = 731LL * 24 * 3600 * 1'000'000;  // an older record's time was not believed

std::string rows(std::int64_t first, std::int64_t last) {
  if (first == last) return "row " + std::to_string(first);
  return "rows " + std::to_string(first) + " to " + std::to_string(last);
}

/// " is missing" as " are missing".
std::string in_plural(std::string rest) {
  constexpr std::pair<std::string_view, std::string_view> kVerbs[] = {
      {" is ", " are "}, {" was ", " were "}, {" has ", " have "}, {" stands ", " stand "}};
  for (const auto& [one, many] : kVerbs) {
    if (rest.starts_with(one)) return rest.replace(0, one.size(), many);
  }
  return rest;
}

std::int64_t micros(observability::AuditRecord::Time time) {
  return std::chrono::floor<std::chrono::microseconds>(time).time_since_epoch().count();
}

}  // namespace

ChainVerifier::ChainVerifier(std::int32_t tenant_id, std::optional<ChainHead> head,
                             std::vector<AuditCheckpoint> checkpoints, const CheckpointSeal& seal,
                             AuditVerdict& verdict)
    : tenant_id_(tenant_id), head_(std::move(head)), verdict_(verdict) {
  ++verdict_.chains;
  check_seals(std::move(checkpoints), seal);
}

void ChainVerifier::check_seals(std::vector<AuditCheckpoint> checkpoints, const CheckpointSeal& seal) {
  for (auto& checkpoint : checkpoints) {
    ++verdict_.checkpoints;
    const std::int64_t sequence = checkpoint.sequence;
    if (seal.fits(checkpoint)) {
      checkpoints_.emplace(sequence, std::move(checkpoint));
    } else {
      report(sequence, sequence, "{} has a checkpoint that is forged, or was sealed with another secret (keys.pepper)");
    }
  }
}

void ChainVerifier::add(ChainRow row) {
  ++verdict_.rows;
  if (expected_ == 0) begin(row.sequence);
  if (waiting_.empty() && row.sequence == expected_ && fits(row)) return accept(row, false);
  waiting_.push_back(std::move(row));
  if (waiting_.size() >= kWindow) resolve_first();
}

void ChainVerifier::finish() {
  if (expected_ == 0) begin(head_ ? head_->sequence + 1 : 1);
  while (!waiting_.empty()) resolve_first();
  check_end();
  if (last_flaw_) tell(*last_flaw_);
  if (count_of_flaws_ > kMostFlaws) {
    verdict_.flaws.push_back(
        {tenant_id_, expected_ - 1, "and " + std::to_string(count_of_flaws_ - kMostFlaws) + " more flaws"});
  }
}

// A chain begins with row 1, or behind the last row that was dropped for its age.
void ChainVerifier::begin(std::int64_t first) {
  expected_ = 1;
  previous_ = {""};
  for (const auto& [sequence, checkpoint] : checkpoints_) {
    if (!checkpoint.begins || sequence >= first || first == 1) continue;
    expected_ = sequence + 1;
    previous_ = {checkpoint.hash};
  }
}

bool ChainVerifier::fits(const ChainRow& row) {
  if (previous_.empty()) return true;
  return std::any_of(previous_.begin(), previous_.end(), [&](const AuditHash& previous) {
    return hasher_.link(previous, row.sequence, row.record) == row.hash;
  });
}

void ChainVerifier::resolve_first() {
  ChainRow& first = waiting_.front();
  if (first.sequence < expected_) {
    report(first.sequence, first.sequence, "{} stands there twice");
    return waiting_.pop_front();
  }
  if (first.sequence > expected_) {
    report(expected_, first.sequence - 1, "{} is missing");
    expected_ = first.sequence;
    previous_.clear();
    latest_us_ = 0;
  }
  const bool is_whole = fits(first) || put_in_place();
  if (!is_whole) report(first.sequence, first.sequence, "{} was changed");
  accept(first, !is_whole);
  waiting_.pop_front();
}

/// When the row that belongs to the first place stands at a later one, they change places; false when it does not.
bool ChainVerifier::put_in_place() {
  ChainRow& first = waiting_.front();
  for (std::size_t at = 1; at < waiting_.size(); ++at) {
    ChainRow& other = waiting_[at];
    for (const AuditHash& previous : previous_) {
      if (hasher_.link(previous, first.sequence, other.record) != other.hash) continue;
      report(first.sequence, first.sequence,
             "{} stands in the wrong place, at that of row " + std::to_string(other.sequence));
      std::swap(first.record, other.record);
      std::swap(first.hash, other.hash);
      // Whether their times and columns went with them or stayed is no news beside that.
      first.is_moved = other.is_moved = true;
      return true;
    }
  }
  return false;
}

void ChainVerifier::accept(const ChainRow& row, bool is_changed) {
  // Behind a changed row the chain goes on from its hash; or, when the hash is what was changed, from what it should
  // be.
  std::vector<AuditHash> next{row.hash};
  if (is_changed) {
    for (const AuditHash& previous : previous_) next.push_back(hasher_.link(previous, row.sequence, row.record));
    latest_us_ = 0;
  } else {
    check_checkpoint(row);
    if (!row.is_moved) {
      check_time(row);
      check_columns(row);
    }
  }
  previous_ = std::move(next);
  expected_ = row.sequence + 1;
}

void ChainVerifier::check_checkpoint(const ChainRow& row) {
  const auto [begin, end] = checkpoints_.equal_range(row.sequence);
  for (auto at = begin; at != end; ++at) {
    if (at->second.hash == row.hash) continue;
    report(
        row.sequence, row.sequence,
        "{} is not the one that was sealed at " + at->second.sealed_at + ": it, or rows before it, were written anew");
  }
}

// The time of a row is that of its record; but the time of the row before it when the record came late, now when it is
// in the future, or so old that its clock cannot have been set.
void ChainVerifier::check_time(const ChainRow& row) {
  const auto time = observability::time_of_record(row.record);
  const std::int64_t before = std::exchange(latest_us_, row.at_us);
  if (before == 0 || row.at_us == before || !time) return;
  const std::int64_t said = micros(*time);
  if (row.at_us > before && (row.at_us <= said || row.at_us > said + kOldest)) return;
  report(row.sequence, row.sequence, "{} has another time than its record");
  latest_us_ = row.at_us < before ? before : 0;
}

// The hash covers the record; what repeats it must say the same.
void ChainVerifier::check_columns(const ChainRow& row) {
  const auto document = json::acquire_document();
  const auto record = document->parse(row.record);
  if (!record) return;  // jsonb takes larger numbers; the columns of such a record are not checked
  for (std::size_t at = 0; at < kChainColumns.size(); ++at) {
    auto member = json::find(*record, kChainColumns[at].second).get_string();
    const std::optional<std::string_view> said =
        member.error() ? std::nullopt : std::optional<std::string_view>(member.value());
    if (said != row.columns[at]) {
      report(row.sequence, row.sequence,
             "{} has another " + std::string(kChainColumns[at].first) + " in its column than in its record");
    }
  }
}

void ChainVerifier::check_end() {
  const std::int64_t last = expected_ - 1;
  if (head_ && head_->sequence > last) {
    report(last + 1, head_->sequence, "{} is missing");
  } else if (head_ && head_->sequence < last) {
    report(head_->sequence + 1, last, "{} stands behind the end of the chain");
  } else if (head_ && std::find(previous_.begin(), previous_.end(), head_->hash) == previous_.end()) {
    report(last, last, "{} is not the one that the chain ended with");
  }
  if (!head_ && last > 0) report(last, last, "the chain, which ends with {}, has lost its head");
  const std::int64_t known = std::max(last, head_ ? head_->sequence : 0);
  if (!checkpoints_.empty() && checkpoints_.rbegin()->first > known) {
    const auto& checkpoint = checkpoints_.rbegin()->second;
    report(known + 1, checkpoint.sequence, "{} is missing, the last of which was sealed at " + checkpoint.sealed_at);
  } else if (known == 0) {
    report(1, 1, "{} is missing, with which every chain begins: the whole chain was removed");
  }
}

void ChainVerifier::report(std::int64_t first, std::int64_t last, std::string what) {
  if (last_flaw_ && last_flaw_->what == what && last_flaw_->last + 1 == first) {
    last_flaw_->last = last;
    return;
  }
  if (last_flaw_) tell(*last_flaw_);
  last_flaw_ = Flaw{first, last, std::move(what)};
}

void ChainVerifier::tell(const Flaw& flaw) {
  if (++count_of_flaws_ > kMostFlaws) return;
  const auto at = flaw.what.find("{}");
  std::string rest = flaw.what.substr(at + 2);
  if (flaw.first != flaw.last) rest = in_plural(std::move(rest));
  std::string message = flaw.what.substr(0, at) + rows(flaw.first, flaw.last) + rest;
  verdict_.flaws.push_back({tenant_id_, flaw.first, std::move(message)});
}

}  // namespace toolhost::storage
