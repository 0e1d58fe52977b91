#include "app/commands/plugin_trust_commands.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cerrno>
#include <iostream>
#include <memory>
#include <system_error>

#include "app/commands/command_context.hpp"
#include "app/commands/console.hpp"
#include "plugin_runtime/plugin_trust.hpp"

namespace toolhost::app {
namespace {

namespace fs = std::filesystem;

constexpr mode_t kOwnerOnly = 0600, kEverybodyReads = 0644;

struct TrustOptions {
  std::string file, key;
};

/// Writes a file that must not be there yet; it is gone again when that fails.
Result<> write_new(const fs::path& file, std::string_view text, mode_t mode) {
  const int fd = ::open(file.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, mode);
  if (fd < 0 && errno == EEXIST)
    return Error{Errc::kConflict, file.string() + " is there already, and is not overwritten; choose another name", {}};
  bool is_written = fd >= 0 && fchmod(fd, mode) == 0;
  while (is_written && !text.empty()) {
    const auto count = ::write(fd, text.data(), text.size());
    is_written = count > 0;
    if (is_written) text.remove_prefix(static_cast<std::size_t>(count));
  }
  if (is_written) is_written = fsync(fd) == 0;
  const int why = errno;
  if (fd >= 0) ::close(fd);
  if (is_written) return {};
  if (fd >= 0) ::unlink(file.c_str());
  return Error{Errc::kUnavailable, file.string() + " cannot be written: " + std::generic_category().message(why), {}};
}

/// The same in place of what is there; the name has the whole text or what it had before.
Result<> replace(const fs::path& file, std::string_view text, mode_t mode) {
  const fs::path part = file.string() + ".part";
  std::error_code failed;
  fs::remove(part, failed);
  if (auto written = write_new(part, text, mode); !written) return written;
  fs::rename(part, file, failed);
  if (!failed) return {};
  fs::remove(part);
  return Error{Errc::kUnavailable, file.string() + " cannot be written: " + failed.message(), {}};
}

int make_keys(const std::string& name) {
  const auto pair = plugin_runtime::make_signing_key_pair();
  if (!pair) return fail(pair.error());
  const fs::path private_file = name + ".pem", public_file = name + ".pub.pem";
  if (auto written = write_new(private_file, pair->private_pem.reveal(), kOwnerOnly); !written)
    return fail(written.error());
  if (auto written = write_new(public_file, pair->public_pem, kEverybodyReads); !written) {
    std::error_code ignored;
    fs::remove(private_file, ignored);
    return fail(written.error());
  }
  std::cout << printable(private_file.string())
            << ": private key; keep it where plugins are signed, never on the host\n"
            << printable(public_file.string()) << ": public key " << pair->fingerprint
            << "; name it in 'plugin_trust.keys'\n";
  return kExitOk;
}

int sign(const TrustOptions& options) {
  const auto plugin = plugin_runtime::identify_plugin_file(options.file);
  if (!plugin) return fail(plugin.error());
  std::string fingerprint;
  const auto text = plugin_runtime::sign_digest(plugin->sha256, options.key, fingerprint);
  if (!text) return fail(text.error());
  const auto file = plugin_runtime::signature_file(plugin->file);
  if (auto written = replace(file, *text, kEverybodyReads); !written) return fail(written.error());
  std::cout << printable(file.string()) << ": " << plugin->id << " " << plugin->version << ", sha256 " << plugin->sha256
            << ", signed with the key " << fingerprint << "\n";
  return kExitOk;
}

int verify(const CommonOptions& common, const TrustOptions& options) {
  const auto plugin = plugin_runtime::identify_plugin_file(options.file);
  if (!plugin) return fail(plugin.error());
  plugin_runtime::PluginPins pins;
  plugin_runtime::PluginTrust trust;
  if (options.key.empty()) {
    const auto config = configuration(common);
    if (!config) return fail(config.error());
    pins = pins_of(*config, plugin->file);
    trust.keys = config->plugins.trust.keys;
    if (trust.keys.empty())
      return fail({Errc::kInvalidArgument,
                   "the configuration trusts no key: name one in 'plugin_trust.keys', or give one with --key",
                   {}});
  } else {
    trust.keys.push_back({.name = options.key, .file = fs::absolute(options.key).lexically_normal()});
  }
  trust.require_signature = true;
  const auto refused = [](const Error& error) {
    fail(error);
    return kExitFailed;  // the command itself is right
  };
  if (!pins.id.empty() && plugin->id != pins.id)
    return refused({Errc::kInvalidArgument,
                    plugin->file.string() + ": is the plugin " + plugin->id + ", and the configuration wants " +
                        pins.id + " there",
                    {}});
  const auto signer = plugin_runtime::check_trust(plugin->file, plugin->sha256, pins, trust);
  if (!signer) return refused(signer.error());
  std::cout << printable(plugin->file.string()) << ": " << plugin->id << " " << plugin->version << ", sha256 "
            << plugin->sha256 << ", signed by " << printable(*signer) << "\n";
  return kExitOk;
}

}  // namespace

void add_plugin_trust_commands(CLI::App& plugin, CommonOptions& common, int& exit_code) {
  const auto options = std::make_shared<TrustOptions>();

  auto* keygen = plugin.add_subcommand("keygen", "Make an Ed25519 key pair that plugins are signed with");
  keygen->add_option("NAME", options->file, "NAME.pem gets the private key, NAME.pub.pem the public one")->required();
  keygen->footer(
      "The files are PEM as openssl reads and writes it; 'openssl genpkey -algorithm ED25519' makes the same.");
  keygen->callback([options, &exit_code] { exit_code = make_keys(options->file); });

  auto* sign_command = plugin.add_subcommand("sign", "Sign a plugin file: writes FILE.sig beside it");
  sign_command->add_option("FILE", options->file, "The plugin's .so file; it is not run")->required();
  sign_command->add_option("--key", options->key, "PEM file with the private key")->required()->type_name("KEY.pem");
  sign_command->callback([options, &exit_code] { exit_code = sign(*options); });

  auto* verify_command = plugin.add_subcommand("verify", "Say whether FILE.sig is a trusted key's signature of FILE");
  verify_command->add_option("FILE", options->file, "The plugin's .so file; it is not run")->required();
  auto* key = verify_command->add_option("--key", options->key, "PEM file with the public key that must have signed it")
                  ->type_name("PUB.pem");
  auto* config = verify_command
                     ->add_option("--config", common.config_file,
                                  "YAML file whose 'plugin_trust.keys' count, and its 'sha256' and 'id' of this file")
                     ->type_name("FILE");
  key->excludes(config);
  verify_command->footer("Exit codes: 0 it is, 1 it is not; otherwise as for every command.");
  verify_command->callback([options, &common, &exit_code] {
    if (options->key.empty() && common.config_file.empty()) throw CLI::RequiredError("--key PUB.pem or --config FILE");
    exit_code = verify(common, *options);
  });
}

}  // namespace toolhost::app
