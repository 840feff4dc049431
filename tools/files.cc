#include "tools/files.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>

#include "absl/strings/str_cat.h"

namespace mgec {
namespace {

absl::Status SystemError(absl::string_view what, const std::string& path) {
  return absl::UnavailableError(absl::StrCat("cannot ", what, " ", path, ": ", std::strerror(errno)));
}

class Fd {
 public:
  explicit Fd(int fd) : fd_(fd) {}
  ~Fd() {
    if (fd_ >= 0) close(fd_);
  }
  Fd(const Fd&) = delete;
  Fd& operator=(const Fd&) = delete;
  int get() const { return fd_; }
  // Closes and says whether that worked: late write errors are reported here.
  bool Close() {
    const int fd = fd_;
    fd_ = -1;
    return close(fd) == 0;
  }

 private:
  int fd_;
};

bool WriteAll(int fd, absl::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t n = write(fd, bytes.data(), bytes.size());
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return false;
    bytes.remove_prefix(static_cast<size_t>(n));
  }
  return true;
}

}  // namespace

absl::StatusOr<std::string> ReadFile(const std::string& path) {
  // O_NONBLOCK: a pipe is refused, not waited for. It means nothing to files.
  Fd fd(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (fd.get() < 0) return SystemError("open", path);
  struct stat info;
  if (fstat(fd.get(), &info) != 0) return SystemError("read", path);
  if (!S_ISREG(info.st_mode)) return absl::InvalidArgumentError(absl::StrCat(path, " is not a file"));
  if (info.st_size > (int64_t{64} << 30)) return absl::InvalidArgumentError(absl::StrCat(path, " is over 64 GiB"));
  std::string bytes(static_cast<size_t>(info.st_size), '\0');
  size_t done = 0;
  while (done < bytes.size()) {
    const ssize_t n = read(fd.get(), &bytes[done], bytes.size() - done);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return SystemError("read", path);
    if (n == 0) break;
    done += static_cast<size_t>(n);
  }
  bytes.resize(done);
  return bytes;
}

absl::Status WriteFileAtomically(const std::string& path, absl::string_view bytes) {
  struct stat info;
  const bool exists = stat(path.c_str(), &info) == 0;
  // A device or a pipe, such as /dev/null, is written to: a file in its place would be the end of it.
  if (exists && !S_ISREG(info.st_mode) && !S_ISDIR(info.st_mode)) {
    Fd fd(open(path.c_str(), O_WRONLY | O_CLOEXEC));
    if (fd.get() < 0 || !WriteAll(fd.get(), bytes) || !fd.Close()) return SystemError("write", path);
    return absl::OkStatus();
  }
  // Of a link, what it points to is replaced.
  std::string target = path;
  if (char* resolved = exists ? realpath(path.c_str(), nullptr) : nullptr; resolved != nullptr) {
    target = resolved;
    std::free(resolved);
  }
  std::string temporary = target + ".XXXXXX";
  Fd fd(mkstemp(temporary.data()));
  if (fd.get() < 0) return SystemError("write", path);
  const mode_t mask = umask(0);
  umask(mask);
  const bool written = WriteAll(fd.get(), bytes) && fchmod(fd.get(), 0666 & ~mask) == 0 && fsync(fd.get()) == 0 &&
                       fd.Close() && rename(temporary.c_str(), target.c_str()) == 0;
  if (written) return absl::OkStatus();
  const absl::Status status = SystemError("write", path);
  unlink(temporary.c_str());
  return status;
}

}  // namespace mgec
