#pragma once
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "base/secret.hpp"

namespace toolhost::plugin_runtime {

/// What the configuration says about one plugin file.
struct PluginPins {
  std::string id;                         ///< what its card must say; empty: anything
  std::string sha256;                     ///< of the one file that may be loaded, lower-case hex; empty: any
  std::string offers_sha256;              ///< of what it offers to clients, see hash_of(); empty: anything
  std::vector<std::string> extra_needed;  ///< libraries that it may need beside those that every plugin may
};

/// A key whose signatures count: an Ed25519 public key in PEM form.
struct TrustedKey {
  std::string name;  ///< as plugin lists and messages call it
  std::filesystem::path file;
};

/// What holds for every plugin file of a configuration.
struct PluginTrust {
  bool require_sha256 = false, require_signature = false;
  std::vector<TrustedKey> keys;
};

/// Which plugin a file is, by its card; not one instruction of it is run, and nothing else of it is judged.
struct PluginIdentity {
  std::filesystem::path file;  ///< absolute
  std::string id, version, sha256;
};
Result<PluginIdentity> identify_plugin_file(const std::filesystem::path& file);

/// A new Ed25519 key pair.
struct SigningKeyPair {
  Secret private_pem;      ///< PKCS #8, not encrypted
  std::string public_pem;  ///< SubjectPublicKeyInfo
  std::string fingerprint;
};
Result<SigningKeyPair> make_signing_key_pair();

/// SHA-256 of the key's SubjectPublicKeyInfo in DER, lower-case hex. kInvalidArgument, with file, reason and cure, when
/// the file is no Ed25519 public key in PEM form or can be written by others.
Result<std::string> fingerprint_of(const std::filesystem::path& public_key);

/// Where the signature of a plugin file stands: beside it, with ".sig" appended.
std::filesystem::path signature_file(const std::filesystem::path& plugin);

/// The text of a signature file for a plugin with this SHA-256 (ABI.md describes it), made with the private key of a
/// PEM file. `fingerprint` gets that of the key. kInvalidArgument with file, reason and cure.
Result<std::string> sign_digest(std::string_view sha256, const std::filesystem::path& private_key,
                                std::string& fingerprint);

/// The name of the key among `keys` that has signed a file of this SHA-256; none when nobody of them has, which is an
/// error if `required`. A signature by one of them must fit in any case. Reads the signature file, and the keys anew
/// each time. `plugin` is the file, as messages name it.
Result<std::optional<std::string>> check_signature(const std::filesystem::path& plugin, std::string_view sha256,
                                                   const std::vector<TrustedKey>& keys, bool required);

/// Makes every refusal that pins and trust ask for of bytes with this SHA-256; the name of the key that signed them,
/// empty when none is known to.
Result<std::string> check_trust(const std::filesystem::path& plugin, std::string_view sha256, const PluginPins& pins,
                                const PluginTrust& trust);

}  // namespace toolhost::plugin_runtime
