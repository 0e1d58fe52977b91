// The one translation unit that compiles Boost.Asio; every other one sees declarations
// (BOOST_ASIO_SEPARATE_COMPILATION).
#include <boost/asio/impl/src.hpp>
