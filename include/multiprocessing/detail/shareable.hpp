// What makes a class a handle that processes share; apart, so that such a class needs nothing else for it.
#pragma once

namespace multiprocessing::detail {

/// Base of the classes that are handles onto something shared (Connection, Queue, Lock …). Such a class has
/// `void encode(Encoder&) const` and `static T decode(Decoder&)`, private ones with `friend class access`,
/// and `T share() const` if it cannot be copied.
struct Shareable {};

/// Base of those that take a handle of the system along. It travels with a start or a message; a pool's task
/// may be run again, and a handle travels once.
struct BearsHandle : Shareable {};

}  // namespace multiprocessing::detail
