// Calls of one function, item by item, in a worker of a pool: how the items are written, and the code that
// reads them there, calls, and writes the results.
//
//   chunk_function(f, shape)        -> what names the code, and the function object's own data
//   encode_item<Shape>(encoder, x)  -> the arguments of one call
#pragma once

#include <multiprocessing/detail/export.hpp>
#include <multiprocessing/detail/task.hpp>

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

namespace multiprocessing::detail {

/// One chunk in the worker: how far it is, and the results that were not reported yet. What is reported, and
/// when, is the derived class's.
class MULTIPROCESSING_EXPORT ChunkRun {
 public:
  ChunkRun(const ChunkRun&) = delete;
  ChunkRun& operator=(const ChunkRun&) = delete;

  /// The one that this thread is in.
  [[nodiscard]] static ChunkRun& current() noexcept;
  [[nodiscard]] bool finished() const noexcept { return done_ == count_; }
  /// Items at the beginning whose results are known: they are read, and not called.
  [[nodiscard]] std::uint32_t skipped() const noexcept { return skipped_; }
  [[nodiscard]] Encoder& results() noexcept { return results_; }

  /// Around the reading of arguments: when that fails nobody knows where the next item begins.
  void reading() noexcept { reading_ = true; }
  void calling() noexcept { reading_ = false; }
  void item_done() {
    ++done_;
    good_size_ = results_.size();
    if (--until_look_ == 0 || good_size_ >= report_size) look();
  }
  /// Calls `step(context)`, which does items until all are done; goes on with the next when one throws.
  void run(void (*step)(void*), void* context);

 protected:
  ChunkRun(std::uint32_t count, std::uint32_t skipped, bool one_by_one) noexcept;
  virtual ~ChunkRun();

  /// Sends the results since the last report; for a look that comes seldom enough to ask the clock.
  virtual void look() = 0;
  /// Sends them, and in place of the next item's result the exception that is being handled.
  virtual void report_failure(const void* trace) = 0;
  void done_with_item() noexcept { ++done_; }

  static constexpr std::size_t report_size = 64 * 1024;
  const std::uint32_t count_;
  const std::uint32_t skipped_;
  const bool one_by_one_;
  std::uint32_t done_ = 0;        ///< with those that were skipped
  std::uint32_t until_look_ = 1;  ///< items
  std::size_t good_size_ = 0;     ///< of results_, without what a failed item had written
  Encoder results_;

 private:
  bool reading_ = false;
};

/// The code of a chunk's calls, as a task: `run` is given the function object's data and the items.
template <class Call>
struct ChunkCall;

template <class F, class R, class... P, class... Stored>
struct ChunkCall<Call<F, CallShape<R, TypeList<P...>, TypeList<Stored...>>>> {
  using Once = Call<F, CallShape<R, TypeList<P...>, TypeList<Stored...>>>;
  using Indices = std::index_sequence_for<Stored...>;

  static constexpr std::uint64_t signature() { return mix(Once::signature(), 0x6368756e6bULL); }

  static void run(const void* function, Decoder& arguments, Encoder*) {
    ChunkRun& chunk = ChunkRun::current();
    State state{chunk, arguments, Once::read_function(function, arguments)};
    chunk.run(
        [](void* context) {
          auto& self = *static_cast<State*>(context);
          while (!self.chunk.finished()) do_item(self, Indices());
        },
        &state);
  }

 private:
  struct State {
    ChunkRun& chunk;
    Decoder& arguments;
    F function;
    std::uint32_t skipped = 0;
  };

  template <std::size_t... i>
  static void do_item(State& self, std::index_sequence<i...>) {
    self.chunk.reading();
    for (; self.skipped < self.chunk.skipped(); ++self.skipped)
      static_cast<void>(std::tuple<Stored...>{decode<Stored>(self.arguments, i + 1)...});
    std::tuple<Stored...> stored{decode<Stored>(self.arguments, i + 1)...};
    self.chunk.calling();
    call(self.function, typename Once::Shape(), stored, Indices(), &self.chunk.results());
    self.chunk.item_done();
  }
};

/// What a pool has to know of a function: its code, and the bytes of a function object with data.
struct ChunkFunction {
  Target target;
  std::string_view type_name;
  std::vector<std::byte> state;
};

template <class F, class Shape>
ChunkFunction chunk_function(const F& function) {
  require_function(function);
  ChunkFunction described{{&task_descriptor<ChunkCall<Call<F, Shape>>>, nullptr}, detail::type_name<F>(), {}};
  if constexpr (is_function_pointer<F>) {
    described.target.function = reinterpret_cast<const void*>(function);
  } else if constexpr (!is_stateless<F>) {
    Encoder encoder;
    encode(encoder, function);
    described.state.assign(encoder.bytes().begin(), encoder.bytes().end());
  }
  return described;
}

template <class P, class Stored, class A>
void encode_argument(Encoder& encoder, A&& argument, std::size_t index) {
  if constexpr (std::is_same_v<std::remove_cvref_t<A>, Stored>) {
    encode(encoder, std::as_const(argument), index);
  } else {
    encode(encoder, store<P, Stored>(std::forward<A>(argument)), index);
  }
}

/// Writes the arguments of one call. Throws SerializationError; what was written then is to be dropped.
template <class R, class... P, class... Stored, class... Args>
void encode_item(CallShape<R, TypeList<P...>, TypeList<Stored...>>, Encoder& encoder, Args&&... arguments) {
  std::size_t index = 0;
  (encode_argument<P, Stored>(encoder, std::forward<Args>(arguments), ++index), ...);
}

}  // namespace multiprocessing::detail
