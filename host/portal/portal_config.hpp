#pragma once
#include <chrono>
#include <string>

#include "portal/identity.hpp"

namespace toolhost::portal {

struct PortalConfig {
  std::string product = "Toolhost";  ///< what people call the system
  std::string public_url;            ///< what people's browsers use, without a slash at the end; empty: as they ask
  std::string issuer{kGoogleIssuer};
  std::string provider_name;   ///< on the button, for another provider than Google; empty: the issuer's host
  bool local_sign_in = false;  ///< the trial; never together with a provider
  std::string support;         ///< whom people without a tenant ask: a sentence or two
  int keys_per_person = 20;
  /// Requests at a time, and as many more of people who come from the sign-in provider; each has two connections to
  /// the database.
  unsigned threads = 2;
  std::size_t max_waiting = 100;                    ///< requests that wait for a thread; further ones are answered 503
  std::size_t max_waiting_of_address = 10;          ///< of these, of one client address
  std::chrono::milliseconds database_limit{5'000};  ///< for one job of the database; a page has a few
};

}  // namespace toolhost::portal
