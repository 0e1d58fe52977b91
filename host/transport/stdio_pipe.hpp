#pragma once
#include <cstddef>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <variant>

#include "base/result.hpp"

namespace toolhost::transport {

/// Two file descriptors that carry lines, as a program and the one that started it speak (MCP, "stdio").
class StdioPipe {
 public:
  /// A longer line is read to its end and told as too long; readers of MCP take no more either.
  static constexpr std::size_t kMaxLine = std::size_t{10} * 1024 * 1024;

  /// Takes standard input and output for itself, once in a process and before plugins or other programs are started:
  /// what is printed from then on goes to standard error, and nobody inherits the pipe. kUnavailable when they are not
  /// open.
  static Result<std::unique_ptr<StdioPipe>> take_over();

  /// Owns both.
  StdioPipe(int input, int output) noexcept;
  ~StdioPipe();
  StdioPipe(const StdioPipe&) = delete;
  StdioPipe& operator=(const StdioPipe&) = delete;

  struct TooLong {};
  struct End {};
  /// A line without its end (and without the carriage return before it), never empty; a last line may have no end.
  using Line = std::variant<std::string, TooLong, End>;
  /// Waits for the next line. One thread at a time.
  Line read();
  /// What waits in read(), or comes there, finds the end. Any thread.
  void interrupt() noexcept;

  /// Writes the text and a line end, whole and behind what was written before; waits while the reader is slow. Line
  /// breaks within a JSON text mean nothing and become spaces. False from the moment on when nobody reads any more. Any
  /// thread.
  bool write(std::string_view text);

 private:
  bool fill();
  bool write_all(std::string_view bytes) noexcept;

  const int input_, output_, wake_;
  std::string buffer_;
  std::size_t begin_ = 0, searched_ = 0;  // of buffer_: what was read already; where no line end is
  bool skips_ = false, has_ended_ = false;
  std::mutex write_mutex_;
  std::string line_;
  bool is_closed_ = false;
};

}  // namespace toolhost::transport
