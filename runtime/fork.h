// Tells a child process that it is one: threads that its parent had are not there.
#ifndef MGEC_RUNTIME_FORK_H_
#define MGEC_RUNTIME_FORK_H_

#include <cstdint>

namespace mgec {

// How many fork()s, since the first call, lie between the process that made it and this one. Costs a load.
uint32_t ForkCount();

}  // namespace mgec

#endif  // MGEC_RUNTIME_FORK_H_
