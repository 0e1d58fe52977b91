#include "app/commands/row_reader.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <random>
#include <sstream>

#include "base/json.hpp"

namespace toolhost::app {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;
using ::testing::StartsWith;

std::unique_ptr<RowReader> reader_of(const std::string& text, RowFormat format = RowFormat::kCsv) {
  auto reader = RowReader::create(std::make_unique<std::istringstream>(text), format);
  EXPECT_TRUE(reader) << reader.error().message;
  return reader ? std::move(*reader) : nullptr;
}

/// Each row as "line: data" or "line! flaw".
std::vector<std::string> rows_of(const std::string& text, RowFormat format = RowFormat::kCsv) {
  std::vector<std::string> rows;
  const auto reader = reader_of(text, format);
  SourceRow row;
  while (reader != nullptr && reader->next(row).value())
    rows.push_back(std::to_string(row.line) + (row.flaw.empty() ? ": " + row.data : "! " + row.flaw));
  if (reader != nullptr) EXPECT_EQ(reader->bytes_read(), text.size());
  return rows;
}

std::string refusal_of(const std::string& text) {
  const auto reader = RowReader::create(std::make_unique<std::istringstream>(text), RowFormat::kCsv);
  EXPECT_FALSE(reader);
  if (reader) return {};
  EXPECT_EQ(reader.error().code, Errc::kInvalidArgument);
  return reader.error().message;
}

TEST(CsvRows, AreObjectsOfTheColumnsThatHaveAValue) {
  EXPECT_THAT(rows_of("id,title,text\n1,Printer,on fire\n2,,\n"),
              ElementsAre(R"(2: {"id":"1","title":"Printer","text":"on fire"})", R"(3: {"id":"2"})"));
}

TEST(CsvRows, ReadQuotesAsTheStandardSays) {
  EXPECT_THAT(rows_of("a,b\n\"x,y\",\"he said \"\"hi\"\"\"\n\"\",\" z \"\n"),
              ElementsAre(R"(2: {"a":"x,y","b":"he said \"hi\""})", R"(3: {"b":" z "})"));
}

TEST(CsvRows, KeepBlanksThatStandAroundAValue) {
  EXPECT_THAT(rows_of("a,b\n x ,y\n"), ElementsAre(R"(2: {"a":" x ","b":"y"})"));
}

TEST(CsvRows, MayHoldLineBreaksAndAreNamedByTheirFirstLine) {
  EXPECT_THAT(rows_of("a,b\n1,\"one\ntwo\r\nthree\"\n2,x\n"),
              ElementsAre(R"(2: {"a":"1","b":"one\ntwo\r\nthree"})", R"(5: {"a":"2","b":"x"})"));
}

TEST(CsvRows, EndInAnyOfTheThreeWays) {
  const std::vector<std::string> wanted{R"(2: {"a":"1","b":"2"})", R"(3: {"a":"3","b":"4"})"};
  EXPECT_EQ(rows_of("a,b\n1,2\n3,4\n"), wanted);
  EXPECT_EQ(rows_of("a,b\r\n1,2\r\n3,4\r\n"), wanted);
  EXPECT_EQ(rows_of("a,b\r1,2\r3,4\r"), wanted);
  EXPECT_EQ(rows_of("a,b\n1,2\n3,4"), wanted) << "no line end at the end of the file";
}

TEST(CsvRows, AreSeparatedAsTheFirstLineShows) {
  EXPECT_THAT(rows_of("a;b\n1;2,5\n"), ElementsAre(R"(2: {"a":"1","b":"2,5"})"));
  EXPECT_THAT(rows_of("a\tb\n1\t2;5\n"), ElementsAre(R"(2: {"a":"1","b":"2;5"})"));
  EXPECT_THAT(rows_of("\"a;x;y\",b\n1,2\n"), ElementsAre(R"(2: {"a;x;y":"1","b":"2"})"));
  EXPECT_THAT(rows_of("title\nPrinter\n"), ElementsAre(R"(2: {"title":"Printer"})"));
}

TEST(CsvRows, BeginBehindAByteOrderMark) {
  EXPECT_THAT(rows_of("\xef\xbb\xbf\"id\",t\n1,2\n"), ElementsAre(R"(2: {"id":"1","t":"2"})"));
}

TEST(CsvRows, SkipBlankLinesAndEmptyRows) {
  EXPECT_THAT(rows_of("\n\na,b\r\n\r\n1,2\r\n,\r\n\r\n3,4\r\n\r\n"),
              ElementsAre(R"(5: {"a":"1","b":"2"})", R"(8: {"a":"3","b":"4"})"));
}

TEST(CsvRows, WithAnotherNumberOfColumnsAreRefusedAndTheNextAreNot) {
  EXPECT_THAT(
      rows_of("a,b\n1,2,3\n4\n5,6\n"),
      ElementsAre("2! has 3 columns where the first line has 2; a text that holds a ',' or a line break must stand in "
                  "quotes",
                  StartsWith("3! has 1 column where"), R"(4: {"a":"5","b":"6"})"));
}

TEST(CsvRows, ThatAreNoTextAreRefusedWithTheirColumn) {
  EXPECT_THAT(rows_of("a,b\n1,caf\xe9\n2,ok\n"),
              ElementsAre("2! not UTF-8 in the column \"b\"; save the file as UTF-8", R"(3: {"a":"2","b":"ok"})"));
}

TEST(CsvRows, WithAQuoteThatIsNeverClosedAreOneRefusedRow) {
  const auto rows = rows_of("a,b\n1,2\n3,\"four\n5,6\n7,8\n");
  ASSERT_THAT(rows, SizeIs(2));
  EXPECT_EQ(rows[1],
            "3! the quote that is opened in line 3 is never closed and takes in the rest of the file (3 lines); "
            "a quote that belongs to a text is written twice, in a value that stands in quotes (\"19\"\" rack\"), "
            "then import the file again");
  EXPECT_THAT(rows_of("a,b\n\"1\n2\",\"3\n4\n"), ElementsAre(StartsWith("2! the quote that is opened in line 3 is")));
}

TEST(CsvRows, WithAStrayQuoteSayItsLineAndWhatToDo) {
  EXPECT_THAT(rows_of("a,b\n1,\"19 rack\n2,x\n3,\"20\" rack\n4,y\n"),
              ElementsAre(HasSubstr("opened in line 2 is never closed and takes in the rest of the file (4 lines)")));
  EXPECT_THAT(
      rows_of("a,b\n1,\"x\ny\"\n2,\"19 rack\n3,x\n4,\"z\",w\n5,ok\n"),
      ElementsAre(StartsWith("2: "),
                  AllOf(StartsWith("4! has "), HasSubstr("opened in line 4 takes in the lines below it: a quote that")),
                  StartsWith("7: ")));
  EXPECT_THAT(rows_of("a,b\n1,\"say \"hi\", then go\"\n2,ok\n"),
              ElementsAre(AllOf(StartsWith("2! has 3 columns where the first line has 2; a quote that belongs"),
                                HasSubstr("written twice")),
                          StartsWith("3: ")));
  EXPECT_THAT(rows_of("a,b\n1,\"" + std::string(kMaxCsvRowBytes, 'x')),
              ElementsAre(HasSubstr("the quote that is opened in line 2 is never closed")));
  EXPECT_THAT(
      rows_of("a,b\n1,\n\"2\",\"19 rack\n" + std::string(2 * kMaxCsvRowBytes, 'x') + "\"\n3,ok\n"),
      ElementsAre(StartsWith("2: "), StartsWith("3! longer than 1 MiB: the quote that is opened in line 3 is not"),
                  StartsWith("5: ")));
}

TEST(CsvRows, TakeAQuoteInTheMiddleAsItStands) {
  EXPECT_THAT(rows_of("a,b\n5\" disk,x\n\"a \"b\" c\",y\n"),
              ElementsAre(R"(2: {"a":"5\" disk","b":"x"})", R"(3: {"a":"a \"b\" c","b":"y"})"));
}

TEST(CsvRows, LongerThanAMebibyteAreRefusedAndTheNextAreNot) {
  const std::string longest(kMaxCsvRowBytes - 10, 'x');
  const std::string too_long(3 * kMaxCsvRowBytes, 'x');
  EXPECT_THAT(rows_of("a,b\n1," + longest + "\n"), ElementsAre(StartsWith(R"(2: {"a":"1","b":"xxx)")));
  EXPECT_THAT(rows_of("a,b\n1," + too_long + "\n2,ok\n"), ElementsAre("2! longer than 1 MiB", HasSubstr("ok")));
  EXPECT_THAT(rows_of("a,b\n1,\"" + too_long + "\n\"\"q\"\"\",3\n2,ok\n"),
              ElementsAre(StartsWith("2! longer than 1 MiB: the quote that"), R"(4: {"a":"2","b":"ok"})"));
}

TEST(CsvRows, LongerThanTheBufferAreReadWhole) {
  const std::string text(100'000, 'y');
  EXPECT_THAT(rows_of("a,b\n\"" + text + "\",1\n2,3\n"),
              ElementsAre("2: {\"a\":\"" + text + "\",\"b\":\"1\"}", R"(3: {"a":"2","b":"3"})"));
}

TEST(CsvRows, MakeAListOfColumnsOfOneName) {
  EXPECT_THAT(rows_of("id,label,label,label\n1,x,,y\n2,,z,\n"),
              ElementsAre(R"(2: {"id":"1","label":["x","y"]})", R"(3: {"id":"2","label":"z"})"));
}

TEST(CsvRows, NameColumnsWithoutBlanksAndThoseWithoutANameByNumber) {
  EXPECT_THAT(rows_of(" id ,, title\n1,x,y\n"), ElementsAre(R"(2: {"id":"1","column 2":"x","title":"y"})"));
  EXPECT_THAT(reader_of("id;title\n")->columns(), ElementsAre("id", "title"));
}

TEST(CsvRows, NeedAFirstLine) {
  EXPECT_THAT(refusal_of(""), HasSubstr("is empty"));
  EXPECT_THAT(refusal_of("\r\n\r\n"), HasSubstr("is empty"));
  EXPECT_THAT(refusal_of("a,caf\xe9\n1,2\n"), HasSubstr("not UTF-8"));
  EXPECT_THAT(refusal_of("a,\"b\n1,2\n"), HasSubstr("never closed"));
  EXPECT_THAT(refusal_of(std::string("\xff\xfe"
                                     "a\0,\0",
                                     6)),
              HasSubstr("is UTF-16; save it as UTF-8"));
  EXPECT_THAT(refusal_of(std::string(1200, ',') + "\n"), HasSubstr("more than 1000 columns"));
  EXPECT_THAT(rows_of("a,b\n"), IsEmpty());
}

TEST(JsonlRows, AreTheObjectsAsTheyStand) {
  EXPECT_THAT(rows_of("{\"id\": 1, \"tags\": [\"a\"]}\n\n  {\"id\":2}\t\r\n{\"id\":3}", RowFormat::kJsonl),
              ElementsAre(R"(1: {"id": 1, "tags": ["a"]})", R"(3: {"id":2})", R"(4: {"id":3})"));
  EXPECT_THAT(rows_of("\xef\xbb\xbf{}\n", RowFormat::kJsonl), ElementsAre("1: {}"));
  EXPECT_THAT(rows_of("", RowFormat::kJsonl), IsEmpty());
}

TEST(JsonlRows, ThatAreBadAreRefusedAndTheNextAreNot) {
  EXPECT_THAT(
      rows_of("{\"id\":1\n[1]\n\"x\"\n{\"t\":\"caf\xe9\"}\n{\"t\":\"\\ud800\"}\n{\"id\":2}\n", RowFormat::kJsonl),
      ElementsAre(StartsWith("1! invalid JSON: "), "2! not a JSON object", "3! not a JSON object",
                  "4! invalid JSON: the text is not valid UTF-8", StartsWith("5! invalid JSON: "), R"(6: {"id":2})"));
}

TEST(JsonlRows, LongerThanAnExportWritesAreRefusedAndTheNextAreNot) {
  const auto row = [](std::size_t bytes) { return "{\"t\":\"" + std::string(bytes - 8, 'x') + "\"}\n"; };
  const auto reader =
      reader_of(row(kMaxJsonlRowBytes) + row(kMaxJsonlRowBytes + 1) + row(2'000'000) + "{}", RowFormat::kJsonl);
  std::vector<std::string> told;
  for (SourceRow read; reader->next(read).value();)
    told.push_back(read.flaw.empty() ? std::to_string(read.data.size()) : read.flaw);
  EXPECT_THAT(told, ElementsAre(std::to_string(kMaxJsonlRowBytes), "longer than 64 MiB", "2000000", "2"));
}

/// Bytes that mean something to the readers, in any order.
std::string random_bytes(std::mt19937& random, std::string_view alphabet, std::size_t most) {
  std::string text(random() % (most + 1), ' ');
  for (char& c : text) c = alphabet[random() % alphabet.size()];
  return text;
}

TEST(RowReader, GivesDataOrAFlawForAnyBytes) {
  using namespace std::string_view_literals;
  constexpr std::string_view kAlphabet = "\"\"\",,;\t\r\n\n {}[]:1ab\\\0\xef\xbb\xbf\xff\xc3\xa4"sv;
  std::mt19937 random(7);
  json::Document document;
  for (int round = 0; round < 3000; ++round) {
    const std::string text = random_bytes(random, kAlphabet, 200);
    for (const auto format : {RowFormat::kCsv, RowFormat::kJsonl}) {
      const auto reader = RowReader::create(std::make_unique<std::istringstream>(text), format);
      if (!reader) continue;
      SourceRow row;
      for (std::uint64_t last = 0; (*reader)->next(row).value(); last = row.line) {
        ASSERT_GT(row.line, last) << testing::PrintToString(text);
        ASSERT_NE(row.data.empty(), row.flaw.empty()) << testing::PrintToString(text);
        if (!row.data.empty()) ASSERT_TRUE(document.parse(row.data).value().is_object());
      }
      ASSERT_EQ((*reader)->bytes_read(), text.size());
    }
  }
}

TEST(CsvRows, GiveBackWhatWasWritten) {
  constexpr std::string_view kAlphabet = "\"\",;\t\r\n xyz";
  std::mt19937 random(11);
  json::Document document;
  for (int round = 0; round < 500; ++round) {
    std::string text = "a,b,c\n";
    std::vector<std::array<std::string, 3>> table(random() % 5);
    for (auto& row : table) {
      for (std::size_t i = 0; i < row.size(); ++i) {
        row[i] = "v" + random_bytes(random, kAlphabet, 8);
        text += i == 0 ? "\"" : ",\"";
        for (const char c : row[i]) text += c == '"' ? std::string("\"\"") : std::string(1, c);
        text += '"';
      }
      text += "\r\n";
    }
    const auto reader = reader_of(text);
    SourceRow read;
    for (const auto& row : table) {
      ASSERT_TRUE(reader->next(read).value());
      const auto data = document.parse(read.data).value();
      for (std::size_t i = 0; i < row.size(); ++i)
        ASSERT_EQ(std::string_view(json::find(data, std::string(1, static_cast<char>('a' + i)))), row[i]);
    }
    ASSERT_FALSE(reader->next(read).value());
  }
}

TEST(RowReader, TellsTheFormatByTheName) {
  const auto missing = RowReader::open("/nonexistent/tickets.csv");
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().code, Errc::kNotFound);
  EXPECT_THAT(missing.error().message, HasSubstr("/nonexistent/tickets.csv"));
  const auto directory = RowReader::open("/");
  ASSERT_FALSE(directory);
  EXPECT_EQ(directory.error().code, Errc::kInvalidArgument);
  const auto other = RowReader::open("/proc/self/status");
  ASSERT_FALSE(other);
  EXPECT_THAT(other.error().message, HasSubstr("must end in .csv, .tsv, .jsonl or .ndjson"));
}

}  // namespace
}  // namespace toolhost::app
