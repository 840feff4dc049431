// Errors of the C++ interface. It is inline over the C interface (lite-c/): nothing of the C++ library crosses into the
// shared library, so any compiler and C++ library may be used, from C++14 on.
#ifndef LITE_ERROR_H_
#define LITE_ERROR_H_

#include <exception>
#include <string>
#include <utility>

#include "../lite-c/global_c.h"

namespace lite {

// What every function here throws. what() is the text of LITE_get_last_error().
class Error : public std::exception {
 public:
  explicit Error(std::string message) : message_(std::move(message)) {}
  const char* what() const noexcept override { return message_.c_str(); }

 private:
  std::string message_;
};

namespace detail {

// Throws unless `result`, of a C function, is 0.
inline void Check(int result) {
  if (result != 0) throw Error(LITE_get_last_error());
}

}  // namespace detail
}  // namespace lite

#endif  // LITE_ERROR_H_
