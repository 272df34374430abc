// How an exit status reads. The names of signals are the ones that both <csignal> and shells use; real-time
// signals are named by their distance from the first. Manual page: signal(7).
#include <csignal>

#include "contract/process.hpp"

namespace multiprocessing::platform {
namespace {

struct Name {
  int number;
  const char* text;
};

constexpr Name names[] = {
    {SIGHUP, "SIGHUP"},   {SIGINT, "SIGINT"},       {SIGQUIT, "SIGQUIT"},   {SIGILL, "SIGILL"},
    {SIGTRAP, "SIGTRAP"}, {SIGABRT, "SIGABRT"},     {SIGBUS, "SIGBUS"},     {SIGFPE, "SIGFPE"},
    {SIGKILL, "SIGKILL"}, {SIGUSR1, "SIGUSR1"},     {SIGSEGV, "SIGSEGV"},   {SIGUSR2, "SIGUSR2"},
    {SIGPIPE, "SIGPIPE"}, {SIGALRM, "SIGALRM"},     {SIGTERM, "SIGTERM"},   {SIGCHLD, "SIGCHLD"},
    {SIGCONT, "SIGCONT"}, {SIGSTOP, "SIGSTOP"},     {SIGTSTP, "SIGTSTP"},   {SIGTTIN, "SIGTTIN"},
    {SIGTTOU, "SIGTTOU"}, {SIGURG, "SIGURG"},       {SIGXCPU, "SIGXCPU"},   {SIGXFSZ, "SIGXFSZ"},
    {SIGPROF, "SIGPROF"}, {SIGVTALRM, "SIGVTALRM"}, {SIGWINCH, "SIGWINCH"}, {SIGSYS, "SIGSYS"},
    {SIGIO, "SIGIO"},
};

std::string name_of_signal(int number) {
  for (const Name& name : names)
    if (name.number == number) return name.text;
#ifdef SIGRTMIN
  if (number >= SIGRTMIN) return "SIGRTMIN+" + std::to_string(number - SIGRTMIN);
#endif
  return "signal " + std::to_string(number);
}

}  // namespace

std::optional<std::string> signal_name(const ExitStatus& status) {
  if (status.kind != ExitStatus::Kind::signalled) return std::nullopt;
  return name_of_signal(-status.code);
}

std::string describe(const ExitStatus& status) {
  switch (status.kind) {
    case ExitStatus::Kind::exited:
      return "exit " + std::to_string(status.code);
    case ExitStatus::Kind::signalled:
      return "signal " + std::to_string(-status.code) + " (" + name_of_signal(-status.code) + ")";
    case ExitStatus::Kind::faulted:
      return "exception " + std::to_string(status.code);
    case ExitStatus::Kind::unknown:
      break;
  }
  return "ended, exit code unknown";
}

}  // namespace multiprocessing::platform
