// Everything. One header per part of the library stands beside it.
#pragma once

#include <multiprocessing/bytes.hpp>
#include <multiprocessing/call.hpp>
#include <multiprocessing/connection.hpp>
#include <multiprocessing/context.hpp>
#include <multiprocessing/dummy.hpp>
#include <multiprocessing/duration.hpp>
#include <multiprocessing/errors.hpp>
#include <multiprocessing/fn.hpp>
#include <multiprocessing/freeze_support.hpp>
#include <multiprocessing/futures.hpp>
#include <multiprocessing/listener.hpp>
#include <multiprocessing/logging.hpp>
#include <multiprocessing/native_handle.hpp>
#include <multiprocessing/pool.hpp>
#include <multiprocessing/process.hpp>
#include <multiprocessing/progress.hpp>
#include <multiprocessing/spawn.hpp>
#include <multiprocessing/stop_token.hpp>
#include <multiprocessing/task.hpp>
#include <multiprocessing/timeout.hpp>
#include <multiprocessing/wait.hpp>
