// Connections between programs that know an address. Python: `multiprocessing.connection.Listener`, `Client`.
#pragma once

#include <multiprocessing/bytes.hpp>
#include <multiprocessing/connection.hpp>
#include <multiprocessing/detail/export.hpp>
#include <multiprocessing/duration.hpp>
#include <multiprocessing/errors.hpp>
#include <multiprocessing/stop_token.hpp>
#include <multiprocessing/wait.hpp>

#include <concepts>
#include <cstddef>
#include <iosfwd>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace multiprocessing {

namespace detail {
class ListenerState;
}

/// What sort of address it is; Python: "AF_INET", "AF_INET6", "AF_UNIX", "AF_PIPE".
enum class Family { automatic, inet, inet6, unix_socket, pipe };

/// A Family, or Python's name of one.
class MULTIPROCESSING_EXPORT FamilyName {
 public:
  FamilyName(Family family) noexcept : family_(family) {}
  /// Throws ValueError (unknown; the message lists the known ones).
  FamilyName(std::string_view name);
  FamilyName(const char* name) : FamilyName(std::string_view(name)) {}
  operator Family() const noexcept { return family_; }

 private:
  Family family_;
};

/// Where a Listener is: a host and a port, the path of a unix socket, or the name of a pipe, which begins
/// with
/// `\\.\pipe\`. A host is a name, or an address in numbers; one with colons is of IPv6. Can be sent.
class MULTIPROCESSING_EXPORT Address {
 public:
  /// None: a Listener picks one.
  Address() = default;
  /// Throws ValueError (a port outside of 0 to 65535, a zero in the host).
  Address(std::string host, int port);
  /// Throws ValueError (a zero in the path).
  template <class Path>
  requires std::convertible_to<Path, PathView> Address(const Path& path)
      : Address(Checked(), PathView(path).string()) {}

  [[nodiscard]] const std::string& host() const noexcept { return host_; }
  [[nodiscard]] int port() const noexcept { return port_; }
  [[nodiscard]] const std::string& path() const noexcept { return path_; }
  [[nodiscard]] bool empty() const noexcept { return !has_port_ && path_.empty(); }
  /// "127.0.0.1:5000", "[::1]:5000", or the path.
  [[nodiscard]] std::string to_string() const;
  friend bool operator==(const Address&, const Address&) = default;

  template <class Character, class Traits>
  friend std::basic_ostream<Character, Traits>& operator<<(std::basic_ostream<Character, Traits>& out,
                                                           const Address& address) {
    return out << address.to_string().c_str();
  }
  template <class Archive>
  void serialize(Archive& archive) {
    archive(host_, port_, has_port_, path_);
  }

 private:
  struct Checked {};
  Address(Checked, std::string path);
  std::string host_;
  int port_ = 0;
  bool has_port_ = false;
  std::string path_;
};

/// How both ends prove that they hold the same key. `python` understands the multiprocessing package of
/// Python from 3.8 on, in either role; without a key both are the same.
enum class Protocol { native, python };

struct ListenerOptions {
  FamilyName family = Family::automatic;  ///< has to suit the address; decides where there is none
  int backlog = 1;  ///< how many may be connected, and authenticated, before they are accepted
  /// None: whoever reaches the address is accepted. Not for addresses that other machines reach.
  std::optional<std::vector<std::byte>> authkey = {};
  Protocol protocol = Protocol::native;
  /// Lets other machines reach it: what they send is authenticated (Protocol::native), and *not* encrypted.
  bool allow_remote = false;
};

struct ClientOptions {
  FamilyName family = Family::automatic;
  std::optional<std::vector<std::byte>> authkey = {};
  Protocol protocol = Protocol::native;
  /// Until the connection is made and authenticated. The system's search for the name of a host ends by
  /// itself.
  Duration timeout = infinite;
};

/// Accepts connections. Movable. Thread-safe but for moving and destruction.
///
/// With a key each peer has to prove that it holds it, within five seconds, and gets our proof. From the
/// first accept(), or the first time that it is waited for, peers are heard in the library's own thread, at
/// most 64 at once that have not proved themselves: none of them holds up an accept(), or another peer.
class MULTIPROCESSING_EXPORT Listener {
 public:
  /// Listens. Without an address it picks one: a unix socket in a folder of this user alone, a pipe on
  /// Windows, or, as `family` says, a free port of this machine. Throws ValueError (an address that does not
  /// suit the family, an empty key, an address that other machines reach without allow_remote or a key, a
  /// negative backlog), OSError (in use, refused, too long, no such host). Where the address has the name of
  /// a host this blocks while the system looks for it, and nothing gives that up: an address in numbers needs
  /// none. Python: `multiprocessing.connection.Listener`.
  explicit Listener(Address address = {}, ListenerOptions options = {});
  Listener(Listener&&) noexcept;
  Listener& operator=(Listener&&) noexcept;
  ~Listener();

  /// The next connection. Blocks. Throws AuthenticationError (somebody tried another key; the listener serves
  /// on, and a peer with the right key that is there already comes first), OSError (closed, here or by
  /// another thread meanwhile), CancelledError.
  [[nodiscard]] Connection accept(StopToken stop = {});
  /// As accept(); throws TimeoutError when the time is over first.
  [[nodiscard]] Connection accept(Duration timeout, StopToken stop = {});

  /// As it was given, with the port that it got. Throws OSError (closed).
  [[nodiscard]] Address address() const;
  /// Of the peer that accept() returned last; nullopt before, and if it has none.
  [[nodiscard]] std::optional<Address> last_accepted() const;
  /// Nobody connects any more; who waits in accept() gets an OSError. Any number of times.
  void close() noexcept;
  [[nodiscard]] bool closed() const noexcept;
  /// For connection::wait: ready when accept() would not wait. Throws OSError (closed).
  operator Waitable() const;

 private:
  std::shared_ptr<detail::ListenerState> state_;
};

/// Connects to a Listener of ours or of Python. Blocks: while it waits for the listener's first word, until
/// the timeout; from then on five seconds. Neither the timeout nor a stop ends the search for a host's name,
/// which the system makes: an address in numbers needs none. Throws ValueError (no address, one that does not
/// suit the family, an empty key), ConnectionError (nobody listens there), OSError (no such path or host, too
/// long), AuthenticationError (the listener has another key or speaks another protocol), TimeoutError,
/// CancelledError.
[[nodiscard]] MULTIPROCESSING_EXPORT Connection Client(Address address, ClientOptions options = {},
                                                       StopToken stop = {});

namespace connection {
using multiprocessing::Address;
using multiprocessing::Client;
using multiprocessing::Family;
using multiprocessing::Listener;
}  // namespace connection

}  // namespace multiprocessing
