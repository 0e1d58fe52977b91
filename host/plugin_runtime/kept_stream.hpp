#pragma once
#include <cstdint>
#include <string>

namespace toolhost::plugin_runtime {

/// Where the answer of a call is kept for a client that may come back for it: the arguments of
/// `toolhost.keep_answer(stream, key, expires, message)`.
struct KeptStream {
  std::string stream;        ///< a UUID
  std::int64_t key = 0;      ///< of the API key
  std::int64_t expires = 0;  ///< seconds since 1970
};

}  // namespace toolhost::plugin_runtime
