#include "plugin_runtime/plugin_trust.hpp"

#include <gmock/gmock.h>
#include <sys/stat.h>

#include "host_fixture.hpp"

namespace toolhost::plugin_runtime {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::StartsWith;
namespace fs = std::filesystem;

/// A copy of the plugin `echo` in a directory of its own, and keys.
class PluginTrusting : public PluginHostTest {
 protected:
  PluginTrusting() { fs::copy_file(test_plugin("echo"), plugin_); }

  /// Writes NAME.pem and NAME.pub.pem.
  TrustedKey key_pair(const std::string& name) {
    const auto pair = make_signing_key_pair();
    EXPECT_TRUE(pair);
    write(private_key(name), pair->private_pem.reveal());
    const auto file = directory.path() / (name + ".pub.pem");
    write(file, pair->public_pem);
    return {.name = name, .file = file};
  }
  [[nodiscard]] fs::path private_key(const std::string& name) const { return directory.path() / (name + ".pem"); }

  static void write(const fs::path& file, std::string_view text) {
    std::ofstream(file, std::ios::binary | std::ios::trunc) << text;
  }
  void sign(const std::string& name) { write(signature_file(plugin_), signature_by(name, plugin_)); }
  [[nodiscard]] std::string signature_by(const std::string& name, const fs::path& file) const {
    std::string fingerprint;
    const auto text = sign_digest(identify_plugin_file(file)->sha256, private_key(name), fingerprint);
    EXPECT_TRUE(text) << text.error().message;
    return *text;
  }
  /// The reason why the plugin is refused with these; empty when it serves.
  std::string refusal_with(const PluginPins& pins, const PluginTrust& trust = {}) {
    if (host) host->stop(std::chrono::milliseconds(0));
    start({plugin_}, [&](PluginHostConfig& config) {
      config.plugins[0].pins = pins;
      config.trust = trust;
    });
    return refusal();
  }
  std::string refusal_when_signed_by(std::vector<TrustedKey> keys) {
    return refusal_with({}, {.require_signature = true, .keys = std::move(keys)});
  }
  std::string sha256() { return identify_plugin_file(plugin_)->sha256; }
  /// One byte of what the loader never looks at.
  void change_plugin() { std::ofstream(plugin_, std::ios::binary | std::ios::app) << '\0'; }

  const fs::path plugin_ = directory.path() / "echo.so";
};

TEST_F(PluginTrusting, LoadsTheFileWithThePinnedHashAndNoOther) {
  const auto pinned = sha256();
  EXPECT_EQ(refusal_with({.sha256 = pinned}), "");
  change_plugin();
  EXPECT_THAT(refusal_with({.sha256 = pinned}),
              AllOf(StartsWith(plugin_.string() + ": has the SHA-256 " + sha256()),
                    HasSubstr("the configuration allows only " + pinned), HasSubstr("write the new hash at 'sha256'")));
  EXPECT_EQ(refusal_with({.sha256 = sha256()}), "");
}

TEST_F(PluginTrusting, LooksAtThePinBeforeAnythingElseOfTheFile) {
  write(plugin_, "#!/bin/sh\n");
  EXPECT_THAT(refusal_with({.sha256 = std::string(64, '0')}), HasSubstr("the configuration allows only 0000"));
}

TEST_F(PluginTrusting, RefusesWhatIsNotPinnedWhenItMustBe) {
  const auto reason = refusal_with({}, {.require_sha256 = true});
  EXPECT_THAT(reason, AllOf(HasSubstr("is not pinned, and must be (plugin_trust.require_sha256)"),
                            HasSubstr("sha256: " + sha256())));
  EXPECT_EQ(refusal_with({.sha256 = sha256()}, {.require_sha256 = true}), "");
}

TEST_F(PluginTrusting, WantsThePluginWithTheConfiguredId) {
  EXPECT_EQ(refusal_with({.id = "echo"}), "");
  EXPECT_THAT(refusal_with({.id = "acme.echo"}),
              HasSubstr("is the plugin echo, and the configuration wants acme.echo there"));
}

TEST_F(PluginTrusting, LetsAPluginNeedALibraryThatItsEntryNames) {
  fs::copy_file(test_plugin("links_libpq"), plugin_, fs::copy_options::overwrite_existing);
  EXPECT_THAT(refusal_with({}), HasSubstr("needs the library libpq.so.5, which plugins may not load"));
  EXPECT_THAT(refusal_with({.extra_needed = {"libpq.so"}}), HasSubstr("name it in 'extra_needed'"));
  EXPECT_EQ(refusal_with({.extra_needed = {"libz.so.1", "libpq.so.5"}}), "");
  EXPECT_EQ(run("links_libpq", "{}").outcome, Outcome::kOk);
}

TEST_F(PluginTrusting, TellsWhoSignedAPlugin) {
  const auto acme = key_pair("acme"), other = key_pair("other");
  sign("acme");
  EXPECT_EQ(refusal_when_signed_by({other, acme}), "");
  EXPECT_EQ(host->plugins()[0].signed_by, "acme");
  EXPECT_EQ(run("echo", R"({"text":"signed"})").outcome, Outcome::kOk);
  EXPECT_EQ(refusal_with({}, {.keys = {acme}}), "");
  EXPECT_EQ(host->plugins()[0].signed_by, "acme") << "also where nothing must be signed";
}

TEST_F(PluginTrusting, RefusesAFileWithoutASignatureOnlyWhereOneIsRequired) {
  const auto acme = key_pair("acme");
  EXPECT_THAT(refusal_when_signed_by({acme}),
              AllOf(HasSubstr("is not signed, and must be (plugin_trust.require_signature)"),
                    HasSubstr(plugin_.string() + ".sig"), HasSubstr("toolhost plugin sign '" + plugin_.string())));
  EXPECT_EQ(refusal_with({}, {.keys = {acme}}), "");
  EXPECT_EQ(host->plugins()[0].signed_by, "");
}

TEST_F(PluginTrusting, RefusesAFileThatChangedAfterItWasSigned) {
  const auto acme = key_pair("acme");
  sign("acme");
  const auto was = sha256();
  change_plugin();
  const auto changed = AllOf(HasSubstr("is of a file with the SHA-256 " + was + ", and this file has " + sha256()),
                             HasSubstr("copy both again"));
  EXPECT_THAT(refusal_when_signed_by({acme}), changed);
  EXPECT_THAT(refusal_with({}, {.keys = {acme}}), changed) << "a signature that is there must be good";
  EXPECT_EQ(refusal_with({}), "") << "without keys nobody looks at it";
}

TEST_F(PluginTrusting, RefusesTheSignatureOfAnotherFileEvenWithItsHashReplaced) {
  const auto acme = key_pair("acme");
  const auto other = test_plugin("throwing");
  auto text = signature_by("acme", other);
  write(signature_file(plugin_), text);
  EXPECT_THAT(refusal_when_signed_by({acme}), HasSubstr("or the signature is another file's"));
  const auto hash = identify_plugin_file(other)->sha256;
  write(signature_file(plugin_), text.replace(text.find(hash), hash.size(), sha256()));
  EXPECT_THAT(refusal_when_signed_by({acme}), HasSubstr("is not what the key 'acme' makes of this file"));
}

TEST_F(PluginTrusting, RefusesAnotherKeyAndNamesBoth) {
  const auto acme = key_pair("acme"), stranger = key_pair("stranger");
  sign("stranger");
  EXPECT_THAT(refusal_when_signed_by({acme}),
              AllOf(HasSubstr("is signed with the key " + *fingerprint_of(stranger.file) + ", which is not trusted"),
                    HasSubstr("acme " + *fingerprint_of(acme.file)), HasSubstr("plugin_trust.keys")));
  EXPECT_EQ(refusal_with({}, {.keys = {acme}}), "") << "where nothing must be signed it counts as none";
  EXPECT_EQ(host->plugins()[0].signed_by, "");
  // Its own word for the key is not believed.
  auto text = signature_by("stranger", plugin_);
  const auto fingerprint = *fingerprint_of(stranger.file);
  write(signature_file(plugin_), text.replace(text.find(fingerprint), 64, *fingerprint_of(acme.file)));
  EXPECT_THAT(refusal_when_signed_by({acme}), HasSubstr("is not what the key 'acme' makes of this file"));
}

TEST_F(PluginTrusting, RefusesADamagedSignature) {
  const auto acme = key_pair("acme");
  const auto whole = signature_by("acme", plugin_);
  for (std::size_t size = 0; size < whole.size(); size += size < 150 ? 37 : 1) {
    write(signature_file(plugin_), whole.substr(0, size));
    ASSERT_THAT(refusal_when_signed_by({acme}), AllOf(HasSubstr("is damaged"), HasSubstr("copy it again"))) << size;
  }
  auto upper = whole;
  upper[0] = 'T';
  for (const auto& text : {upper, whole + "\n", "\n" + whole, std::string(whole.size(), '\0')}) {
    write(signature_file(plugin_), text);
    EXPECT_THAT(refusal_when_signed_by({acme}), HasSubstr("is damaged"));
  }
  // Any other byte of the signature itself.
  auto bent = whole;
  auto& letter = bent[whole.find("ed25519 ") + 20];
  letter = letter == 'A' ? 'B' : 'A';
  write(signature_file(plugin_), bent);
  EXPECT_THAT(refusal_when_signed_by({acme}), HasSubstr("is not what the key 'acme' makes of this file"));
  write(signature_file(plugin_), std::string(5000, 'x'));
  EXPECT_THAT(refusal_when_signed_by({acme}), HasSubstr("is larger than 4 KiB"));
  write(signature_file(plugin_), whole);
  EXPECT_EQ(refusal_when_signed_by({acme}), "");
}

TEST_F(PluginTrusting, WaitsForNoPipeInPlaceOfAFile) {
  const auto acme = key_pair("acme");
  ASSERT_EQ(mkfifo(signature_file(plugin_).c_str(), 0600), 0);
  EXPECT_THAT(refusal_when_signed_by({acme}), HasSubstr("is no regular file"));
  fs::remove(signature_file(plugin_));
  fs::create_directory(signature_file(plugin_));
  EXPECT_THAT(refusal_when_signed_by({acme}), HasSubstr("is no regular file"));
  fs::remove(signature_file(plugin_));
  fs::create_symlink("nowhere", signature_file(plugin_));
  EXPECT_THAT(refusal_when_signed_by({acme}), HasSubstr("cannot be read")) << "a link to nothing is not 'not signed'";
  fs::remove(plugin_);
  ASSERT_EQ(mkfifo(plugin_.c_str(), 0600), 0);
  EXPECT_THAT(refusal_with({}), HasSubstr("is no regular file"));
}

TEST_F(PluginTrusting, RefusesALinkThatWasTurnedToAnotherFile) {
  const auto acme = key_pair("acme");
  sign("acme");
  const auto pinned = sha256();
  fs::rename(plugin_, directory.path() / "echo-1.so");
  fs::create_symlink("echo-1.so", plugin_);
  EXPECT_EQ(refusal_with({.sha256 = pinned}, {.require_signature = true, .keys = {acme}}), "");
  fs::remove(plugin_);
  fs::create_symlink(test_plugin("throwing"), plugin_);
  EXPECT_THAT(refusal_with({.sha256 = pinned}), HasSubstr("the configuration allows only " + pinned));
  EXPECT_THAT(refusal_when_signed_by({acme}), HasSubstr("is of a file with the SHA-256 " + pinned));
}

TEST_F(PluginTrusting, RefusesALinkIntoADirectoryThatOthersCanWrite) {
  const auto open = directory.path() / "open";
  fs::create_directory(open);
  fs::rename(plugin_, open / "echo.so");
  fs::create_symlink("open/echo.so", plugin_);
  EXPECT_EQ(refusal_with({}), "");
  chmod(open.c_str(), 0777);
  EXPECT_THAT(refusal_with({}), HasSubstr("can be written by other users, who could replace the plugin; run: chmod"));
}

TEST_F(PluginTrusting, SaysWhatIsWrongWithAKeyFile) {
  const auto acme = key_pair("acme");
  sign("acme");
  const auto refusal_of = [&](const fs::path& file) {
    return refusal_when_signed_by({{.name = "acme", .file = file}});
  };
  EXPECT_THAT(refusal_of(private_key("acme")),
              AllOf(HasSubstr("the trusted key 'acme' cannot be used: " + private_key("acme").string()),
                    HasSubstr("holds a private key where a public one belongs"), HasSubstr("openssl pkey")));
  EXPECT_THAT(refusal_of(directory.path() / "none.pem"), HasSubstr("cannot be read (No such file"));
  EXPECT_THAT(refusal_of(plugin_), HasSubstr("is larger than 64 KiB"));
  const auto text = directory.path() / "text.pem";
  write(text, "-----BEGIN PUBLIC KEY-----\nhello\n-----END PUBLIC KEY-----\n");
  EXPECT_THAT(refusal_of(text), HasSubstr("holds no public key in PEM form"));
  // openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 | openssl pkey -pubout
  write(text,
        "-----BEGIN PUBLIC KEY-----\n"
        "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAELLOFCWmFl0FdTOnAnv/E1f3g9fjO\n"
        "ZSUyLkILthioAu5X4vFkO0QPqtxBBddPbHYTeUVB+vNchJYh30stULUqsw==\n"
        "-----END PUBLIC KEY-----\n");
  EXPECT_THAT(refusal_of(text), AllOf(HasSubstr("holds a key of the kind EC"), HasSubstr("Ed25519")));
  chmod(acme.file.c_str(), 0666);
  EXPECT_THAT(refusal_of(acme.file), HasSubstr("can be written by other users"));
}

TEST_F(PluginTrusting, SignsWithPrivateKeysOnly) {
  const auto acme = key_pair("acme");
  std::string fingerprint;
  const auto refusal_of = [&](const fs::path& file) {
    const auto text = sign_digest(sha256(), file, fingerprint);
    return text ? std::string() : text.error().message;
  };
  EXPECT_EQ(refusal_of(private_key("acme")), "");
  EXPECT_EQ(fingerprint, *fingerprint_of(acme.file));
  EXPECT_THAT(refusal_of(acme.file), HasSubstr("holds a public key; signing takes the private one"));
  EXPECT_THAT(refusal_of(plugin_), HasSubstr("is larger than 64 KiB"));
  const auto locked = directory.path() / "locked.pem";
  write(locked, "-----BEGIN ENCRYPTED PRIVATE KEY-----\nMIGb\n-----END ENCRYPTED PRIVATE KEY-----\n");
  EXPECT_THAT(refusal_of(locked), HasSubstr("is protected by a passphrase"));
}

TEST_F(PluginTrusting, AsksNoPluginThatAHostWouldRefuse) {
  const auto described =
      describe_plugin_file(plugin_, directory.path() / "described", {.sha256 = std::string(64, '0')}, {});
  ASSERT_FALSE(described);
  EXPECT_THAT(described.error().message, HasSubstr("the configuration allows only 0000"));
  EXPECT_FALSE(fs::exists(directory.path() / "described"));
}

}  // namespace
}  // namespace toolhost::plugin_runtime
