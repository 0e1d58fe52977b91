# The Debian 12 packages that Toolhost needs, and one function that installs what is missing of them. Sourced by ./run
# and ./test:
#   . cmake/packages.sh && ensure_packages "${TOOLHOST_BUILD_PACKAGES[@]}" "${TOOLHOST_RUNTIME_PACKAGES[@]}"
# shellcheck shell=bash disable=SC2034  # the lists are read by the scripts that source this file

# Compiler, build tools and libraries of the host and its plugins.
TOOLHOST_BUILD_PACKAGES=(
  clang-19 lld-19 cmake ninja-build ccache pkg-config
  libboost1.81-dev libcjose-dev libcli11-dev libcsv-dev libfmt-dev libicu-dev libpq-dev libpqxx-dev libre2-dev
  libsimdjson-dev libspdlog-dev libssl-dev libstemmer-dev libyaml-cpp-dev prometheus-cpp-dev)

# What a built host needs on the machine beside its shared libraries: the embedded database, and the certificate
# authorities that the sign-in provider's certificate is checked with.
TOOLHOST_RUNTIME_PACKAGES=(postgresql-15 ca-certificates)

# What ./test needs on top. llvm-19 holds the symbolizer that sanitizer reports need; nodejs and npm only fetch the npm
# packages of tests/e2e, among them the Node that runs the tests; chromium, with a font to write in, opens the portal;
# cargo builds the plugins in Rust, which keep to what Debian 12's has (1.63); abigail-tools compares the plugin ABI with
# that of every minor.
TOOLHOST_TEST_PACKAGES=(
  llvm-19 libclang-rt-19-dev clang-format-19 gcc g++ libgtest-dev libgmock-dev libtest-json-schema-acceptance-perl python3
  nodejs npm chromium fonts-dejavu-core openssl cargo abigail-tools)

# packages_missing NAME...: prints the named packages that are not installed, one a line. Takes milliseconds.
packages_missing() {
  local name installed
  installed=$(dpkg-query -W -f='${db:Status-Status}:${Package}\n' "$@" 2>/dev/null |
    sed -n 's/^installed://p' | tr '\n' ' ') || true  # dpkg-query fails when it knows one of the names not at all
  for name in "$@"; do
    case " $installed" in *" $name "*) continue ;; esac
    # Node from elsewhere than Debian brings its own npm and conflicts with Debian's package.
    case "$name" in nodejs | npm) command -v node >/dev/null && command -v npm >/dev/null && continue ;; esac
    # Rust from elsewhere does as well.
    if [ "$name" = cargo ] && command -v cargo >/dev/null; then continue; fi
    echo "$name"
  done
}

# ensure_packages NAME...: installs what is missing, as root or through sudo; silent when nothing is.
# Fails with a sentence on standard error where it cannot: no Debian, no root, no network.
ensure_packages() {
  local missing as_root=()
  if ! command -v dpkg-query >/dev/null; then
    echo "error: this is not a Debian system, so its packages cannot be installed here. Install by hand: $*" >&2
    return 1
  fi
  mapfile -t missing < <(packages_missing "$@")
  [ "${#missing[@]}" -eq 0 ] && return 0

  if [ "$(id -u)" -ne 0 ]; then
    if ! command -v sudo >/dev/null || ! { sudo -n true 2>/dev/null || { [ -t 0 ] && sudo -v; }; }; then
      echo "error: packages are missing, and installing them needs root. Run once as root:" \
        "apt-get install ${missing[*]}" >&2
      return 1
    fi
    as_root=(sudo)
  fi
  echo "Installing ${#missing[@]} Debian packages: ${missing[*]}"

  # Installing PostgreSQL would otherwise create and start a cluster of the system's own, which nobody asked for.
  case " ${missing[*]} " in *" postgresql-15 "*)
    "${as_root[@]}" mkdir -p /etc/postgresql-common/createcluster.d
    echo "create_main_cluster = false" |
      "${as_root[@]}" tee /etc/postgresql-common/createcluster.d/toolhost.conf >/dev/null ;;
  esac

  local log
  log=$(mktemp)
  # A source that cannot be reached must not matter when the others have the packages, so only the installation decides.
  if ! {
    "${as_root[@]}" apt-get update -q -o DPkg::Lock::Timeout=300 || true
    "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends \
      -o DPkg::Lock::Timeout=300 -o Dpkg::Options::=--force-confold "${missing[@]}"
  } </dev/null >"$log" 2>&1; then
    tail -n 15 "$log" >&2
    echo "error: apt-get could not install: ${missing[*]}. Its last words are above (complete: $log)." \
      "Check that this machine reaches a Debian 12 mirror, then run this again." >&2
    return 1
  fi
  rm -f "$log"
}
