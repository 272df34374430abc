// The first thing in a re-executed child: recognises that it is one, trusting nothing, and becomes it.
#include <charconv>
#include <cstdlib>
#include <multiprocessing/freeze_support.hpp>
#include <optional>
#include <span>
#include <string_view>
#include <utility>

#include "contract/console.hpp"
#include "contract/system.hpp"
#include "launch/child_main.hpp"
#include "launch/record.hpp"

namespace multiprocessing::runtime {
namespace {

constexpr int refused_status = 2;

struct BootstrapArguments {
  std::string program;
  platform::RawHandle channel = platform::no_handle;
  platform::ProcessIdentity parent;
};

template <class Number>
bool read_number(std::string_view& text, Number& number) noexcept {
  const auto [rest, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  text.remove_prefix(static_cast<std::size_t>(rest - text.data()));
  return error == std::errc();
}

bool take_prefix(std::string_view& text, std::string_view prefix) noexcept {
  if (!text.starts_with(prefix)) return false;
  text.remove_prefix(prefix.size());
  return true;
}

std::optional<BootstrapArguments> parse(std::span<const std::string> arguments) {
  if (arguments.size() != 4) return std::nullopt;
  std::string_view channel = arguments[2];
  std::string_view parent = arguments[3];
  BootstrapArguments parsed;
  parsed.program = arguments[0];
  const bool good = take_prefix(channel, "channel=") && read_number(channel, parsed.channel) &&
                    channel.empty() && take_prefix(parent, "parent=") &&
                    read_number(parent, parsed.parent.pid) && take_prefix(parent, ":") &&
                    read_number(parent, parsed.parent.start_time) && parent.empty();
  return good ? std::optional(parsed) : std::nullopt;
}

[[noreturn]] void refuse() {
  platform::write_to_standard_error(std::string(bootstrap_flag) +
                                    " is for processes that this program starts itself; run it without.\n");
  platform::end_now(refused_status);
}

/// Started through a path such as /proc/self/exe, the process would go by that path's name. The parent gave
/// its own as argv[0].
void restore_title(const std::string& path) {
  platform::set_process_title(path.substr(path.find_last_of("/\\") + 1));
}

[[noreturn]] void become_child(const BootstrapArguments& arguments) {
  platform::silence_crash_dialogs();
  auto channel = platform::Channel::adopt_inherited(arguments.channel, arguments.parent.pid);
  if (!channel) refuse();
  static_cast<void>(platform::secure_standard_streams());  // a program without them runs all the same
  platform::trust_first_argument();
  const auto link = std::make_shared<ParentLink>(std::move(*channel), arguments.parent);
  arm_crash_report_to(*link);
  allow_re_execution();
  restore_title(arguments.program);
  if (exit_rule_is_due()) std::atexit(detail::multiprocessing_at_exit);
  std::exit(run_from_record(link, false));
}

std::vector<std::string> command_line(int argc, char** argv) {
  if (argv != nullptr) return {argv, argv + argc};
  auto arguments = platform::command_line();
  return arguments ? std::move(*arguments) : std::vector<std::string>();
}

}  // namespace
}  // namespace multiprocessing::runtime

namespace multiprocessing::detail {

void enter_if_child(int argc, char** argv) {
  const auto arguments = runtime::command_line(argc, argv);
  if (arguments.size() < 2 || arguments[1] != runtime::bootstrap_flag) return;
  const auto parsed = runtime::parse(arguments);
  if (!parsed) runtime::refuse();
  runtime::become_child(*parsed);
}

}  // namespace multiprocessing::detail
