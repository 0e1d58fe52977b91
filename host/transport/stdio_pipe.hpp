#pragma once
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
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

  /// Owns both. At the end what waits is written, for at most half a second.
  StdioPipe(int input, int output) noexcept;
  ~StdioPipe();
  StdioPipe(const StdioPipe&) = delete;
  StdioPipe& operator=(const StdioPipe&) = delete;

  struct TooLong {};
  struct End {};
  /// A line without its end (and without the carriage return before it), never empty; a last line may have no end.
  using Line = std::variant<std::string, TooLong, End>;
  /// Waits for the next line; not before what waits to be written is less than 1 MiB. One thread at a time.
  Line read();
  /// What waits in read(), or comes there, finds the end. Any thread.
  void interrupt() noexcept;

  /// Writes the text and a line end, whole and behind what was written before; waits while the reader is slow. Line
  /// breaks within a JSON text mean nothing and become spaces. False from the moment on when nobody reads any more. Any
  /// thread.
  bool write(std::string_view text);
  enum class Post : std::uint8_t {
    kAlways,
    kIfRoom,  ///< dropped while 1 MiB waits
    kOnce,    ///< nothing, while the same line waits
  };
  /// The same without waiting for the reader: what there is no room for is written by a thread of the pipe's own. Any
  /// thread.
  void post(std::string_view text, Post how = Post::kAlways);

 private:
  bool fill();
  void wait_for_reader();
  void put(std::string_view text, Post how);
  void flush();
  bool write_waiting(std::string_view line) noexcept;

  const int input_, output_, wake_, end_;
  std::string buffer_;
  std::size_t begin_ = 0, searched_ = 0;  // of buffer_: what was read already; where no line end is
  bool skips_ = false, has_ended_ = false;

  std::mutex write_mutex_;  // guards what follows; nobody waits with it for the reader
  std::condition_variable written_;
  std::string line_;
  std::deque<std::string> waiting_;  ///< the first is being written
  std::size_t waiting_bytes_ = 0;
  bool is_closed_ = false, is_interrupted_ = false, is_ending_ = false;
  std::thread flusher_;  ///< from the first time that something waits
};

}  // namespace toolhost::transport
