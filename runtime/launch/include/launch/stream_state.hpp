// What a ByteStream owns.
#pragma once

#include "contract/channel.hpp"

namespace multiprocessing::detail {

class StreamState {
 public:
  StreamState(platform::Channel end, bool to_child) noexcept : channel(std::move(end)), writes(to_child) {}
  platform::Channel channel;
  const bool writes;  ///< the parent writes (the child's standard input); else it reads
  // Guarded by the registry's mutex.
  int users = 0;           ///< how many calls are in progress: it stays open under them
  bool abandoned = false;  ///< the program ends: nobody is left to read or write
  bool let_go = false;     ///< its process was closed: no more calls; whose is the last closes it

  void close_once_unused() noexcept {
    let_go = true;
    if (users == 0) channel.close();
  }
};

}  // namespace multiprocessing::detail
