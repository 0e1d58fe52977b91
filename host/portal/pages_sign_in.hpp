#pragma once
#include <string>
#include <string_view>

#include "portal/page_frame.hpp"

namespace toolhost::portal {

/// How people sign in here.
enum class SignInKind {
  kGoogle,
  kProvider,  ///< another OpenID Connect provider
  kLocal,     ///< the trial: an e-mail address, without proof
  kNone,      ///< nobody has set it up
};

struct SignInView {
  SignInKind kind = SignInKind::kNone;
  std::string provider;      ///< its name, for kProvider
  std::string next;          ///< where to go afterwards; a safe path
  std::string_view notice;   ///< e.g. "You are signed out."
  std::string problem;       ///< why signing in did not work; may be shown
  std::string email;         ///< as entered, for kLocal
  std::string_view message;  ///< about `email`
};
Page sign_in_page(const Site& site, const SignInView& view);

/// For somebody whom no tenant names.
Page no_access_page(const Site& site, std::string_view email, std::string_view support);

/// 400, 403, 404, 405, 500, 503 in the frame of all pages. `text` says what to do.
Page error_page(const Site& site, const Viewer* viewer, unsigned status, std::string_view title, std::string_view text);

}  // namespace toolhost::portal
