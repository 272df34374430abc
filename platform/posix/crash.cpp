// Crash reports from a signal handler on an alternate stack. The handler may interrupt anything, so it
// allocates nothing and asks the loader nothing: buffers are static, images come from a snapshot made
// before. It uses the unwinder, which no standard allows there; a fault inside it comes back to the handler,
// which then sends what was found so far. After the report the previous action is put back and the signal
// takes its course: a fault by returning to the instruction, anything else by raising it again.
// Where the unwinder cannot step over the trampoline that called the handler (LLVM's with musl on x86-64) the
// report has the callers that keep a frame pointer. Stack overflow is reported for the thread that armed;
// other threads have no alternate stack. Manual pages: sigaction(2), sigaltstack(2), signal-safety(7).
#include "contract/crash.hpp"

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

#include <poll.h>
#include <pthread.h>
#include <sys/socket.h>
#include <unistd.h>
#include <unwind.h>

#include "contract/fault.hpp"
#include "error.hpp"
#include "image_snapshot.hpp"
#include "machine_context.hpp"
#include "mapped_images.hpp"

namespace multiprocessing::platform {
namespace {

using posix::ImageSnapshot;

constexpr std::array fatal_signals = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGSYS, SIGTRAP};
constexpr std::size_t own_frames = 16;  // more than the handler and the system's trampoline have
constexpr int send_patience_ms = 1000;

struct Report {
  std::array<std::byte, crash_prefix_capacity> prefix = {};  // the caller's bytes at its end
  CrashRecord record;
};
static_assert(sizeof(Report) == crash_prefix_capacity + sizeof(CrashRecord));

// All that the handler uses. Static, and never destroyed: a crash may come after main().
struct State {
  int output = -1;
  pid_t armed_process = 0;
  std::size_t prefix_size = 0;
  std::array<struct sigaction, fatal_signals.size()> previous = {};
  std::atomic<pthread_t> reporter = {};  // the first thread that crashed
  std::atomic<bool> reported = false;
  std::atomic<bool> held = false;     // another message is on its way over the output
  std::atomic<bool> sending = false;  // a report is
  std::array<std::uintptr_t, CrashRecord::frame_capacity + own_frames> addresses = {};
  std::atomic<std::size_t> address_count = 0;
  posix::MachineContext context;  // of the crash
  Report report;
};
State state;
std::atomic<const ImageSnapshot*> known_images = nullptr;
alignas(16) std::array<std::byte, 64 * 1024> alternate_stack;

_Unwind_Reason_Code note_frame(_Unwind_Context* context, void*) {
  const std::size_t count = state.address_count;
  int before_instruction = 0;
  const std::uintptr_t address = _Unwind_GetIPInfo(context, &before_instruction);
  if (count == state.addresses.size()) return _URC_END_OF_STACK;
  state.addresses[count] = before_instruction != 0 || address == 0 ? address : address - 1;
  state.address_count = count + 1;
  return _URC_NO_REASON;
}

std::uint64_t index_of(CrashRecord& record, const ImageSnapshot::Image& image) {
  for (std::uint64_t i = 0; i < record.image_count; ++i) {
    if (record.images[i].hash == image.hash) return i;
  }
  if (record.image_count == record.images.size()) return CrashFrame::no_image;
  CrashImage& entry = record.images[record.image_count];
  entry.hash = image.hash;
  std::memcpy(entry.path.data(), image.path.data(), std::min(image.path.size(), entry.path.size() - 1));
  return record.image_count++;
}

void add_frame(std::uintptr_t address) {
  CrashRecord& record = state.report.record;
  if (record.frame_count == record.frames.size()) return;
  CrashFrame& frame = record.frames[record.frame_count++];
  frame = {CrashFrame::no_image, address};  // and stays that, should the lines below fault
  const ImageSnapshot* images = known_images;
  if (const auto* range = images != nullptr ? images->find(address) : nullptr) {
    const ImageSnapshot::Image& image = images->images[range->image];
    frame.image = index_of(record, image);
    if (frame.image != CrashFrame::no_image) frame.offset = address - image.base;
  }
}

// The callers by their frame pointers: each points to the caller's, with the return address above it. Who
// keeps none may have left anything in that register, so that what does not lead outwards on a stack, or back
// into code, ends the walk. A function that calls nothing has its return address in `link`, if there is such
// a register.
void add_frames_by_pointers(const posix::MachineContext& context, std::uintptr_t link) {
  constexpr std::uintptr_t widest_frame = 1024 * 1024;
  const ImageSnapshot* images = known_images;
  std::uintptr_t below = context.stack_pointer;
  std::uintptr_t frame = context.frame_pointer;
  while (images != nullptr && frame % sizeof(void*) == 0 && frame >= below && frame - below < widest_frame) {
    std::array<std::uintptr_t, 2> kept;  // the caller's frame pointer, the return address
    std::memcpy(kept.data(), reinterpret_cast<const void*>(frame), sizeof(kept));
    if (images->find(kept[1]) == nullptr) break;
    if (link != 0 && link != kept[1] && images->find(link) != nullptr) add_frame(link - 1);
    link = 0;
    add_frame(kept[1] - 1);
    below = frame + sizeof(kept);
    frame = kept[0];
  }
}

// The frames from the interrupted instruction outwards. A jump to where no code is leaves the unwinder
// without a clue; the caller's address is then where the call put it.
void add_frames(const posix::MachineContext& context) {
  const std::uintptr_t* begin = state.addresses.data();
  const std::uintptr_t* end = begin + state.address_count;
  const std::uintptr_t pc = context.program_counter;
  if (pc == 0 && end - begin > 1 && context.stack_pointer == 0) {  // an unknown processor
    for (; begin != end; ++begin) add_frame(*begin);
    return;
  }
  begin =
      std::find_if(begin, end, [pc](std::uintptr_t address) { return address == pc || address + 1 == pc; });
  add_frame(pc);
  if (begin != end && begin + 1 != end) {
    for (++begin; begin != end; ++begin) add_frame(*begin);
    return;
  }
  const ImageSnapshot* images = known_images;
  if (images == nullptr) return;
  std::uintptr_t link = context.link_register;
  if (images->find(pc) == nullptr) {
    const std::uintptr_t caller =
        link != 0 ? link : *reinterpret_cast<const std::uintptr_t*>(context.stack_pointer);
    if (images->find(caller) != nullptr) add_frame(caller - 1);
    link = 0;
  }
  add_frames_by_pointers(context, link);
}

// Sent by kill(), raise(), abort() and the like, and not by a fault: the kernel's own codes are small
// positive numbers everywhere.
bool was_sent(int sub_code) { return sub_code <= 0 || sub_code >= 0x10000; }

// A peer that is gone must not make SIGPIPE the cause of death. The handler blocks it; here it is taken.
void take_broken_pipe_signal() {
  sigset_t pending, pipe_only;
  sigemptyset(&pipe_only);
  sigaddset(&pipe_only, SIGPIPE);
  int taken = 0;
  if (::sigpending(&pending) == 0 && sigismember(&pending, SIGPIPE) == 1) ::sigwait(&pipe_only, &taken);
}

void send_report() {
  const auto unused = crash_prefix_capacity - state.prefix_size;
  const auto* data = reinterpret_cast<const std::byte*>(&state.report) + unused;
  std::size_t left = sizeof(Report) - unused;
  while (left > 0) {
    pollfd ready{state.output, POLLOUT, 0};
    const int count = ::poll(&ready, 1, send_patience_ms);
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0 || (ready.revents & POLLOUT) == 0) return;
    ssize_t done = ::send(state.output, data, left, MSG_DONTWAIT);
    if (done < 0 && errno == ENOTSOCK) done = ::write(state.output, data, left);
    if (done < 0 && errno == EPIPE) take_broken_pipe_signal();
    if (done < 0 && errno != EINTR && errno != EAGAIN) return;
    if (done < 0) continue;
    data += done;
    left -= static_cast<std::size_t>(done);
  }
}

void begin_report(const siginfo_t& info, const void* context) {
  CrashRecord& record = state.report.record;
  record.magic = CrashRecord::expected_magic;
  record.code = info.si_signo;
  record.sub_code = info.si_code;
  record.fault_address = was_sent(info.si_code) ? 0 : reinterpret_cast<std::uintptr_t>(info.si_addr);
  state.context = posix::read_machine_context(context);
  _Unwind_Backtrace(note_frame, nullptr);
}

void finish_report() {
  if (state.report.record.frame_count == 0) add_frames(state.context);
  state.sending = true;  // before the look: of this thread and one that holds reports one sees the other
  if (!state.held) send_report();
  state.sending = false;
  state.reported = true;
}

// Another thread is writing its report: dying now would cut it off. There is no wait that is allowed in a
// handler but for a descriptor, so this looks again every few milliseconds.
void wait_for_reporter() {
  for (int waited = 0; waited < 2 * send_patience_ms && !state.reported; waited += 10) ::poll(nullptr, 0, 10);
}

void put_back(int signal) {
  const auto position = std::find(fatal_signals.begin(), fatal_signals.end(), signal) - fatal_signals.begin();
  ::sigaction(signal, &state.previous[static_cast<std::size_t>(position)], nullptr);
}

void handle_fatal_signal(int signal, siginfo_t* info, void* context) {
  const int saved_errno = errno;
  if (::getpid() == state.armed_process && !state.reported) {
    pthread_t nobody = {};
    const pthread_t self = ::pthread_self();
    if (state.reporter.compare_exchange_strong(nobody, self)) {
      begin_report(*info, context);
      finish_report();
    } else if (::pthread_equal(nobody, self) != 0) {  // a fault of the lines above
      finish_report();
    } else {
      wait_for_reporter();
    }
  }
  put_back(signal);
  errno = saved_errno;
  const bool comes_again =
      signal != SIGABRT && signal != SIGSYS && signal != SIGTRAP && !was_sent(info->si_code);
  if (!comes_again) ::raise(signal);
}

bool is_ours(const struct sigaction& action) {
  return (action.sa_flags & SA_SIGINFO) != 0 && action.sa_sigaction == handle_fatal_signal;
}

// The first thread of a process that arms gets the stack that is there, each other one of its own, which is
// never freed: the thread may run on it until its last instruction.
std::byte* stack_of_this_thread() {
  static std::atomic<int> process_of_first{0};
  const int process = ::getpid();
  if (process_of_first.exchange(process) != process) return alternate_stack.data();
  static auto& others = *new std::vector<std::unique_ptr<std::byte[]>>;
  return others.emplace_back(new std::byte[alternate_stack.size()]).get();
}

// Keeps a stack that is there: it belongs to someone who frees it, such as a sanitizer.
Status provide_stack() {
  stack_t current = {};
  if (::sigaltstack(nullptr, &current) != 0) return posix::last_error("sigaltstack");
  if ((current.ss_flags & SS_DISABLE) == 0 && current.ss_size >= 16 * 1024) return {};
  std::byte* const memory = stack_of_this_thread();
  if (memory == nullptr) return Error{Condition::out_of_memory, ENOMEM, "sigaltstack"};
  stack_t ours = {};
  ours.ss_sp = memory;
  ours.ss_size = alternate_stack.size();
  if (::sigaltstack(&ours, nullptr) != 0) return posix::last_error("sigaltstack");
  return {};
}

// An ignored signal stays ignored. Fatal signals stay open inside the handler, for faults of its own.
Status install_handlers() {
  struct sigaction action = {};
  action.sa_sigaction = handle_fatal_signal;
  action.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER;
  sigfillset(&action.sa_mask);
  for (const int signal : fatal_signals) sigdelset(&action.sa_mask, signal);
  for (std::size_t i = 0; i < fatal_signals.size(); ++i) {
    struct sigaction current = {};
    if (::sigaction(fatal_signals[i], nullptr, &current) != 0) return posix::last_error("sigaction");
    if (is_ours(current)) continue;
    state.previous[i] = current;
    if ((current.sa_flags & SA_SIGINFO) == 0 && current.sa_handler == SIG_IGN) continue;
    if (::sigaction(fatal_signals[i], &action, nullptr) != 0) return posix::last_error("sigaction");
  }
  return {};
}

struct SignalText {
  int signal;
  int sub_code;  // 0: the signal's own name
  const char* text;
};

constexpr SignalText signal_texts[] = {
    {SIGSEGV, 0, "SIGSEGV"},
    {SIGSEGV, SEGV_MAPERR, "address not mapped"},
    {SIGSEGV, SEGV_ACCERR, "access not permitted"},
    {SIGBUS, 0, "SIGBUS"},
    {SIGBUS, BUS_ADRALN, "misaligned address"},
    {SIGBUS, BUS_ADRERR, "nothing behind the address"},
    {SIGBUS, BUS_OBJERR, "hardware error"},
    {SIGFPE, 0, "SIGFPE"},
    {SIGFPE, FPE_INTDIV, "integer division by zero"},
    {SIGFPE, FPE_INTOVF, "integer overflow"},
    {SIGFPE, FPE_FLTDIV, "floating-point division by zero"},
    {SIGFPE, FPE_FLTOVF, "floating-point overflow"},
    {SIGFPE, FPE_FLTUND, "floating-point underflow"},
    {SIGFPE, FPE_FLTINV, "invalid floating-point operation"},
    {SIGILL, 0, "SIGILL"},
    {SIGILL, ILL_ILLOPC, "illegal instruction"},
    {SIGILL, ILL_ILLOPN, "illegal instruction"},
    {SIGILL, ILL_PRVOPC, "privileged instruction"},
    {SIGABRT, 0, "SIGABRT"},
    {SIGSYS, 0, "SIGSYS"},
    {SIGTRAP, 0, "SIGTRAP"},
};

const char* text_of(int signal, int sub_code) {
  for (const SignalText& row : signal_texts) {
    if (row.signal == signal && row.sub_code == sub_code) return row.text;
  }
  return nullptr;
}

}  // namespace

Status arm_crash_reports(RawHandle output, std::span<const std::byte> prefix) {
  if (auto failure = fault_point(Call::arm_crash_report)) return *failure;
  if (output == no_handle || prefix.size() > crash_prefix_capacity) {
    return Error{Condition::invalid_argument, 0, "arm_crash_reports"};
  }
  if (known_images == nullptr) refresh_crash_images();
  state.output = static_cast<int>(output);
  state.prefix_size = prefix.size();
  std::copy(prefix.begin(), prefix.end(),
            state.report.prefix.end() - static_cast<std::ptrdiff_t>(prefix.size()));
  state.report.record = {};
  state.address_count = 0;
  state.reported = false;
  state.held = false;
  state.sending = false;
  state.reporter = pthread_t{};
  state.armed_process = ::getpid();
  if (auto status = provide_stack(); !status) return status;
  return install_handlers();
}

void disarm_crash_reports() noexcept {
  state.armed_process = 0;
  for (const int signal : fatal_signals) {
    struct sigaction current = {};
    if (::sigaction(signal, nullptr, &current) == 0 && is_ours(current)) put_back(signal);
  }
}

// What another process armed, of which this one is a copy, is not waited for: its threads are not here.
void hold_crash_reports() noexcept {
  state.held = true;
  if (state.armed_process != ::getpid()) return;
  while (state.sending) ::poll(nullptr, 0, 10);  // ends: a report has little patience
}

void release_crash_reports() noexcept { state.held = false; }

// Older tables are kept: a handler may be reading one. There is one for each time that libraries came or
// went.
void refresh_crash_images() {
  static std::mutex mutex;
  static auto& tables = *new std::vector<std::unique_ptr<const ImageSnapshot>>;
  static std::uint64_t generation = 0;
  const std::lock_guard lock(mutex);
  // A forked child asks the loader for nothing that it can do without.
  if (!tables.empty() && ImageSnapshot::stays_with_remembered()) return;
  const std::uint64_t current = posix::loader_generation();
  if (!tables.empty() && current == generation) return;
  tables.push_back(std::make_unique<const ImageSnapshot>(ImageSnapshot::take()));
  generation = current;
  known_images = tables.back().get();
  ImageSnapshot::remember(*tables.back());
}

bool crash_reports_survive_overflow_in_threads() noexcept { return false; }

std::string describe_crash(const CrashRecord& record) {
  const char* name = text_of(record.code, 0);
  std::string text = name != nullptr ? name : "signal " + std::to_string(record.code);
  if (was_sent(record.sub_code)) return text;
  if (const char* reason = text_of(record.code, record.sub_code)) text += std::string(" (") + reason + ")";
  if (record.code != SIGSEGV && record.code != SIGBUS) return text;
  char address[32];
  std::snprintf(address, sizeof(address), ", address 0x%llx",
                static_cast<unsigned long long>(record.fault_address));
  return text + address;
}

}  // namespace multiprocessing::platform
