// Boost.Asio's TLS is compiled once, here (BOOST_ASIO_SEPARATE_COMPILATION); base/asio_impl.cpp compiles the rest.
#include <boost/asio/ssl/impl/src.hpp>
