// Takes exceptions apart and puts them together again. Which types can be thrown again as themselves stands
// in one table; a type derived from one of them is not that type and arrives as RemoteError. One that has
// come from another process goes on as what it was there.
#include "wire/exception_report.hpp"

#include <any>
#include <array>
#include <exception>
#include <filesystem>
#include <functional>
#include <future>
#include <ios>
#include <memory>
#include <multiprocessing/detail/serialize.hpp>
#include <multiprocessing/errors.hpp>
#include <new>
#include <optional>
#include <regex>
#include <stdexcept>
#include <string_view>
#include <system_error>
#include <typeinfo>
#include <utility>
#include <variant>

#include "wire/raised_details.hpp"

namespace multiprocessing::runtime {
namespace {

constexpr std::size_t longest_message = 16 * 1024;
constexpr std::size_t longest_trace = 16 * 1024;
constexpr std::size_t longest_cut_name = 4 * 1024;

/// What is known of an exception that came from another process, for its way to the next one: its class here
/// is none that anybody should hear of.
class Arrival {
 public:
  Arrival(std::uint32_t known_type, RemoteError remote)
      : known_type_(known_type), remote_(std::move(remote)) {}
  [[nodiscard]] std::uint32_t known_type() const noexcept { return known_type_; }
  [[nodiscard]] const RemoteError& remote() const noexcept { return remote_; }

 private:
  std::uint32_t known_type_;
  RemoteError remote_;
};

/// The exception as the reader catches it: a T whose what() is the writer's, with the RemoteError nested in
/// it.
template <class T>
class Arrived : public T, public std::nested_exception, public Arrival {
 public:
  template <class... Args>
  explicit Arrived(const Arrival& arrival, std::string message, Args&&... args)
      : T(std::forward<Args>(args)...), Arrival(arrival), message_(std::move(message)) {}
  [[nodiscard]] const char* what() const noexcept override { return message_.c_str(); }

 private:
  std::string message_;
};

template <class T, class... Args>
std::exception_ptr arrived(const ExceptionReport& report, const RemoteError& remote, Args&&... args) {
  try {
    throw remote;
  } catch (...) {  // nested_exception takes what is being handled
    return std::make_exception_ptr(
        Arrived<T>(Arrival(report.known_type, remote), report.message, std::forward<Args>(args)...));
  }
}

template <class T>
std::exception_ptr from_text(const ExceptionReport& report, const RemoteError& remote) {
  return arrived<T>(report, remote, report.message);
}

template <class T>
std::exception_ptr from_nothing(const ExceptionReport& report, const RemoteError& remote) {
  return arrived<T>(report, remote);
}

std::error_code code_of(const ExceptionReport& report) {
  switch (report.category) {
    case ErrorCategory::system:
      return {report.error_code, std::system_category()};
    case ErrorCategory::stream:
      return {report.error_code, std::iostream_category()};
    case ErrorCategory::future:
      return {report.error_code, std::future_category()};
    default:
      return {report.error_code, std::generic_category()};
  }
}

template <class T>
std::exception_ptr from_code(const ExceptionReport& report, const RemoteError& remote) {
  return arrived<T>(report, remote, code_of(report));
}

template <class T>
std::exception_ptr from_text_and_code(const ExceptionReport& report, const RemoteError& remote) {
  return arrived<T>(report, remote, report.message.c_str(), code_of(report));
}

std::filesystem::path path_of(const std::string& text) {
  return std::filesystem::path(std::u8string(text.begin(), text.end()));
}

std::exception_ptr file_error(const ExceptionReport& report, const RemoteError& remote) {
  return arrived<std::filesystem::filesystem_error>(report, remote, report.message,
                                                    path_of(report.details.first),
                                                    path_of(report.details.second), code_of(report));
}

std::exception_ptr future_failure(const ExceptionReport& report, const RemoteError& remote) {
  return arrived<std::future_error>(report, remote, static_cast<std::future_errc>(report.error_code));
}

std::exception_ptr regex_failure(const ExceptionReport& report, const RemoteError& remote) {
  // The enumeration's values are as many bits as its largest needs: four, and five in libc++, which has some
  // of its own. Others come from a liar.
#if defined(_LIBCPP_VERSION)
  constexpr std::int32_t largest = 31;
#else
  constexpr std::int32_t largest = 15;
#endif
  if (report.error_code < 0 || report.error_code > largest) return std::make_exception_ptr(remote);
  return arrived<std::regex_error>(report, remote,
                                   static_cast<std::regex_constants::error_type>(report.error_code));
}

std::exception_ptr too_short(const ExceptionReport& report, const RemoteError& remote) {
  return arrived<BufferTooShort>(report, remote, report.message, report.details.bytes);
}

std::exception_ptr of_group(const ExceptionReport& report, const RemoteError& remote) {
  return arrived<ProcessException>(report, remote, report.message, report.details.index, report.details.pid);
}

std::exception_ptr raised_in_group(const ExceptionReport& report, const RemoteError& remote) {
  // The text with its stack is there already: the type and the message of the first exception remain.
  auto first = std::make_shared<ExceptionReport>();
  first->type_name = report.details.first;
  first->message = report.details.second;
  const int index = report.details.index;
  const int pid = report.details.pid;
  return arrived<ProcessRaisedException>(
      report, remote,
      std::make_shared<const ProcessRaisedException::Details>(std::move(first), nullptr, index, pid), index,
      pid);
}

std::exception_ptr exited_in_group(const ExceptionReport& report, const RemoteError& remote) {
  const auto& details = report.details;
  return arrived<ProcessExitedException>(report, remote, report.message, details.index, details.pid,
                                         details.exit_code,
                                         details.first.empty() ? std::nullopt : std::optional(details.first));
}

std::exception_ptr worker_died(const ExceptionReport& report, const RemoteError& remote) {
  const auto& details = report.details;
  return arrived<WorkerDied>(report, remote, details.pid, details.exit_code, details.first,
                             static_cast<std::size_t>(details.task));
}

/// One that was a RemoteError already is what it was, and comes from where it came.
std::exception_ptr remote_again(const ExceptionReport& report, const RemoteError& remote) {
  return std::make_exception_ptr(
      RemoteError(report.details.first, remote.type_name(), remote.message(), remote.trace()));
}

struct KnownType {
  const std::type_info& type;
  std::exception_ptr (*rebuild)(const ExceptionReport&, const RemoteError&);
};

// The order is part of what travels between two processes of one build; nothing else reads it.
const std::array known_types = {
    KnownType{typeid(std::exception), from_nothing<std::exception>},
    KnownType{typeid(std::logic_error), from_text<std::logic_error>},
    KnownType{typeid(std::invalid_argument), from_text<std::invalid_argument>},
    KnownType{typeid(std::domain_error), from_text<std::domain_error>},
    KnownType{typeid(std::length_error), from_text<std::length_error>},
    KnownType{typeid(std::out_of_range), from_text<std::out_of_range>},
    KnownType{typeid(std::runtime_error), from_text<std::runtime_error>},
    KnownType{typeid(std::range_error), from_text<std::range_error>},
    KnownType{typeid(std::overflow_error), from_text<std::overflow_error>},
    KnownType{typeid(std::underflow_error), from_text<std::underflow_error>},
    KnownType{typeid(std::system_error), from_code<std::system_error>},
    KnownType{typeid(std::filesystem::filesystem_error), file_error},
    KnownType{typeid(std::ios_base::failure), from_text_and_code<std::ios_base::failure>},
    KnownType{typeid(std::future_error), future_failure},
    KnownType{typeid(std::regex_error), regex_failure},
    KnownType{typeid(std::bad_any_cast), from_nothing<std::bad_any_cast>},
    KnownType{typeid(std::bad_alloc), from_nothing<std::bad_alloc>},
    KnownType{typeid(std::bad_array_new_length), from_nothing<std::bad_array_new_length>},
    KnownType{typeid(std::bad_cast), from_nothing<std::bad_cast>},
    KnownType{typeid(std::bad_typeid), from_nothing<std::bad_typeid>},
    KnownType{typeid(std::bad_exception), from_nothing<std::bad_exception>},
    KnownType{typeid(std::bad_function_call), from_nothing<std::bad_function_call>},
    KnownType{typeid(std::bad_optional_access), from_nothing<std::bad_optional_access>},
    KnownType{typeid(std::bad_variant_access), from_nothing<std::bad_variant_access>},
    KnownType{typeid(std::bad_weak_ptr), from_nothing<std::bad_weak_ptr>},
    KnownType{typeid(ProcessError), from_text<ProcessError>},
    KnownType{typeid(BufferTooShort), too_short},
    KnownType{typeid(ProcessException), of_group},
    KnownType{typeid(ProcessRaisedException), raised_in_group},
    KnownType{typeid(ProcessExitedException), exited_in_group},
    KnownType{typeid(WorkerDied), worker_died},
    KnownType{typeid(AuthenticationError), from_text<AuthenticationError>},
    KnownType{typeid(TimeoutError), from_text<TimeoutError>},
    KnownType{typeid(TimeOutException), from_text<TimeOutException>},
    KnownType{typeid(SerializationError), from_text<SerializationError>},
    KnownType{typeid(BrokenProcessPool), from_text<BrokenProcessPool>},
    KnownType{typeid(ValueError), from_text<ValueError>},
    KnownType{typeid(IndexError), from_text<IndexError>},
    KnownType{typeid(KeyError), from_text<KeyError>},
    KnownType{typeid(AssertionError), from_text<AssertionError>},
    KnownType{typeid(TypeError), from_text<TypeError>},
    KnownType{typeid(AttributeError), from_text<AttributeError>},
    KnownType{typeid(RuntimeError), from_text<RuntimeError>},
    KnownType{typeid(EOFError), from_text<EOFError>},
    KnownType{typeid(Empty), from_text<Empty>},
    KnownType{typeid(Full), from_text<Full>},
    KnownType{typeid(ShutDown), from_text<ShutDown>},
    KnownType{typeid(BrokenBarrierError), from_text<BrokenBarrierError>},
    KnownType{typeid(CancelledError), from_text<CancelledError>},
    KnownType{typeid(InvalidStateError), from_text<InvalidStateError>},
    KnownType{typeid(OSError), from_code<OSError>},
    KnownType{typeid(ConnectionError), from_code<ConnectionError>},
    KnownType{typeid(RemoteError), remote_again},
};

std::string cut(std::string_view text, std::size_t longest) { return std::string(text.substr(0, longest)); }

std::string message_of(const std::exception& exception) {
  try {
    const char* text = exception.what();
    return text == nullptr ? std::string() : cut(text, longest_message);
  } catch (...) {
    return "(its what() threw an exception of its own)";
  }
}

ErrorCategory category_of(const std::error_category& category) {
  if (category == std::generic_category()) return ErrorCategory::generic;
  if (category == std::system_category()) return ErrorCategory::system;
  if (category == std::iostream_category()) return ErrorCategory::stream;
  if (category == std::future_category()) return ErrorCategory::future;
  return ErrorCategory::other;
}

void add_code(ExceptionReport& report, const std::error_code& code) {
  report.error_code = code.value();
  report.category = category_of(code.category());
  if (report.category == ErrorCategory::other) report.known_type = 0;
}

std::string utf8(const std::filesystem::path& path) {
  const auto text = path.u8string();
  return {text.begin(), text.end()};
}

void add_details(ExceptionReport& report, const ProcessException& error) {
  auto& details = report.details;
  details.index = error.error_index();
  details.pid = error.error_pid();
  if (const auto* raised = dynamic_cast<const ProcessRaisedException*>(&error)) {
    details.first = raised->type_name();
    details.second = raised->message();
  }
  if (const auto* exited = dynamic_cast<const ProcessExitedException*>(&error)) {
    details.exit_code = exited->exit_code();
    details.first = exited->signal_name().value_or("");
  }
}

/// What a type of the table holds besides its message.
void add_details(ExceptionReport& report, const std::exception& exception) {
  auto& details = report.details;
  if (const auto* error = dynamic_cast<const std::system_error*>(&exception)) add_code(report, error->code());
  if (const auto* error = dynamic_cast<const std::future_error*>(&exception)) add_code(report, error->code());
  if (const auto* error = dynamic_cast<const std::regex_error*>(&exception))
    report.error_code = static_cast<std::int32_t>(error->code());
  if (const auto* error = dynamic_cast<const std::filesystem::filesystem_error*>(&exception)) {
    details.first = utf8(error->path1());
    details.second = utf8(error->path2());
  }
  if (const auto* error = dynamic_cast<const BufferTooShort*>(&exception)) details.bytes = error->message();
  if (const auto* error = dynamic_cast<const ProcessException*>(&exception)) add_details(report, *error);
  if (const auto* error = dynamic_cast<const WorkerDied*>(&exception)) {
    details.pid = error->pid();
    details.exit_code = error->exitcode();
    details.first = error->reason();
    details.task = error->task();
  }
}

/// The T of the class that std::throw_with_nested() makes of a T; empty if `name` is none of these:
/// "std::_Nested_exception<T>", "std::__1::__nested<T>", "std::_With_nested_v2<T>".
std::string inside_wrapper(std::string_view name) {
  const auto open = name.find('<');
  if (!name.starts_with("std::") || !name.ends_with('>') || open == std::string_view::npos) return {};
  if (name.substr(0, open).find("ested") == std::string_view::npos) return {};
  name = name.substr(open + 1, name.size() - open - 2);
  return std::string(name.substr(0, name.find_last_not_of(' ') + 1));
}

/// ExceptionReport::known_type for the type of this name.
std::uint32_t known_type_named(const std::string& name) {
  for (std::size_t i = 0; i < known_types.size(); ++i)
    if (platform::demangled_type_name(known_types[i].type) == name) return static_cast<std::uint32_t>(i + 1);
  return 0;
}

void add_type(ExceptionReport& report, const std::exception& exception) {
  report.type_name = platform::demangled_type_name(typeid(exception));
  report.known_type = known_type_of(typeid(exception));
  if (report.known_type != 0 || dynamic_cast<const std::nested_exception*>(&exception) == nullptr) return;
  // What is nested in it stays here, and so does the standard library's own name for the two.
  auto inside = inside_wrapper(report.type_name);
  if (inside.empty()) return;
  report.known_type = known_type_named(inside);
  report.type_name = std::move(inside);
}

/// What another process said of it, and where it was thrown there.
void add_origin(ExceptionReport& report, const RemoteError& remote) {
  report.type_name = remote.type_name();
  report.first_trace = cut(remote.trace(), longest_trace);
}

void describe(ExceptionReport& report, const std::exception& exception) {
  report.message = message_of(exception);
  const auto* arrival = dynamic_cast<const Arrival*>(&exception);
  if (arrival == nullptr) {
    add_type(report, exception);
  } else {
    report.known_type = arrival->known_type();
    add_origin(report, arrival->remote());
  }
  add_details(report, exception);
  const auto* remote = dynamic_cast<const RemoteError*>(&exception);
  if (remote == nullptr || report.known_type != known_type_of(typeid(RemoteError))) return;
  report.details.first = std::exchange(report.message, cut(remote->message(), longest_message));
  add_origin(report, *remote);
}

}  // namespace

/// Position + 1, or 0.
std::uint32_t known_type_of(const std::type_info& type) noexcept {
  for (std::size_t i = 0; i < known_types.size(); ++i)
    if (known_types[i].type == type) return static_cast<std::uint32_t>(i + 1);
  // What libstdc++ throws for std::ios_base::failure is derived from it, for the sake of its older interface.
  if (std::string_view(type.name()).find("__ios_failure") != std::string_view::npos)
    return known_type_of(typeid(std::ios_base::failure));
  return 0;
}

ExceptionReport read_report(std::span<const std::byte> body) {
  if (!body.empty()) {
    detail::Decoder decoder(body);
    return detail::decode<ExceptionReport>(decoder);
  }
  ExceptionReport report;
  report.type_name = "std::bad_alloc";
  report.message = "there was no memory to describe an exception";
  report.known_type = known_type_of(typeid(std::bad_alloc));
  return report;
}

ExceptionReport describe_current_exception(const platform::ThrowTrace& trace) {
  ExceptionReport report;
  try {
    throw;
  } catch (const std::exception& exception) {
    describe(report, exception);
  } catch (...) {
    report.type_name = platform::current_exception_type_name();
    if (report.type_name.empty()) report.type_name = "an exception of unknown type";
  }
  // Of one that came from another process these would be the frames of our own call.
  if (report.first_trace.empty())
    report.frames = platform::locate_frames(std::span(trace.frames, trace.size));
  return report;
}

ExceptionReport describe_exception(const std::exception_ptr& exception) {
  try {
    std::rethrow_exception(exception);
  } catch (...) {
    return describe_current_exception({});
  }
}

ExceptionReport cut_to_fit(ExceptionReport report, std::size_t most) {
  if (report.type_name.size() > longest_cut_name) report.type_name.resize(longest_cut_name);
  const auto size = [&] {
    detail::Encoder encoder;
    detail::encode(encoder, report);
    return encoder.bytes().size();
  };
  while (!report.frames.empty() && size() > most) report.frames.pop_back();
  return report;
}

std::exception_ptr rebuild_exception(const ExceptionReport& report, const std::string& trace) {
  const std::string text =
      report.message.empty() ? report.type_name : report.type_name + ": " + report.message;
  const RemoteError remote(text, report.type_name, report.message, report.first_trace + trace);
  if (report.known_type == 0 || report.known_type > known_types.size())
    return std::make_exception_ptr(remote);
  return known_types[report.known_type - 1].rebuild(report, remote);
}

}  // namespace multiprocessing::runtime
