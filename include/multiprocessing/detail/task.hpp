// A function and its arguments, ready to run here or in another process.
//
//   make_task<with_result>(f, args...)  -> unique_ptr<Task>: everything can travel; what cannot does not
//   compile make_local_task(f, args...)         -> unique_ptr<Task> for forked children: captures, pointers,
//   std::ref task.target()                       -> {descriptor, function}: two addresses in loaded images,
//   or null task.encode(encoder)                -> the function object, if it has data, and the arguments
//   task.run(&encoder or nullptr)       -> calls it here with the stored arguments, once: they are moved from
//   target.descriptor->run(target.function, decoder, &encoder or nullptr)   -> the same in the other process
//   task_result_t<F, Args...>, decode_result<R>(bytes)                      -> what the caller gets back
//   target_of<&f>()                     -> the target of a function that is known by name
//   object_descriptor<D>, encode_object(encoder, d), decode_object(decoder, d), make_for_child<D>()
//                                       -> the same for objects whose run() is called
//
// A descriptor is constant data: every image that uses a task holds its own, nothing registers it, and its
// address, as an offset into its image, names it in every process of the same build. Tasks are not
// thread-safe; descriptors are, since nobody writes them.
#pragma once

#include <multiprocessing/detail/arguments.hpp>
#include <multiprocessing/detail/check_call.hpp>
#include <multiprocessing/detail/export.hpp>
#include <multiprocessing/detail/fingerprint.hpp>
#include <multiprocessing/detail/sendable.hpp>
#include <multiprocessing/detail/serialize.hpp>
#include <multiprocessing/errors.hpp>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <tuple>
#include <type_traits>
#include <utility>

// With default visibility the descriptor of one shared library would be taken for that of another.
#if defined(__has_cpp_attribute)
#if __has_cpp_attribute(gnu::visibility)
#define MULTIPROCESSING_HIDDEN [[gnu::visibility("hidden")]]
#endif
#endif
#if !defined(MULTIPROCESSING_HIDDEN)
#define MULTIPROCESSING_HIDDEN
#endif

namespace multiprocessing::detail {

/// How the other process runs a task. `signature` is made of the fingerprints of what travels.
struct TaskDescriptor {
  std::uint64_t magic;
  std::uint64_t signature;
  /// Reads the function object and the arguments, calls, and writes the result if `result` is not null and
  /// there is one. Throws SerializationError before the call, and what the function throws.
  void (*run)(const void* function, Decoder& arguments, Encoder* result);
};
/// "mptask01"
inline constexpr std::uint64_t task_magic = 0x6d707461736b3031;

/// What identifies a task in this process. `function` is a plain function's address, else null.
struct Target {
  const TaskDescriptor* descriptor = nullptr;
  const void* function = nullptr;
};

class MULTIPROCESSING_EXPORT Task {
 public:
  Task() = default;
  Task(const Task&) = delete;
  Task& operator=(const Task&) = delete;
  virtual ~Task();
  /// A null descriptor if the task is not portable.
  [[nodiscard]] virtual Target target() const noexcept = 0;
  /// Throws SerializationError that names the type and the argument. Changes nothing; may be called again.
  virtual void encode(Encoder& encoder) const = 0;
  /// Calls it here. The arguments are passed as to the target in a child, so that they are moved from.
  virtual void run(Encoder* result) = 0;
  /// False: only a forked child can run it.
  [[nodiscard]] virtual bool portable() const noexcept;
};

// --- calling ---

template <class F, class R, class... P, class... Stored, std::size_t... i>
void call(F& function, CallShape<R, TypeList<P...>, TypeList<Stored...>>, std::tuple<Stored...>& stored,
          std::index_sequence<i...>, [[maybe_unused]] Encoder* result) {
  using Value = StoredResult<R>;
  if constexpr (std::is_void_v<R>) {
    std::invoke(function, pass<P>(std::get<i>(stored))...);
  } else if constexpr (!sendable<Value>) {
    static_cast<void>(std::invoke(function, pass<P>(std::get<i>(stored))...));
  } else {
    const auto& value = std::invoke(function, pass<P>(std::get<i>(stored))...);
    if (result == nullptr) return;
    if constexpr (std::is_same_v<std::remove_cvref_t<R>, Value>)
      encode(*result, value);
    else
      encode(*result, Value(value.begin(), value.end()));
  }
}

/// What a descriptor needs to know of a task.
template <class F, class Shape>
struct Call;

template <class F, class R, class... P, class... Stored>
struct Call<F, CallShape<R, TypeList<P...>, TypeList<Stored...>>> {
  using Shape = CallShape<R, TypeList<P...>, TypeList<Stored...>>;
  using Values = std::tuple<Stored...>;
  using Indices = std::index_sequence_for<Stored...>;

  static void run(const void* function, Decoder& arguments, Encoder* result) {
    run_with(read_function(function, arguments), arguments, result, Indices());
  }

  static constexpr std::uint64_t signature() {
    std::uint64_t hash = call_signature<void, Stored...>();
    if constexpr (!is_stateless<F> && !is_function_pointer<F>) hash = mix(hash, fingerprint<F>());
    if constexpr (!std::is_void_v<R>) {
      if constexpr (sendable<StoredResult<R>>) hash = mix(hash, fingerprint<StoredResult<R>>());
    }
    return hash;
  }

  static F read_function(const void* function, [[maybe_unused]] Decoder& arguments) {
    if constexpr (is_function_pointer<F>) {
      return reinterpret_cast<F>(const_cast<void*>(function));
    } else if constexpr (is_stateless<F>) {
      return F();
    } else {
      return decode<F>(arguments);
    }
  }

 private:
  template <std::size_t... i>
  static void run_with(F function, [[maybe_unused]] Decoder& arguments, Encoder* result,
                       std::index_sequence<i...>) {
    Values stored{decode<Stored>(arguments, i + 1)...};
    call(function, Shape(), stored, Indices(), result);
  }
};

template <class Call>
MULTIPROCESSING_HIDDEN inline constexpr TaskDescriptor task_descriptor = {task_magic, Call::signature(),
                                                                          &Call::run};

/// A task that can travel. F is a TargetType.
template <class F, class Shape>
class StoredTask final : public Task {
  using Call = detail::Call<F, Shape>;
  using Values = typename Call::Values;

 public:
  StoredTask(F function, Values values) : function_(std::move(function)), values_(std::move(values)) {}

  [[nodiscard]] Target target() const noexcept override {
    if constexpr (is_function_pointer<F>) {
      return {&task_descriptor<Call>, reinterpret_cast<const void*>(function_)};
    } else {
      return {&task_descriptor<Call>, nullptr};
    }
  }
  void encode(Encoder& encoder) const override {
    if constexpr (!is_stateless<F> && !is_function_pointer<F>) detail::encode(encoder, function_);
    std::size_t index = 0;
    std::apply([&](const auto&... value) { (detail::encode(encoder, value, ++index), ...); }, values_);
  }
  void run(Encoder* result) override { call(function_, Shape(), values_, typename Call::Indices(), result); }

 private:
  F function_;
  Values values_;
};

/// A task for this process and its forked children.
template <class F, class Shape>
class LocalTask;

template <class F, class R, class Parameters, class... Stored>
class LocalTask<F, CallShape<R, Parameters, TypeList<Stored...>>> final : public Task {
  using Shape = CallShape<R, Parameters, TypeList<Stored...>>;
  using Values = std::tuple<Stored...>;

 public:
  LocalTask(F function, Values values) : function_(std::move(function)), values_(std::move(values)) {}

  [[nodiscard]] Target target() const noexcept override { return {}; }
  void encode(Encoder& encoder) const override {
    encoder.set_subject({type_name<F>(), 0});
    encoder.fail("it was made for a forked child");
  }
  void run(Encoder* result) override {
    call(function_, Shape(), values_, std::index_sequence_for<Stored...>(), result);
  }
  [[nodiscard]] bool portable() const noexcept override { return false; }

 private:
  F function_;
  Values values_;
};

// --- making ---

template <class F>
void require_function(const F& function) {
  if constexpr (is_function_pointer<F>) {
    if (function == nullptr) throw ValueError("the target is a null function pointer");
  }
}

template <template <class, class> class TaskClass, class F, class R, class... P, class... Stored, class G,
          class... Args>
std::unique_ptr<Task> store_task(CallShape<R, TypeList<P...>, TypeList<Stored...>> shape, G&& function,
                                 Args&&... args) {
  F stored_function = std::forward<G>(function);
  require_function(stored_function);
  return std::make_unique<TaskClass<F, decltype(shape)>>(
      std::move(stored_function), std::tuple<Stored...>(store<P, Stored>(std::forward<Args>(args))...));
}

/// A task that can run in any process of this build. Throws ValueError if f is a null pointer. With
/// WithResult its result must be able to travel.
template <bool WithResult, class F, class... Args>
std::unique_ptr<Task> make_task(F&& f, Args&&... args) {
  using Function = TargetType<F>;
  using Shape = ShapeFor<Function, Args...>;
  if constexpr (call_travels<WithResult, Function, Shape, Args...>()) {
    return store_task<StoredTask, Function>(Shape(), std::forward<F>(f), std::forward<Args>(args)...);
  } else {
    explain_call<WithResult, Function, Shape, Args...>();
    return nullptr;
  }
}

/// A task for this process and its forked children, where nothing needs to travel.
template <class F, class... Args>
std::unique_ptr<Task> make_local_task(F&& f, Args&&... args) {
  using Function = TargetType<F>;
  using Shape = LocalShapeFor<Function, Args...>;
  if constexpr (local_call_works<Function, Shape, Args...>()) {
    return store_task<LocalTask, Function>(Shape(), std::forward<F>(f), std::forward<Args>(args)...);
  } else {
    explain_local_call<Function, Shape, Args...>();
    return nullptr;
  }
}

// --- results ---

template <class F, class... Args>
struct TaskResult {
  using type = StoredResult<typename ShapeFor<TargetType<F>, Args...>::Result>;
};
/// What the caller of f(args...) in another process gets: a value.
template <class F, class... Args>
using task_result_t = typename TaskResult<F, Args...>::type;

/// Reads what a task wrote as its result.
template <class R>
R decode_result(std::span<const std::byte> bytes) {
  Decoder decoder(bytes);
  if constexpr (std::is_void_v<R>) {
    decoder.expect_end();
  } else {
    R value = decode<R>(decoder);
    decoder.expect_end();
    return value;
  }
}

// --- targets that are known by name ---

/// The target that a task has whose function is V: a function, a member of a class, a captureless lambda.
template <auto V>
Target target_of() {
  using F = TargetType<decltype(V)>;
  if constexpr (std::is_member_pointer_v<F>) {
    return target_of<Fn<V>{}>();
  } else {
    static_assert(!std::is_same_v<SignatureFor<F>, Generic>, "a generic callable has no one target");
    const TaskDescriptor* descriptor = &task_descriptor<Call<F, ShapeFor<F>>>;
    if constexpr (is_function_pointer<F>) {
      return {descriptor, reinterpret_cast<const void*>(V)};
    } else {
      return {descriptor, nullptr};
    }
  }
}

// --- objects that are made in the other process ---

template <class D>
std::unique_ptr<D> make_for_child() {
  static_assert(
      MadeByAccess<D>,
      "the child must be able to make the object: give the class a default constructor (it may be private, "
      "with friend class multiprocessing::access)");
  return access::make_unique<D>();
}

/// The one base class Base<D> that D is written over.
template <template <class> class Base, class D>
auto base_over(const Base<D>*) -> Type<Base<D>>;
/// D adds no data to its base.
template <class D>
concept AddsNothing = requires(const D* object) {
  requires sizeof(typename decltype(base_over(object))::type) == sizeof(D);
};

/// Writes D's members with its own serialize(). A class without members needs none.
template <class D>
void encode_object(Encoder& encoder, const D& object) {
  static_assert(SerializedByItself<D> || AddsNothing<D>,
                "give the class serialize(), so that its members travel");
  if constexpr (SerializedByItself<D>) encode(encoder, object);
}
template <class D>
void decode_object(Decoder& decoder, D& object) {
  if constexpr (SerializedByItself<D>) decode_into(decoder, object);
}

template <class D>
void run_object(const void*, Decoder& members, Encoder*) {
  const std::unique_ptr<D> object = make_for_child<D>();
  decode_object(members, *object);
  object->run();
}

template <class D>
MULTIPROCESSING_HIDDEN inline constexpr TaskDescriptor object_descriptor = {
    task_magic, mix(mix(first_hash, 0x6f), SerializedByItself<D> ? 1 : 0), &run_object<D>};

}  // namespace multiprocessing::detail
