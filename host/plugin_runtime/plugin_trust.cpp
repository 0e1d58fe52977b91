#include "plugin_runtime/plugin_trust.hpp"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <memory>

#include "plugin_runtime/elf_card.hpp"
#include "plugin_runtime/regular_file.hpp"

namespace toolhost::plugin_runtime {
namespace {

namespace fs = std::filesystem;

template <auto Free>
struct FreeWith {
  template <class Object>
  void operator()(Object* object) const noexcept {
    Free(object);
  }
};
using Key = std::unique_ptr<EVP_PKEY, FreeWith<EVP_PKEY_free>>;
using Bio = std::unique_ptr<BIO, FreeWith<BIO_free_all>>;
using DigestContext = std::unique_ptr<EVP_MD_CTX, FreeWith<EVP_MD_CTX_free>>;

constexpr std::size_t kSignatureBytes = 64, kBase64Characters = 88, kHexCharacters = 64;
constexpr FileKind kKeyFile{64 << 10, "name a PEM file", "name a PEM file with one key"};
constexpr FileKind kSignatureFile{4 << 10, "copy the signature again, or sign the plugin anew",
                                  "copy the signature again, or sign the plugin anew"};
constexpr const char* kMakeKeys = "'toolhost plugin keygen' makes an Ed25519 pair";

/// What is signed: it names its purpose, so that it is good for nothing else, and the file's content. These are the
/// first two lines of a signature file.
std::string signed_text(std::string_view sha256) {
  return "toolhost plugin signature v1\nsha256 " + std::string(sha256) + "\n";
}

struct Signature {
  std::string sha256;  // of the file that it was made for
  std::string fingerprint;
  std::string bytes;
};

bool is_hex(std::string_view text) {
  return text.size() == kHexCharacters && text.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

std::string to_base64(std::string_view bytes) {
  std::string text(4 * ((bytes.size() + 2) / 3) + 1, '\0');
  const auto size =
      EVP_EncodeBlock(reinterpret_cast<unsigned char*>(text.data()),
                      reinterpret_cast<const unsigned char*>(bytes.data()), static_cast<int>(bytes.size()));
  text.resize(static_cast<std::size_t>(size));
  return text;
}

/// Empty when it is not the base64 of a signature, in the one way to write it.
std::string signature_bytes(std::string_view base64) {
  if (base64.size() != kBase64Characters) return {};
  std::string bytes(kBase64Characters, '\0');
  if (EVP_DecodeBlock(reinterpret_cast<unsigned char*>(bytes.data()),
                      reinterpret_cast<const unsigned char*>(base64.data()), static_cast<int>(base64.size())) < 0)
    return {};
  bytes.resize(kSignatureBytes);
  return to_base64(bytes) == base64 ? bytes : std::string();
}

/// Nothing when the text is damaged.
std::optional<Signature> parse_signature(std::string_view text) {
  const auto take = [&](std::string_view label, std::size_t length) {
    if (!text.starts_with(label) || text.size() < label.size() + length + 1) return std::string();
    const std::string value(text.substr(label.size(), length));
    text.remove_prefix(label.size() + length);
    if (!text.starts_with('\n')) return std::string();
    text.remove_prefix(1);
    return value;
  };
  Signature signature;
  const auto title = take("", std::string_view("toolhost plugin signature v1").size());
  signature.sha256 = take("sha256 ", kHexCharacters);
  signature.fingerprint = take("key ", kHexCharacters);
  signature.bytes = signature_bytes(take("ed25519 ", kBase64Characters));
  const bool is_whole = title == "toolhost plugin signature v1" && is_hex(signature.sha256) &&
                        is_hex(signature.fingerprint) && !signature.bytes.empty() && text.empty();
  return is_whole ? std::optional(std::move(signature)) : std::nullopt;
}

std::string fingerprint_of(EVP_PKEY& key) {
  unsigned char* der = nullptr;
  const int size = i2d_PUBKEY(&key, &der);
  if (size <= 0) return {};
  auto fingerprint = sha256_of({reinterpret_cast<const char*>(der), static_cast<std::size_t>(size)});
  OPENSSL_free(der);
  return fingerprint;
}

Result<> check_kind(const fs::path& file, const EVP_PKEY& key) {
  if (EVP_PKEY_is_a(&key, "ED25519") == 1) return {};
  const char* name = EVP_PKEY_get0_type_name(&key);
  return file_refusal(file, std::string("holds a key of the kind ") + (name != nullptr ? name : "unknown") +
                                ", and plugins are signed with Ed25519; " + kMakeKeys);
}

/// Nobody is asked for a passphrase.
int no_passphrase(char*, int, int, void*) {
  return -1;
}

Bio bio_of(std::string_view text) {
  return Bio(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
}

Result<Key> read_public_key(const fs::path& file) {
  const auto text = read_regular_file(file, kKeyFile, true);
  if (!text) return text.error();
  if (text->find("PRIVATE KEY-----") != std::string::npos)
    return file_refusal(
        file,
        "holds a private key where a public one belongs; keep it away from the host and name its public "
        "half: openssl pkey -in KEY.pem -pubout -out KEY.pub.pem");
  Key key(PEM_read_bio_PUBKEY(bio_of(*text).get(), nullptr, no_passphrase, nullptr));
  ERR_clear_error();
  if (!key)
    return file_refusal(file,
                        std::string("holds no public key in PEM form (-----BEGIN PUBLIC KEY-----); ") + kMakeKeys);
  if (auto checked = check_kind(file, *key); !checked) return checked.error();
  return key;
}

Result<Key> read_private_key(const fs::path& file) {
  auto read = read_regular_file(file, kKeyFile, true);
  if (!read) return read.error();
  const Secret text(std::move(*read));
  if (text.reveal().find("ENCRYPTED") != std::string_view::npos)
    return file_refusal(file,
                        "is protected by a passphrase, which nobody could type here; sign with openssl instead "
                        "(see ABI.md), or name a key without one");
  Key key(PEM_read_bio_PrivateKey(bio_of(text.reveal()).get(), nullptr, no_passphrase, nullptr));
  ERR_clear_error();
  if (!key && text.reveal().find("-----BEGIN PUBLIC KEY-----") != std::string_view::npos)
    return file_refusal(file, "holds a public key; signing takes the private one of the pair");
  if (!key)
    return file_refusal(file,
                        std::string("holds no private key in PEM form (-----BEGIN PRIVATE KEY-----); ") + kMakeKeys);
  if (auto checked = check_kind(file, *key); !checked) return checked.error();
  return key;
}

bool fits(EVP_PKEY& key, const Signature& signature) {
  const DigestContext context(EVP_MD_CTX_new());
  const auto text = signed_text(signature.sha256);
  const bool is_good =
      context && EVP_DigestVerifyInit(context.get(), nullptr, nullptr, nullptr, &key) == 1 &&
      EVP_DigestVerify(context.get(), reinterpret_cast<const unsigned char*>(signature.bytes.data()),
                       signature.bytes.size(), reinterpret_cast<const unsigned char*>(text.data()), text.size()) == 1;
  ERR_clear_error();
  return is_good;
}

std::string sign_command(const fs::path& plugin) {
  return "toolhost plugin sign '" + plugin.string() + "' --key KEY.pem";
}

std::string pem_of(EVP_PKEY& key, bool is_private) {
  const Bio bio(BIO_new(BIO_s_mem()));
  const bool is_written =
      bio && (is_private ? PEM_write_bio_PKCS8PrivateKey(bio.get(), &key, nullptr, nullptr, 0, nullptr, nullptr)
                         : PEM_write_bio_PUBKEY(bio.get(), &key)) == 1;
  if (!is_written) return {};
  char* text = nullptr;
  const long size = BIO_get_mem_data(bio.get(), &text);
  return {text, static_cast<std::size_t>(size)};
}

}  // namespace

Result<PluginIdentity> identify_plugin_file(const fs::path& file) {
  const auto path = fs::absolute(file).lexically_normal();
  const auto bytes = read_regular_file(path, kPluginFile, false);
  if (!bytes) return bytes.error();
  const auto card = read_elf_card(*bytes);
  if (!card) return file_refusal(path, card.error().message);
  return PluginIdentity{.file = path, .id = card->id, .version = card->version, .sha256 = sha256_of(*bytes)};
}

Result<SigningKeyPair> make_signing_key_pair() {
  const Key key(EVP_PKEY_Q_keygen(nullptr, nullptr, "ED25519"));
  SigningKeyPair pair;
  if (key) {
    pair.private_pem = Secret(pem_of(*key, true));
    pair.public_pem = pem_of(*key, false);
    pair.fingerprint = fingerprint_of(*key);
  }
  ERR_clear_error();
  if (pair.private_pem.empty() || pair.public_pem.empty() || pair.fingerprint.empty())
    return Error{Errc::kInternal, "OpenSSL makes no Ed25519 key here", {}};
  return pair;
}

Result<std::string> fingerprint_of(const fs::path& public_key) {
  const auto key = read_public_key(fs::absolute(public_key).lexically_normal());
  if (!key) return key.error();
  return fingerprint_of(**key);
}

fs::path signature_file(const fs::path& plugin) {
  return plugin.string() + ".sig";
}

Result<std::string> sign_digest(std::string_view sha256, const fs::path& private_key, std::string& fingerprint) {
  const auto file = fs::absolute(private_key).lexically_normal();
  const auto key = read_private_key(file);
  if (!key) return key.error();
  fingerprint = fingerprint_of(**key);
  const DigestContext context(EVP_MD_CTX_new());
  const auto text = signed_text(sha256);
  std::string bytes(kSignatureBytes, '\0');
  std::size_t size = bytes.size();
  const bool is_signed = context && EVP_DigestSignInit(context.get(), nullptr, nullptr, nullptr, key->get()) == 1 &&
                         EVP_DigestSign(context.get(), reinterpret_cast<unsigned char*>(bytes.data()), &size,
                                        reinterpret_cast<const unsigned char*>(text.data()), text.size()) == 1;
  ERR_clear_error();
  if (!is_signed || size != bytes.size() || fingerprint.empty())
    return Error{Errc::kInternal, file.string() + ": OpenSSL does not sign with this key", {}};
  return text + "key " + fingerprint + "\ned25519 " + to_base64(bytes) + "\n";
}

Result<std::optional<std::string>> check_signature(const fs::path& plugin, std::string_view sha256,
                                                   const std::vector<TrustedKey>& keys, bool required) {
  if (keys.empty() && !required) return std::optional<std::string>();
  const auto sig = signature_file(plugin);
  std::error_code ignored;
  if (!fs::exists(fs::symlink_status(sig, ignored))) {
    if (!required) return std::optional<std::string>();
    return file_refusal(plugin, "is not signed, and must be (plugin_trust.require_signature); put its signature at " +
                                    sig.string() + ", or sign it: " + sign_command(plugin));
  }
  const auto text = read_regular_file(sig, kSignatureFile, false);
  if (!text) return file_refusal(plugin, "its signature " + text.error().message);
  const auto signature = parse_signature(*text);
  if (!signature)
    return file_refusal(plugin, "its signature " + sig.string() +
                                    " is damaged; copy it again, or sign the plugin anew: " + sign_command(plugin));
  if (signature->sha256 != sha256)
    return file_refusal(plugin, "its signature " + sig.string() + " is of a file with the SHA-256 " +
                                    signature->sha256 + ", and this file has " + std::string(sha256) +
                                    ": it was changed after it was signed, or the signature is another file's; copy "
                                    "both again from where they were signed");
  std::string trusted;
  for (const auto& [name, file] : keys) {
    const auto key = read_public_key(file);
    if (!key) return file_refusal(plugin, "the trusted key '" + name + "' cannot be used: " + key.error().message);
    const auto fingerprint = fingerprint_of(**key);
    trusted += (trusted.empty() ? "" : ", ") + name + " " + fingerprint;
    if (fingerprint != signature->fingerprint) continue;
    if (fits(**key, *signature)) return std::optional<std::string>(name);
    return file_refusal(plugin, "its signature " + sig.string() + " is not what the key '" + name +
                                    "' makes of this file; copy both again from where they were signed, or sign the "
                                    "plugin anew: " +
                                    sign_command(plugin));
  }
  if (!required) return std::optional<std::string>();
  return file_refusal(plugin, "is signed with the key " + signature->fingerprint + ", which is not trusted; trusted " +
                                  (trusted.empty() ? "is none" : "are: " + trusted) +
                                  "; if you trust its owner, add the key to plugin_trust.keys");
}

Result<std::string> check_trust(const fs::path& plugin, std::string_view sha256, const PluginPins& pins,
                                const PluginTrust& trust) {
  if (pins.sha256.empty() && trust.require_sha256)
    return file_refusal(plugin,
                        "is not pinned, and must be (plugin_trust.require_sha256); write at its entry of "
                        "'plugins', if this is the file that you want: sha256: " +
                            std::string(sha256));
  if (!pins.sha256.empty() && pins.sha256 != sha256)
    return file_refusal(plugin, "has the SHA-256 " + std::string(sha256) + ", and the configuration allows only " +
                                    pins.sha256 +
                                    "; put the file with that hash there, or, if the change is wanted, write the new "
                                    "hash at 'sha256' of its entry of 'plugins'");
  const auto signer = check_signature(plugin, sha256, trust.keys, trust.require_signature);
  if (!signer) return signer.error();
  return signer->value_or("");
}

}  // namespace toolhost::plugin_runtime
