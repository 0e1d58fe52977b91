#pragma once
#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <variant>
#include <vector>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>

#include "base/deadline.hpp"
#include "plugin_runtime/header_members.hpp"
#include "protocol/bridge_line.hpp"
#include "protocol/stdio_bridge.hpp"
#include "transport/sse_reader.hpp"

// The inside of StdioBridge, for its own files: stdio_bridge.cpp (the client's side), bridge_sending.cpp,
// bridge_streams.cpp and bridge_sessions.cpp (the server's).
namespace toolhost::protocol::bridge {

template <class T>
using Awaitable = boost::asio::awaitable<T>;
using ExchangePtr = std::shared_ptr<transport::HttpExchange>;

inline constexpr std::string_view kStreamType = "text/event-stream";
inline constexpr std::size_t kMaxMessage = transport::StdioPipe::kMaxLine;
inline constexpr std::string_view kTooLarge =
    "The answer is larger than 10 MiB, which is the most that can be handed on.";
inline constexpr std::string_view kMayHaveRun =
    "The connection to the server was lost while this call ran. It may have been done: look before you repeat it.";

inline constexpr std::chrono::milliseconds kFirstWait{100}, kLongestWait{2000};
// Whoever configured a wrong address is to hear of it; a server that has been met is worth waiting for.
inline constexpr std::chrono::seconds kFirstPatience{3}, kPatience{30};

/// How long to wait before a stream is opened again: what the server says, within reason, and twice as long each time
/// that streams have ended at once without an event.
class Pace {
 public:
  /// A stream is open, and is read by `reader`.
  void begin(const transport::SseReader& reader);
  /// It has ended, or could not be opened again.
  std::chrono::milliseconds end(const transport::SseReader& reader);

 private:
  std::chrono::steady_clock::time_point began_;
  std::uint64_t events_ = 0;  ///< that had been read by then
  unsigned doublings_ = 0;
};

/// Whether a status tells that the server, or the way to it, is out of service for a while.
constexpr bool is_away(unsigned status) noexcept {
  return status == 502 || status == 503 || status == 504;
}

/// What coroutines of one thread wait for.
class Signal {
 public:
  explicit Signal(boost::asio::io_context& io) : io_(io) {}
  /// Until notify(), or until then.
  Awaitable<void> wait(Deadline limit);
  void notify();

 private:
  boost::asio::io_context& io_;
  std::vector<boost::asio::steady_timer*> waiting_;
};

/// A line on its way to the server.
struct Post {
  BridgeLine line;
  ExchangePtr exchange;      ///< that carries it now
  std::uint64_t stream = 0;  ///< HTTP with SSE: which one was there when it was sent
  bool is_cancelled = false, is_acknowledged = false, is_sending = false;
};
using PostPtr = std::shared_ptr<Post>;

/// What came of sending a line once.
struct Step {
  enum class Kind {
    kDone,            ///< answered, taken, or given up by the client
    kUnreached,       ///< the server has not seen it
    kLost,            ///< it may have
    kForgotten,       ///< the server does not know the session
    kOtherTransport,  ///< no Streamable HTTP here
    kUnlearned,       ///< fields are missing that only the list of tools tells
    kRefused,
  };
  Kind kind = Kind::kDone;
  std::string why = {};
};
using Kind = Step::Kind;

/// Where own requests wait for their answers, by id.
using OwnAnswers = std::unordered_map<std::string, std::optional<std::string>>;

/// All on the thread of run(), but for the one that reads lines.
class Bridge final : public StdioBridge {
 public:
  Bridge(StdioBridgeConfig config, transport::StdioPipe& pipe) : config_(std::move(config)), pipe_(pipe) {}

  Result<> connect();

  void run() override;

 private:
  // --- Lines of the client ---

  void on_line(transport::StdioPipe::Line line);

  /// Answers a line for which there is no room.
  void turn_away(std::string text);

  /// Takes the lines in turn: `initialize` and notifications have arrived before the next one leaves.
  Awaitable<void> pump();

  Awaitable<void> take(std::string text);

  /// Whether that was all: in the modern era a request is cancelled by closing its connection.
  bool cancel(const std::string& id);

  Awaitable<void> notify(PostPtr post);

  Awaitable<void> finish();

  // --- Messages of the server ---

  /// Hands a message on, unless it answers a request that has its answer.
  void deliver(std::string_view text);

  bool is_wanted_now(const Message& message, std::string_view text);

  /// A subscription that was begun anew is acknowledged again, which its client does not expect.
  bool is_second_acknowledgement(const Message& message);

  /// The revision that all later messages name. False: the answer names one that no field can hold.
  bool note_version(const Message& answer);

  /// Which arguments of which tools travel as HTTP fields, too.
  void learn(const Message& answer);

  void fail(const PostPtr& post, std::string_view why, RpcCode code = RpcCode::kServerError,
            std::string data_json = {});

  void write(std::string_view text);

  // --- Sending ---

  [[nodiscard]] bool is_open(const PostPtr& post) const;
  [[nodiscard]] bool is_wanted(const PostPtr& post) const { return post->line.ids.empty() || is_open(post); }

  /// Sends a line until the server has answered, or nobody waits any more.
  Awaitable<void> serve(PostPtr post);

  [[nodiscard]] transport::HttpQuestion question(transport::HttpQuestion::Method method, std::string_view accept) const;

  [[nodiscard]] transport::HttpQuestion question_of(const BridgeLine& line) const;

  void add_argument_fields(const Message& message, transport::HttpFields& fields) const;

  Awaitable<Step> send(PostPtr post);

  static Step unanswered(const transport::HttpExchange& exchange, const Error& error);

  Step judge(const PostPtr& post, unsigned status, std::string_view body, bool had_session);

  /// Whether the body of a refusal is a JSON-RPC answer to this very request, as refusals of the modern era are.
  bool is_answer(const PostPtr& post, std::string_view body);

  bool needs_fields(const PostPtr& post, const Message& answer);

  /// A refusal that is not addressed to the request, in words of one that is.
  Step relay(const PostPtr& post, unsigned status, std::string_view body);

  [[nodiscard]] std::string server() const { return config_.url.origin() + config_.url.target; }

  [[nodiscard]] std::string refusal(unsigned status, std::string_view body) const;

  /// A body as a whole; kLimit when it is larger than a line may be.
  Awaitable<Result<std::string>> whole(transport::HttpExchange& exchange);

  // --- Streams ---

  /// Hands on the events of a stream until it ends, or until `is_over` says so. kLimit: an event that is too large.
  Awaitable<Result<>> read_events(ExchangePtr exchange, transport::SseReader& reader, std::function<bool()> is_over);

  void on_event(const transport::SseReader::Event& event);

  /// Reads what follows the answer, so that the connection can be used again.
  Awaitable<void> drain(ExchangePtr exchange);

  /// The answer to a POST as a stream, and its continuations.
  Awaitable<Step> follow(PostPtr post, ExchangePtr exchange);

  /// kUnreached: it is worth trying again.
  Awaitable<std::variant<ExchangePtr, Step>> resume(PostPtr post, const std::string& last_id);

  /// The session's own stream, which is not every server's.
  void start_listening();
  Awaitable<void> listen(std::uint64_t session);

  // --- Sessions ---

  void begin_session(const BridgeLine& line);

  /// Begins the session anew that the server has forgotten; false when that cannot be.
  Awaitable<bool> renew(std::uint64_t session);

  Awaitable<bool> initialize_again();

  /// Gives up what carries the post when the limit passes; lives as long as that is waited for.
  [[nodiscard]] boost::asio::steady_timer giving_up(const PostPtr& post, Deadline limit);

  /// Asks something of our own; nothing when it was not answered in time.
  Awaitable<std::optional<std::string>> ask(const Message& request, bool begins_session = false);

  /// Asks for the list of tools that the client got elsewhere, as with the envelope of its call.
  Awaitable<bool> learn_tools(const Post& call);

  // --- HTTP with SSE ---

  void fall_back();

  /// Keeps the stream open that all answers come on.
  Awaitable<void> keep_stream();

  void on_endpoint(std::string_view data);

  /// The path that messages are sent to; empty when it is of another origin.
  [[nodiscard]] std::string endpoint_target(std::string_view data) const;

  /// A stream of a server that knows nothing of the one before: what was under way there has no answer any more.
  Awaitable<void> begin_stream_anew(std::string target);

  Awaitable<Step> send_by_stream(PostPtr post);

  Awaitable<Step> post_to_stream(PostPtr post);

  // --- Small things ---

  void spawn(Awaitable<void> task) { boost::asio::co_spawn(io_, std::move(task), boost::asio::detached); }

  Awaitable<void> sleep(std::chrono::milliseconds time);

  void say_away(std::string_view why);
  void say_back();

  const StdioBridgeConfig config_;
  transport::StdioPipe& pipe_;
  boost::asio::io_context io_{1};
  std::unique_ptr<transport::HttpChannel> channel_;
  Signal progress_{io_};  ///< something has been answered, sent, or opened
  std::deque<transport::StdioPipe::Line> lines_;
  std::size_t waiting_bytes_ = 0;  ///< of lines_
  bool is_pumping_ = false, is_ending_ = false;

  enum class Mode { kUnknown, kHttp, kSse } mode_ = Mode::kUnknown;
  bool has_met_ = false, is_away_ = false;
  std::unordered_map<std::string, PostPtr> open_;  ///< requests that have no answer yet, by id
  OwnAnswers own_;
  std::uint64_t last_own_ = 0;
  std::unordered_map<std::string, plugin_runtime::HeaderMembers> tools_;

  std::optional<std::string> initialize_;
  std::string session_, version_;
  std::uint64_t sessions_ = 0;  ///< how many there have been
  bool is_renewing_ = false;

  ExchangePtr listening_;  ///< the session's own stream
  ExchangePtr stream_;
  std::string endpoint_, last_endpoint_, own_endpoint_, stream_problem_;
  std::uint64_t streams_ = 0;
};

}  // namespace toolhost::protocol::bridge
