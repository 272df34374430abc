// Addresses and families: what they are made of, and which suit each other.
#include "connection/address.hpp"

#include <multiprocessing/errors.hpp>

#include <array>
#include <string>
#include <utility>

namespace multiprocessing {
namespace {

using Kind = platform::Endpoint::Kind;

constexpr std::array<std::pair<std::string_view, Family>, 4> family_names = {
    {{"AF_INET", Family::inet},
     {"AF_INET6", Family::inet6},
     {"AF_UNIX", Family::unix_socket},
     {"AF_PIPE", Family::pipe}}};

constexpr std::string_view pipe_prefix = "\\\\.\\pipe\\";

void refuse_zeros(const std::string& text) {
  if (text.find('\0') != std::string::npos)
    throw ValueError("an address has a zero in it: '" + std::string(text.c_str()) + "\\0...'");
}

bool names_pipe(std::string_view path) noexcept { return path.starts_with("\\\\"); }

std::string_view name_of(Family family) noexcept {
  for (const auto& [name, each] : family_names)
    if (each == family) return name;
  return "automatic";
}

Family natural_family(const Address& address) {
  if (!address.path().empty()) return names_pipe(address.path()) ? Family::pipe : Family::unix_socket;
  return address.host().find(':') != std::string::npos ? Family::inet6 : Family::inet;
}

/// A name of a host may be of either family.
bool suits(const Address& address, Family family) {
  const Family natural = natural_family(address);
  return natural == family || (natural == Family::inet && family == Family::inet6 &&
                               address.host().find_first_not_of("0123456789.") != std::string::npos);
}

}  // namespace

FamilyName::FamilyName(std::string_view name) {
  for (const auto& [known, family] : family_names)
    if (known == name) {
      family_ = family;
      return;
    }
  throw ValueError("there is no family '" + std::string(name) +
                   "'; there are 'AF_INET', 'AF_INET6', 'AF_UNIX', 'AF_PIPE'");
}

Address::Address(std::string host, int port) : host_(std::move(host)), port_(port), has_port_(true) {
  refuse_zeros(host_);
  if (port < 0 || port > 65535)
    throw ValueError("port " + std::to_string(port) + " is not between 0 and 65535");
}

Address::Address(Checked, std::string path) : path_(std::move(path)) { refuse_zeros(path_); }

std::string Address::to_string() const {
  if (!has_port_) return path_;
  const bool colons = host_.find(':') != std::string::npos;
  return (colons ? "[" + host_ + "]" : host_) + ":" + std::to_string(port_);
}

namespace runtime {

platform::Endpoint::Kind kind_of(Family family) noexcept {
  switch (family) {
    case Family::inet:
      return Kind::inet;
    case Family::inet6:
      return Kind::inet6;
    case Family::unix_socket:
      return Kind::unix_socket;
    case Family::pipe:
      return Kind::pipe;
    case Family::automatic:
      break;
  }
  return platform::usual_endpoint_kind();
}

platform::Endpoint endpoint_of(const Address& address, Family family) {
  if (family == Family::automatic) family = natural_family(address);
  if (!suits(address, family))
    throw ValueError("the address '" + address.to_string() + "' is none of the family " +
                     std::string(name_of(family)));
  if (family == Family::pipe &&
      (!address.path().starts_with(pipe_prefix) || address.path().size() == pipe_prefix.size()))
    throw ValueError("'" + address.path() +
                     "' does not begin with '\\\\.\\pipe\\' and a name: a pipe is of this machine");
  return {kind_of(family), address.host(), static_cast<std::uint16_t>(address.port()), address.path()};
}

Address address_of(const platform::Endpoint& endpoint) {
  if (endpoint.kind == Kind::inet || endpoint.kind == Kind::inet6) return {endpoint.host, endpoint.port};
  if (endpoint.path.empty()) return {};
  return {endpoint.path};
}

}  // namespace runtime
}  // namespace multiprocessing
