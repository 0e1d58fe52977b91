#include "app/commands/row_reader.hpp"

#include <csv.h>

#include <algorithm>
#include <array>
#include <fstream>
#include <new>
#include <vector>

#include "app/commands/console.hpp"
#include "base/json.hpp"
#include "base/json_writer.hpp"

namespace toolhost::app {
namespace {

constexpr std::size_t kBufferBytes = 64 * 1024;
constexpr std::size_t kMaxColumns = 1000;
constexpr std::string_view kJsonlTooLong = "longer than 64 MiB";
constexpr std::string_view kCsvTooLong = "longer than 1 MiB";
constexpr std::string_view kQuoteAdvice =
    R"(a quote that belongs to a text is written twice, in a value that stands in quotes ("19"" rack"))";

Error unusable(std::string message) {
  return {Errc::kInvalidArgument, std::move(message), {}};
}

/// A stream in pieces that end behind a line end, or where the buffer ends.
class Pieces {
 public:
  explicit Pieces(std::unique_ptr<std::istream> in) : in_(std::move(in)) {}

  /// Makes the next piece the current one; false at the end.
  Result<bool> next() {
    step_over_current();
    if (unread_.empty()) {
      if (auto filled = fill(); !filled) return filled.error();
      if (unread_.empty()) return false;
    }
    const auto line_end = unread_.find_first_of("\r\n");
    current_ = unread_.substr(0, line_end == std::string_view::npos ? line_end : line_end + 1);
    unread_.remove_prefix(current_.size());
    bytes_ += current_.size();
    return true;
  }

  [[nodiscard]] std::string_view current() const noexcept { return current_; }
  [[nodiscard]] bool ends_line() const noexcept { return current_.ends_with('\n') || current_.ends_with('\r'); }
  [[nodiscard]] bool is_line_end() const noexcept { return current_.size() == 1 && ends_line(); }
  /// Where the current piece begins, 1-based.
  [[nodiscard]] std::uint64_t line() const noexcept { return line_; }
  /// Where it ends.
  [[nodiscard]] std::uint64_t bytes() const noexcept { return bytes_; }

  /// What is in the buffer before the first piece is read. kInvalidArgument for UTF-16.
  Result<std::string_view> look_ahead() {
    if (auto filled = fill(); !filled) return filled.error();
    constexpr std::string_view kMark = "\xef\xbb\xbf";
    if (unread_.starts_with(kMark)) {
      unread_.remove_prefix(kMark.size());
      bytes_ += kMark.size();
    }
    if (unread_.starts_with("\xff\xfe") || unread_.starts_with("\xfe\xff"))
      return unusable("is UTF-16; save it as UTF-8 (in Excel: \"CSV UTF-8\")");
    return unread_;
  }

 private:
  void step_over_current() {
    const bool is_rest_of_crlf = after_cr_ && current_ == "\n";
    if (ends_line() && !is_rest_of_crlf) ++line_;
    if (!current_.empty()) after_cr_ = current_.ends_with('\r');
    current_ = {};
  }

  Result<> fill() {
    if (!unread_.empty()) return {};
    in_->read(buffer_.data(), static_cast<std::streamsize>(buffer_.size()));
    if (in_->bad()) return Error{Errc::kUnavailable, "cannot be read any further", {}};
    unread_ = std::string_view(buffer_.data(), static_cast<std::size_t>(in_->gcount()));
    return {};
  }

  std::unique_ptr<std::istream> in_;
  std::vector<char> buffer_ = std::vector<char>(kBufferBytes);
  std::string_view unread_, current_;
  std::uint64_t line_ = 1, bytes_ = 0;
  bool after_cr_ = false;
};

class JsonlReader final : public RowReader {
 public:
  explicit JsonlReader(Pieces pieces) : pieces_(std::move(pieces)) {}

  Result<bool> next(SourceRow& row) override {
    for (;;) {
      const auto found = read_line(row);
      if (!found || !*found) return found;
      if (is_too_long_ || !trim()) return take(row);
    }
  }

  [[nodiscard]] std::uint64_t bytes_read() const noexcept override { return pieces_.bytes(); }
  [[nodiscard]] std::span<const std::string> columns() const noexcept override { return {}; }

 private:
  /// A whole line to text_, or as much of it as may be.
  Result<bool> read_line(SourceRow& row) {
    text_.clear();
    is_too_long_ = false;
    row.line = 0;
    do {
      const auto more = pieces_.next();
      if (!more) return more;
      if (!*more) return row.line != 0;
      if (row.line == 0) row.line = pieces_.line();
      if (text_.size() + pieces_.current().size() > kMaxJsonlRowBytes + 1) is_too_long_ = true;
      if (!is_too_long_) text_ += pieces_.current();
    } while (!pieces_.ends_line());
    return true;
  }

  /// Without blanks around it; true when nothing is left.
  bool trim() {
    constexpr std::string_view kBlank = " \t\r\n";
    const auto begin = text_.find_first_not_of(kBlank);
    if (begin == std::string::npos) return true;
    text_.erase(text_.find_last_not_of(kBlank) + 1);
    text_.erase(0, begin);
    return false;
  }

  bool take(SourceRow& row) {
    row.data.clear();
    row.flaw.clear();
    if (is_too_long_) {
      row.flaw = kJsonlTooLong;
    } else if (const auto parsed = document_.parse(text_); !parsed) {
      row.flaw = parsed.error().message;
    } else if (!parsed->is_object()) {
      row.flaw = "not a JSON object";
    } else {
      row.data = text_;
    }
    return true;
  }

  Pieces pieces_;
  json::Document document_;
  std::string text_;
  bool is_too_long_ = false;
};

/// What separates columns is what the first line has most of, outside of quotes.
char detect_separator(std::string_view text) {
  constexpr std::string_view kSeparators = ",;\t";
  std::array<std::size_t, kSeparators.size()> counts{};
  bool is_quoted = false;
  for (const char c : text) {
    if (c == '"') is_quoted = !is_quoted;
    if (is_quoted) continue;
    if (c == '\r' || c == '\n') break;
    if (const auto at = kSeparators.find(c); at != std::string_view::npos) ++counts[at];
  }
  const auto most = std::max_element(counts.begin(), counts.end());
  return kSeparators[static_cast<std::size_t>(most - counts.begin())];
}

/// libcsv, fed piece by piece.
class CsvReader final : public RowReader {
 public:
  explicit CsvReader(Pieces pieces) : pieces_(std::move(pieces)) {
    csv_init(&parser_, 0);
    csv_set_blk_size(&parser_, 4096);
    csv_set_space_func(&parser_,
                       [](unsigned char) { return 0; });  // blanks around a value belong to it (RFC 4180, 2.4)
  }
  ~CsvReader() override { csv_free(&parser_); }
  CsvReader(const CsvReader&) = delete;
  CsvReader& operator=(const CsvReader&) = delete;

  Result<> read_header(std::string_view begin) {
    separator_ = detect_separator(begin);
    csv_set_delim(&parser_, static_cast<unsigned char>(separator_));
    const auto found = read_record();
    if (!found) return found.error();
    if (!*found) return unusable("is empty; its first line must name the columns");
    if (!flaw_.empty()) return unusable("cannot be used; its first line: " + flaw_);
    if (field_count_ > kMaxColumns)
      return unusable("has more than " + std::to_string(kMaxColumns) + " columns; is it CSV?");
    fields_.resize(field_count_);
    for (std::size_t i = 0; i < fields_.size(); ++i) name_column(i);
    return {};
  }

  Result<bool> next(SourceRow& row) override {
    for (;;) {
      const auto found = read_record();
      if (!found || !*found) return found;
      const bool is_blank = flaw_.empty() && field_count_ <= columns_.size() &&
                            std::all_of(fields_.begin(), fields_.begin() + static_cast<std::ptrdiff_t>(field_count_),
                                        [](const auto& field) { return field.empty(); });
      if (is_blank) continue;
      take(row);
      return true;
    }
  }

  [[nodiscard]] std::uint64_t bytes_read() const noexcept override { return pieces_.bytes(); }
  [[nodiscard]] std::span<const std::string> columns() const noexcept override { return columns_; }

 private:
  /// A whole record to fields_ and field_count_, or why it is none to flaw_; false at the end.
  Result<bool> read_record() {
    flaw_.clear();
    field_count_ = record_bytes_ = 0;
    has_quotes_ = is_open_ = false;
    quote_line_ = 0;
    has_ended_ = false;
    while (!has_ended_ && !at_end_) {
      const auto more = pieces_.next();
      if (!more) return more;
      if (!*more) {
        finish();
        break;
      }
      if (record_bytes_ == 0) {
        if (pieces_.is_line_end()) continue;  // a blank line, or the rest of CR LF
        record_line_ = pieces_.line();
      }
      feed(pieces_.current());
    }
    if (has_ended_ && flaw_.empty()) check_encoding();
    return has_ended_;
  }

  void feed(std::string_view piece) {
    record_bytes_ += piece.size();
    const auto fields_before = field_count_;
    if (csv_parse(&parser_, piece.data(), piece.size(), on_field, on_record, this) != piece.size()) throw_away();
    has_quotes_ = has_quotes_ || piece.find('"') != std::string_view::npos;
    // The value that goes on behind this piece began in it, unless it went on from before.
    const bool was_open = is_open_ && field_count_ == fields_before;
    is_open_ = !has_ended_ && parser_.quoted != 0;
    if (is_open_ && !was_open) quote_line_ = pieces_.line();
    if (record_bytes_ > kMaxCsvRowBytes && flaw_.empty()) flaw_ = too_long();
    // The parser keeps a whole field, and of one that is too long nobody needs more than its end.
    if (!flaw_.empty()) parser_.entry_pos = std::min<std::size_t>(parser_.entry_pos, 16);
  }

  /// libcsv ends a piece early only when memory is exhausted.
  [[noreturn]] static void throw_away() { throw std::bad_alloc(); }

  void finish() {
    at_end_ = true;
    csv_set_opts(&parser_, CSV_STRICT | CSV_STRICT_FINI);
    if (csv_fini(&parser_, on_field, on_record, this) == 0) return;
    has_ended_ = true;
    const auto lines = std::max<std::uint64_t>(pieces_.line() - record_line_, 1);
    flaw_ = "the quote that is opened in line " + grouped(quote_line_) +
            " is never closed and takes in the rest of the file (" + counted(lines, "line") + "); " +
            std::string(kQuoteAdvice) + ", then import the file again";
  }

  /// Of a row that is no row.
  [[nodiscard]] std::string too_long() const {
    if (!is_open_) return std::string(kCsvTooLong);
    return std::string(kCsvTooLong) + ": the quote that is opened in line " + grouped(quote_line_) +
           " is not closed for so long; " + std::string(kQuoteAdvice);
  }
  [[nodiscard]] std::string wrong_count() const {
    const std::string separator = separator_ == '\t' ? "tab" : std::string("'") + separator_ + "'";
    std::string text = "has " + counted(field_count_, "column") + " where the first line has " +
                       std::to_string(columns_.size()) + "; ";
    if (quote_line_ != 0)
      return text + "the quote that is opened in line " + grouped(quote_line_) +
             " takes in the lines below it: " + std::string(kQuoteAdvice);
    if (has_quotes_) text += std::string(kQuoteAdvice) + ", and ";
    return text + "a text that holds a " + separator + " or a line break must stand in quotes";
  }

  static void on_field(void* text, std::size_t length, void* self) {
    static_cast<CsvReader*>(self)->add_field({static_cast<const char*>(text), length});
  }
  static void on_record(int, void* self) { static_cast<CsvReader*>(self)->has_ended_ = true; }

  void add_field(std::string_view text) {
    const std::size_t index = field_count_++;
    if (!flaw_.empty() || index > std::max(columns_.size(), kMaxColumns)) return;
    if (index >= fields_.size()) fields_.resize(index + 1);
    fields_[index] = text;
  }

  void check_encoding() {
    for (std::size_t i = 0; i < std::min(field_count_, fields_.size()); ++i) {
      if (simdjson::validate_utf8(fields_[i])) continue;
      flaw_ = "not UTF-8";
      if (i < columns_.size()) flaw_ += " in the column \"" + columns_[i] + "\"";
      flaw_ += "; save the file as UTF-8";
      return;
    }
  }

  void name_column(std::size_t index) {
    std::string name = fields_[index];
    const auto begin = name.find_first_not_of(" \t");
    name = begin == std::string::npos ? "column " + std::to_string(index + 1)
                                      : name.substr(begin, name.find_last_not_of(" \t") + 1 - begin);
    const auto known =
        std::find_if(names_.begin(), names_.end(), [&](const auto& entry) { return entry.name == name; });
    if (known == names_.end()) {
      names_.push_back({name, {index}});
    } else {
      known->indexes.push_back(index);
    }
    columns_.push_back(std::move(name));
  }

  void take(SourceRow& row) {
    row.line = record_line_;
    row.data.clear();
    row.flaw = flaw_;
    if (!row.flaw.empty()) return;
    if (field_count_ != columns_.size()) {
      row.flaw = wrong_count();
      return;
    }
    JsonWriter json(row.data);
    json.begin_object();
    for (const auto& [name, indexes] : names_) write_member(json, name, indexes);
    json.end_object();
  }

  void write_member(JsonWriter& json, const std::string& name, const std::vector<std::size_t>& indexes) {
    std::vector<const std::string*> values;
    for (const auto index : indexes)
      if (!fields_[index].empty()) values.push_back(&fields_[index]);
    if (values.empty()) return;
    json.key(name);
    if (values.size() == 1) {
      json.string(*values.front());
      return;
    }
    json.begin_array();
    for (const auto* value : values) json.string(*value);
    json.end_array();
  }

  struct Name {
    std::string name;
    std::vector<std::size_t> indexes;
  };

  Pieces pieces_;
  csv_parser parser_{};
  char separator_ = ',';
  std::vector<std::string> columns_;
  std::vector<Name> names_;  // each once, in the order of the file
  std::vector<std::string> fields_;
  std::size_t field_count_ = 0, record_bytes_ = 0;
  std::uint64_t record_line_ = 0;
  std::uint64_t quote_line_ = 0;  // where the last value began that goes on in the next line; 0: none does
  std::string flaw_;
  bool has_quotes_ = false, is_open_ = false;  // of the record: any quote; a value in quotes that goes on
  bool has_ended_ = false, at_end_ = false;
};

Result<RowFormat> format_of(const std::filesystem::path& file) {
  std::string extension = file.extension().string();
  for (char& c : extension) c = static_cast<char>(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
  if (extension == ".csv" || extension == ".tsv") return RowFormat::kCsv;
  if (extension == ".jsonl" || extension == ".ndjson") return RowFormat::kJsonl;
  std::string message = file.string() + " is neither CSV nor JSONL: its name must end in .csv, .tsv, .jsonl or .ndjson";
  if (extension == ".json") message += ". A JSON array becomes JSONL with: jq -c '.[]' FILE.json > FILE.jsonl";
  return unusable(std::move(message));
}

}  // namespace

Result<std::unique_ptr<RowReader>> RowReader::create(std::unique_ptr<std::istream> in, RowFormat format) {
  Pieces pieces(std::move(in));
  const auto begin = pieces.look_ahead();
  if (!begin) return begin.error();
  if (format == RowFormat::kJsonl) return std::make_unique<JsonlReader>(std::move(pieces));
  auto reader = std::make_unique<CsvReader>(std::move(pieces));
  if (auto read = reader->read_header(*begin); !read) return read.error();
  return std::unique_ptr<RowReader>(std::move(reader));
}

Result<std::unique_ptr<RowReader>> RowReader::open(const std::filesystem::path& file) {
  std::error_code ignored;
  if (!std::filesystem::exists(file, ignored))
    return Error{Errc::kNotFound, "there is no file " + file.string() + "; check the path", {}};
  if (std::filesystem::is_directory(file, ignored))
    return unusable(file.string() + " is a directory; name a file in it");
  const auto format = format_of(file);
  if (!format) return format.error();
  auto in = std::make_unique<std::ifstream>(file, std::ios::binary);
  if (!*in) return Error{Errc::kUnavailable, file.string() + " cannot be read; check its permissions", {}};
  auto reader = create(std::move(in), *format);
  if (!reader) return Error{reader.error().code, file.string() + " " + reader.error().message, {}};
  return reader;
}

}  // namespace toolhost::app
