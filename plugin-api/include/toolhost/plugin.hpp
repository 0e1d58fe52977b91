#pragma once
/// Toolhost plugins in C++20: classes with typed methods in place of the C tables of plugin.h. Compiled into the
/// plugin, so it may change from release to release without touching a plugin that is built already. Exceptions are
/// welcome inside a plugin; none leaves it. Leaves no static destructors behind: metadata is made once at load and
/// never freed.
#include <toolhost/plugin.h>

#ifndef __cpp_exceptions
#error "toolhost/plugin.hpp reports errors by exceptions; with -fno-exceptions use toolhost/plugin.h"
#else
#include <toolhost/plugin/call.hpp>
#include <toolhost/plugin/catalog.hpp>
#include <toolhost/plugin/client.hpp>
#include <toolhost/plugin/define.hpp>
#include <toolhost/plugin/enums.hpp>
#include <toolhost/plugin/error.hpp>
#include <toolhost/plugin/fields.hpp>
#include <toolhost/plugin/later.hpp>
#include <toolhost/plugin/sql.hpp>
#include <toolhost/plugin/values.hpp>
#endif
