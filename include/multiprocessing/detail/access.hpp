// The friend that lets the library call private serialize functions and private default constructors.
#pragma once

#include <memory>

namespace multiprocessing {

/// `friend class multiprocessing::access;` inside a class gives the library its private `serialize`,
/// `save`, `load` and default constructor. `friend class cereal::access;` does too.
class access {
 public:
  template <class Archive, class T>
  static auto serialize(Archive& archive, T& value) -> decltype(value.serialize(archive)) {
    return value.serialize(archive);
  }
  template <class Archive, class T>
  static auto save(Archive& archive, const T& value) -> decltype(value.save(archive)) {
    return value.save(archive);
  }
  template <class Archive, class T>
  static auto load(Archive& archive, T& value) -> decltype(value.load(archive)) {
    return value.load(archive);
  }
  template <class Archive, class T>
  static auto save_minimal(const Archive& archive, const T& value) -> decltype(value.save_minimal(archive)) {
    return value.save_minimal(archive);
  }
  template <class Archive, class T, class Minimal>
  static auto load_minimal(const Archive& archive, T& value, const Minimal& minimal)
      -> decltype(value.load_minimal(archive, minimal)) {
    return value.load_minimal(archive, minimal);
  }

  /// A shareable handle: its copy for another process, while the caller keeps his.
  template <class T>
  static auto share(const T& value) -> decltype(value.share()) {
    return value.share();
  }
  template <class Encoder, class T>
  static auto encode(Encoder& encoder, const T& value) -> decltype(value.encode(encoder)) {
    return value.encode(encoder);
  }
  template <class T, class Decoder>
  static auto decode(Decoder& decoder) -> decltype(T::decode(decoder)) {
    return T::decode(decoder);
  }

  template <class T>
  static auto make() -> decltype(T()) {
    return T();
  }
  template <class T>
  static auto make_unique() -> decltype(T(), std::unique_ptr<T>()) {
    return std::unique_ptr<T>(new T());
  }
};

}  // namespace multiprocessing
