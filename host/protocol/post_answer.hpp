#pragma once
#include <memory>

#include <boost/asio/awaitable.hpp>

#include "protocol/dispatcher.hpp"
#include "protocol/jsonrpc.hpp"
#include "protocol/reply.hpp"
#include "protocol/stream_table.hpp"
#include "transport/http.hpp"

namespace toolhost::protocol {

/// Answers one request that was POSTed, of either era: with JSON, or with a stream when the client takes one. The
/// context's stream is made here. `dispatcher` outlives the coroutine.
boost::asio::awaitable<void> answer_request(Dispatcher& dispatcher, std::shared_ptr<StreamTable> streams,
                                            Message message, RequestContext context, bool accepts_stream,
                                            transport::HttpResponse& response);
/// Answers a batch, with JSON.
boost::asio::awaitable<void> answer_batch(Dispatcher& dispatcher, Batch batch, RequestContext context,
                                          transport::HttpResponse& response);

}  // namespace toolhost::protocol
