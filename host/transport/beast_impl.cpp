// Boost.Beast is compiled once, here (BOOST_BEAST_SEPARATE_COMPILATION); only its parser is used.
#include <boost/beast/src.hpp>
