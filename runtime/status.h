// Success or an error with a message for people. The runtime throws no exceptions; everything that can fail returns a
// Status or a Result.
//
//   Result<std::shared_ptr<const Artifact>> artifact = Artifact::Open("model.mgec");
//   if (!artifact.ok()) return artifact.status();
//   Use(*artifact.value());
#ifndef MGEC_RUNTIME_STATUS_H_
#define MGEC_RUNTIME_STATUS_H_

#include <string>
#include <utility>

namespace mgec {

enum class StatusCode {
  kOk = 0,
  kInvalidArgument,    // the caller asked for something that makes no sense
  kNotFound,           // no such file, input or output
  kDataLoss,           // the file is damaged or not an artifact
  kUnsupported,        // a sound request that this artifact, machine or version cannot serve
  kResourceExhausted,  // the system or a GPU refused memory or threads
  kDeviceFailed,       // a GPU failed at its work
};

class [[nodiscard]] Status {
 public:
  Status() = default;
  Status(StatusCode code, std::string message) : code_(code), message_(std::move(message)) {}

  bool ok() const { return code_ == StatusCode::kOk; }
  StatusCode code() const { return code_; }
  const std::string& message() const { return message_; }

 private:
  StatusCode code_ = StatusCode::kOk;
  std::string message_;
};

// A T, or the error that kept it from being made. T needs a default constructor.
template <typename T>
class [[nodiscard]] Result {
 public:
  Result(T value) : value_(std::move(value)) {}                 // NOLINT: converts on purpose
  Result(Status status) : status_(std::move(status)) {}         // NOLINT: converts on purpose

  bool ok() const { return status_.ok(); }
  const Status& status() const { return status_; }
  // Meaningful only if ok().
  T& value() { return value_; }
  const T& value() const { return value_; }

 private:
  Status status_;
  T value_{};
};

// A string made as printf() would print it.
std::string Format(const char* format, ...) __attribute__((format(printf, 1, 2)));

#define MGEC_RETURN_IF_ERROR(expression)                \
  do {                                                  \
    ::mgec::Status mgec_status = (expression);          \
    if (!mgec_status.ok()) return mgec_status;          \
  } while (0)

}  // namespace mgec

#endif  // MGEC_RUNTIME_STATUS_H_
