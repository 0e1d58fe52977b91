#pragma once
#include <filesystem>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.hpp"

namespace toolhost::app {

/// Answers that somebody has looked at and accepted: JSON beside a file of cases, "cases.golden.json" of "cases.yaml".
/// They are expected values (expected_value.hpp) by case and step, so a person may put a pattern where a value varies.
class GoldenFile {
 public:
  /// Of this file of cases. None yet when there is no such file; kInvalidArgument when it is no golden file.
  static Result<GoldenFile> load(const std::filesystem::path& cases);

  /// JSON; empty: there is none. Borrowed.
  [[nodiscard]] std::string_view find(const std::string& case_name, const std::string& step) const;
  void set(const std::string& case_name, const std::string& step, std::string json);
  /// Drops what no step asks for. `asked`: steps by case.
  void keep_only(const std::map<std::string, std::vector<std::string>>& asked);
  /// Writes it when it has changed, in one step; removes the file when nothing is left.
  Result<> save();
  [[nodiscard]] const std::filesystem::path& path() const noexcept { return path_; }

 private:
  explicit GoldenFile(std::filesystem::path path) : path_(std::move(path)) {}
  [[nodiscard]] Result<std::string> text() const;

  /// Of names such as "2. call x": in the order of their numbers.
  struct ByNumber {
    bool operator()(const std::string& left, const std::string& right) const {
      return std::pair(left.find('.'), std::string_view(left)) < std::pair(right.find('.'), std::string_view(right));
    }
  };

  std::filesystem::path path_;
  std::string stored_;
  std::map<std::string, std::map<std::string, std::string, ByNumber>> cases_;
};

}  // namespace toolhost::app
