// Takes exceptions apart and puts them together again. Which types can be thrown again as themselves stands
// in one table; a type derived from one of them is not that type and arrives as RemoteError.
#include "wire/exception_report.hpp"

#include <array>
#include <exception>
#include <filesystem>
#include <functional>
#include <multiprocessing/errors.hpp>
#include <new>
#include <optional>
#include <stdexcept>
#include <system_error>
#include <typeinfo>
#include <utility>
#include <variant>

namespace multiprocessing::runtime {
namespace {

constexpr std::size_t longest_message = 16 * 1024;

/// The exception as the reader catches it: a T whose what() is the writer's, with the RemoteError nested in
/// it.
template <class T>
class Arrived : public T, public std::nested_exception {
 public:
  template <class... Args>
  explicit Arrived(std::string message, Args&&... args)
      : T(std::forward<Args>(args)...), message_(std::move(message)) {}
  [[nodiscard]] const char* what() const noexcept override { return message_.c_str(); }

 private:
  std::string message_;
};

template <class T, class... Args>
std::exception_ptr arrived(const ExceptionReport& report, const RemoteError& remote, Args&&... args) {
  try {
    throw remote;
  } catch (...) {  // nested_exception takes what is being handled
    return std::make_exception_ptr(Arrived<T>(report.message, std::forward<Args>(args)...));
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

template <class T>
std::exception_ptr from_code(const ExceptionReport& report, const RemoteError& remote) {
  const auto& category = report.system_category ? std::system_category() : std::generic_category();
  return arrived<T>(report, remote, std::error_code(report.error_code, category));
}

template <class T>
std::exception_ptr from_text_and_code(const ExceptionReport& report, const RemoteError& remote) {
  const auto& category = report.system_category ? std::system_category() : std::generic_category();
  return arrived<T>(report, remote, report.message.c_str(), std::error_code(report.error_code, category));
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
    KnownType{typeid(std::filesystem::filesystem_error),
              from_text_and_code<std::filesystem::filesystem_error>},
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
};

std::string message_of(const std::exception& exception) {
  try {
    const char* text = exception.what();
    return text == nullptr ? std::string() : std::string(text).substr(0, longest_message);
  } catch (...) {
    return "(its what() threw an exception of its own)";
  }
}

void add_code(ExceptionReport& report, const std::system_error& error) {
  report.error_code = error.code().value();
  report.system_category = error.code().category() == std::system_category();
  // A code of any other category would be another error in the reader's table.
  if (!report.system_category && error.code().category() != std::generic_category()) report.known_type = 0;
}

}  // namespace

/// Position + 1, or 0.
std::uint32_t known_type_of(const std::type_info& type) noexcept {
  for (std::size_t i = 0; i < known_types.size(); ++i)
    if (known_types[i].type == type) return static_cast<std::uint32_t>(i + 1);
  return 0;
}

ExceptionReport describe_current_exception(const platform::ThrowTrace& trace) {
  ExceptionReport report;
  try {
    throw;
  } catch (const std::exception& exception) {
    report.type_name = platform::demangled_type_name(typeid(exception));
    report.message = message_of(exception);
    report.known_type = known_type_of(typeid(exception));
    if (const auto* error = dynamic_cast<const std::system_error*>(&exception)) add_code(report, *error);
  } catch (...) {
    report.type_name = platform::current_exception_type_name();
    if (report.type_name.empty()) report.type_name = "an exception of unknown type";
  }
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

std::exception_ptr rebuild_exception(const ExceptionReport& report, const std::string& trace) {
  const std::string text =
      report.message.empty() ? report.type_name : report.type_name + ": " + report.message;
  const RemoteError remote(text, report.type_name, report.message, trace);
  if (report.known_type == 0 || report.known_type > known_types.size())
    return std::make_exception_ptr(remote);
  return known_types[report.known_type - 1].rebuild(report, remote);
}

}  // namespace multiprocessing::runtime
