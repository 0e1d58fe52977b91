#include "storage/chain_verifier.hpp"

#include <gmock/gmock.h>

namespace toolhost::storage {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr std::int64_t kNoon = 1'769'860'800'000'000;  // 2026-01-31T12:00:00Z

/// A chain of 30 rows as the database would have made it, with a checkpoint at row 20.
class ChainVerifierTest : public testing::Test {
 protected:
  ChainVerifierTest() {
    for (int number = 1; number <= 30; ++number) append();
    seal(20, false);
  }

  void append() {
    const auto number = static_cast<std::int64_t>(rows_.size()) + 1;
    const std::string second = (number < 10 ? "0" : "") + std::to_string(number);
    ChainRow row{.sequence = number,
                 .at_us = kNoon + number * 1'000'000,
                 .record = R"({"at":"2026-01-31T12:00:)" + second + R"(.000000Z","kind":"tool_called","tool":"t)" +
                           second + R"(","outcome":"ok"})"};
    row.hash = hasher_.link(head_.hash, number, row.record);
    row.columns = {"tool_called", "t" + second, std::nullopt, std::nullopt, "ok", std::nullopt};
    head_ = {number, row.hash};
    rows_.push_back(std::move(row));
  }

  void seal(std::int64_t sequence, bool begins) {
    AuditCheckpoint checkpoint{.tenant_id = 7,
                               .sequence = sequence,
                               .begins = begins,
                               .hash = row(sequence).hash,
                               .sealed_at = "2026-01-31T12:00:30.000000Z"};
    checkpoint.mac = seal_.mac_of(checkpoint);
    checkpoints_.push_back(checkpoint);
  }

  ChainRow& row(std::int64_t sequence) { return rows_[static_cast<std::size_t>(sequence - 1)]; }
  void erase(std::int64_t first, std::int64_t last) {
    std::erase_if(rows_, [&](const ChainRow& row) { return row.sequence >= first && row.sequence <= last; });
  }

  std::vector<std::string> flaws() {
    AuditVerdict verdict;
    ChainVerifier verifier(7, has_head_ ? std::optional(head_) : std::nullopt, checkpoints_, seal_, verdict);
    for (const ChainRow& row : rows_) verifier.add(row);
    verifier.finish();
    EXPECT_EQ(verdict.rows, rows_.size());
    std::vector<std::string> messages;
    for (const auto& flaw : verdict.flaws) {
      EXPECT_EQ(flaw.tenant_id, 7);
      messages.push_back(flaw.message);
    }
    return messages;
  }

  /// Makes the chain whole again from a row on, as somebody could who may write all but the seals.
  void forge_from(std::int64_t sequence) {
    for (std::int64_t at = sequence; at <= 30; ++at)
      row(at).hash = hasher_.link(at == 1 ? "" : row(at - 1).hash, at, row(at).record);
    head_.hash = rows_.back().hash;
  }

  ChainHasher hasher_;
  CheckpointSeal seal_{Secret(std::string(32, 's'))};
  std::vector<ChainRow> rows_;
  std::vector<AuditCheckpoint> checkpoints_;
  ChainHead head_;
  bool has_head_ = true;
};

TEST_F(ChainVerifierTest, AWholeChainHasNoFlaw) {
  EXPECT_THAT(flaws(), IsEmpty());
}

TEST_F(ChainVerifierTest, OneChangedByteAnywhereIsFound) {
  for (const std::int64_t sequence : {1, 12, 20, 30}) {
    for (const std::size_t byte : {std::size_t{20}, row(sequence).record.size() - 4}) {
      const ChainRow kept = row(sequence);
      row(sequence).record[byte] ^= 1;
      EXPECT_THAT(flaws(), ElementsAre("row " + std::to_string(sequence) + " was changed"));
      row(sequence) = kept;
    }
  }
}

TEST_F(ChainVerifierTest, AChangedHashIsFoundAndBlamesNoOtherRow) {
  row(12).hash[3] ^= 1;
  EXPECT_THAT(flaws(), ElementsAre("row 12 was changed"));
}

TEST_F(ChainVerifierTest, RowsThatWereChangedTogetherAreToldTogether) {
  for (const std::int64_t sequence : {12, 13, 14}) row(sequence).record[30] ^= 1;
  row(17).record[30] ^= 1;
  EXPECT_THAT(flaws(), ElementsAre("rows 12 to 14 were changed", "row 17 was changed"));
}

TEST_F(ChainVerifierTest, RemovedRowsAreFound) {
  erase(9, 9);
  erase(15, 17);
  EXPECT_THAT(flaws(), ElementsAre("row 9 is missing", "rows 15 to 17 are missing"));
}

TEST_F(ChainVerifierTest, ARemovedBeginningIsFoundUnlessItWasSealedAsOne) {
  erase(1, 4);
  EXPECT_THAT(flaws(), ElementsAre("rows 1 to 4 are missing"));
}

TEST_F(ChainVerifierTest, AChainMayBeginWhereItWasSealedToBegin) {
  seal(4, true);
  erase(1, 4);
  EXPECT_THAT(flaws(), IsEmpty());
  erase(5, 6);
  EXPECT_THAT(flaws(), ElementsAre("rows 5 to 6 are missing"));
}

TEST_F(ChainVerifierTest, AChainMayBeDroppedAsAWholeForItsAge) {
  seal(30, true);
  erase(1, 30);
  EXPECT_THAT(flaws(), IsEmpty());
}

TEST_F(ChainVerifierTest, ARemovedEndIsFoundByTheHead) {
  erase(26, 30);
  EXPECT_THAT(flaws(), ElementsAre("rows 26 to 30 are missing"));
}

TEST_F(ChainVerifierTest, ARemovedEndIsFoundByACheckpointWhenTheHeadWasPutBackToo) {
  erase(19, 30);
  head_ = {18, rows_.back().hash};
  EXPECT_THAT(flaws(), ElementsAre(HasSubstr("rows 19 to 20 are missing, the last of which was sealed at 2026-01-31")));
}

TEST_F(ChainVerifierTest, AllRowsRemovedAreMissed) {
  erase(1, 30);
  EXPECT_THAT(flaws(), ElementsAre("rows 1 to 30 are missing"));
}

TEST_F(ChainVerifierTest, AChainThatWasRemovedWithItsHeadAndSealsIsMissed) {
  erase(1, 30);
  checkpoints_.clear();
  const auto missing = ElementsAre("row 1 is missing, with which every chain begins: the whole chain was removed");
  head_ = {};
  EXPECT_THAT(flaws(), missing);
  has_head_ = false;
  EXPECT_THAT(flaws(), missing);
}

TEST_F(ChainVerifierTest, TheLogTellsACheckpointAsItIsReadBack) {
  seal(30, true);
  for (const auto& checkpoint : checkpoints_) {
    const std::string text = text_of(checkpoint);
    const auto read = checkpoint_in(R"({"time":"x","message":")" + text + "\"}");
    ASSERT_TRUE(read && *read);
    EXPECT_EQ((*read)->sequence, checkpoint.sequence);
    EXPECT_EQ((*read)->begins, checkpoint.begins);
    EXPECT_TRUE(seal_.fits(**read));
    EXPECT_FALSE(checkpoint_in(text.substr(0, text.size() - 1)));
    EXPECT_FALSE(checkpoint_in(text.substr(0, 40)));
  }
  EXPECT_FALSE(checkpoint_in("2026-01-31 info host_notice listening")->has_value());
}

TEST_F(ChainVerifierTest, TwoRowsThatChangedPlacesAreNamed) {
  std::swap(row(14).record, row(17).record);
  std::swap(row(14).hash, row(17).hash);
  EXPECT_THAT(flaws(), ElementsAre("row 14 stands in the wrong place, at that of row 17"));
  std::swap(row(14).columns, row(17).columns);
  EXPECT_THAT(flaws(), ElementsAre("row 14 stands in the wrong place, at that of row 17"));
  std::swap(row(14).at_us, row(17).at_us);
  EXPECT_THAT(flaws(), ElementsAre("row 14 stands in the wrong place, at that of row 17"));
}

TEST_F(ChainVerifierTest, ARowThatStandsThereTwiceIsFound) {
  rows_.insert(rows_.begin() + 12, row(12));
  EXPECT_THAT(flaws(), ElementsAre("row 12 stands there twice"));
}

TEST_F(ChainVerifierTest, AChainThatWasWrittenAnewIsFoundByTheSeal) {
  row(12).record[60] ^= 1;
  row(12).columns = row(13).columns;
  forge_from(12);
  EXPECT_THAT(flaws(), testing::Contains(HasSubstr("row 20 is not the one that was sealed")));
}

TEST_F(ChainVerifierTest, AForgedCheckpointIsFound) {
  checkpoints_[0].hash = row(19).hash;
  EXPECT_THAT(flaws(), ElementsAre(HasSubstr("row 20 has a checkpoint that is forged")));
  checkpoints_.clear();
  seal(20, false);
  checkpoints_[0].begins = true;
  erase(1, 20);
  EXPECT_THAT(flaws(), testing::Contains(HasSubstr("rows 1 to 20 are missing")));
}

TEST_F(ChainVerifierTest, ColumnsThatHideARecordAreFound) {
  row(12).columns[4] = "denied";
  row(15).columns[1] = std::nullopt;
  EXPECT_THAT(flaws(), ElementsAre("row 12 has another outcome in its column than in its record",
                                   "row 15 has another tool in its column than in its record"));
}

TEST_F(ChainVerifierTest, ATimeThatWasChangedIsFound) {
  row(12).at_us += 400'000;
  EXPECT_THAT(flaws(), ElementsAre("row 12 has another time than its record"));
  row(12).at_us = kNoon;
  EXPECT_THAT(flaws(), ElementsAre("row 12 has another time than its record"));
}

TEST_F(ChainVerifierTest, RecordsThatCameLateOrFromTheFutureAreNoFlaws) {
  checkpoints_.clear();
  std::swap(row(12).record, row(13).record);
  std::swap(row(12).columns, row(13).columns);
  forge_from(12);
  row(12).at_us = row(13).at_us;      // and row 13, which says an earlier time, has the same
  row(20).at_us = row(19).at_us + 1;  // its clock was ahead of the database's
  EXPECT_THAT(flaws(), IsEmpty());
}

TEST_F(ChainVerifierTest, ALostHeadIsFound) {
  has_head_ = false;
  EXPECT_THAT(flaws(), ElementsAre("the chain, which ends with row 30, has lost its head"));
}

TEST_F(ChainVerifierTest, ThousandsOfFlawsAreCounted) {
  for (int number = 31; number <= 5000; ++number) append();
  for (std::int64_t sequence = 1; sequence <= 5000; sequence += 2) row(sequence).record[50] ^= 1;
  const auto found = flaws();
  ASSERT_EQ(found.size(), 1'001U);
  EXPECT_EQ(found.back(), "and 1500 more flaws");
}

}  // namespace
}  // namespace toolhost::storage
