#pragma once
#include <chrono>
#include <string>
#include <string_view>

#include <boost/asio/awaitable.hpp>

#include "protocol/jsonrpc.hpp"
#include "protocol/reply.hpp"
#include "transport/http.hpp"

namespace toolhost::protocol {

/// The answers that the endpoints share; each fills in `response`.

/// What a coroutine returns that had nothing to wait for.
boost::asio::awaitable<void> nothing_to_wait_for();

void respond_json(transport::HttpResponse& response, unsigned status, std::string body);
/// 202, which MCP gives to whatever needs no answer.
void respond_accepted(transport::HttpResponse& response);
void respond_error(transport::HttpResponse& response, unsigned status, const RpcError& error,
                   Revision revision = kNewestLegacy);
/// {"error": code, "message": text}: for what is not said in JSON-RPC.
void respond_refusal(transport::HttpResponse& response, unsigned status, std::string_view code,
                     std::string_view message);
/// `allow` is the list of the Allow field.
void respond_method_not_allowed(transport::HttpResponse& response, std::string_view allow);
void respond_session_not_found(transport::HttpResponse& response, std::string id = {});
inline constexpr std::string_view kStopping = "The server is stopping; try again shortly.";

/// 503 with Retry-After, for what has not been begun: `"repeatable": true` tells a bridge so.
void respond_unavailable(transport::HttpResponse& response, std::string_view message);
/// 401 with a challenge that does not send OAuth-minded clients to a browser (they know Bearer, and only that).
void respond_unauthenticated(transport::HttpResponse& response, std::string_view code, std::string_view message);
/// Lets the answer to a call over a limit wait for a tenth of a second: refusals cost so little that a client that does
/// not wait could keep the host busy with them, at the others' expense.
void hold_back(transport::HttpResponse& response);
/// Adds Retry-After, in whole seconds, at least one, and holds the answer back.
void retry_after(transport::HttpResponse& response, std::chrono::milliseconds wait);
/// 429: the key has too many open streams.
void respond_too_many_streams(transport::HttpResponse& response);
/// A call that was ended before its result: 401, 404, 503, or 202 when the client itself cancelled it and expects no
/// answer.
void respond_stopped(transport::HttpResponse& response, StopReason reason);

/// True when `content_type` is application/json, with or without parameters.
bool is_json(std::string_view content_type) noexcept;
/// True when the Accept field takes a type, e.g. "application/json"; an absent field takes everything.
bool accepts(std::string_view accept, std::string_view type) noexcept;
/// True when the Accept field names text/event-stream itself: whoever takes anything may not know how to read one.
bool asks_for_streams(std::string_view accept) noexcept;
/// The value of a query parameter, undecoded; empty when absent.
std::string_view query_parameter(std::string_view query, std::string_view name) noexcept;

}  // namespace toolhost::protocol
