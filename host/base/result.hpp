#pragma once
#include <boost/system/result.hpp>

#include "base/error.hpp"

namespace toolhost {

/// The value, or why there is none. Everything that input, the network, the database or a plugin can cause is returned
/// this way; exceptions stay inside the file that calls a throwing library.
template <class T = void>
using Result = boost::system::result<T, Error>;

}  // namespace toolhost
