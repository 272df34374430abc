// Boost.Process's launcher concept, as this backend meets it: a function object that lets initializers set
// it up (`on_setup`), starts the program, tells them (`on_success`), and returns a basic_process. It differs
// from Boost's default launcher, whose state it shares, in that the command line comes ready and exactly as
// it will be, and in that the system's error is kept as it was.
#pragma once

#include "win32.hpp"

// Boost 1.81's Process uses these without including them.
#include <boost/optional.hpp>
#include <boost/type_traits/is_convertible.hpp>

#include <boost/process/v2/windows/default_launcher.hpp>

#include <boost/process/v2/process.hpp>
#include <boost/process/v2/start_dir.hpp>

#include <filesystem>
#include <string>

namespace multiprocessing::platform::win32 {

namespace process_v2 = boost::process::v2;

struct Launcher : process_v2::windows::default_launcher {
  template <class Executor, class... Initializers>
  process_v2::basic_process<Executor> operator()(Executor executor, process_v2::error_code& error,
                                                 const std::filesystem::path& executable,
                                                 std::wstring command_line, Initializers&&... initializers) {
    namespace steps = process_v2::detail;
    error = steps::on_setup(*this, executable, command_line, initializers...);
    if (!error && !create(executable, command_line)) error = last_boost_error();
    if (error) return process_v2::basic_process<Executor>(executor);
    steps::on_success(*this, executable, command_line, initializers...);
    CloseHandle(process_information.hThread);
    return process_v2::basic_process<Executor>(executor, process_information.dwProcessId,
                                               process_information.hProcess);
  }

  [[nodiscard]] static process_v2::error_code last_boost_error() noexcept {
    return {static_cast<int>(GetLastError()), boost::system::system_category()};
  }

 private:
  bool create(const std::filesystem::path& executable, std::wstring& command_line) noexcept {
    return CreateProcessW(executable.c_str(), command_line.data(), process_attributes, thread_attributes,
                          inherit_handles ? TRUE : FALSE, creation_flags, environment,
                          current_directory.empty() ? nullptr : current_directory.c_str(),
                          &startup_info.StartupInfo, &process_information) != FALSE;
  }
};

}  // namespace multiprocessing::platform::win32
