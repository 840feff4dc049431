// A GPU: its context, its memory, and its streams.
//
//   Result<std::shared_ptr<cuda::Device>> gpu = cuda::Device::Open(0);
//   if (!gpu.ok()) return gpu.status();  // no driver, no GPU, no such number
//   Result<std::shared_ptr<Buffer>> memory = gpu.value()->AllocateMemory(1024);
//   MGEC_RETURN_IF_ERROR(gpu.value()->CopyToDevice(memory.value()->data(), values, 1024));
#ifndef MGEC_RUNTIME_CUDA_DEVICE_H_
#define MGEC_RUNTIME_CUDA_DEVICE_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>

#include "runtime/buffer.h"
#include "runtime/cuda/driver.h"
#include "runtime/status.h"

namespace mgec::cuda {

class Device;

// A queue of work for a GPU, which does it in order.
class Stream {
 public:
  ~Stream();
  StreamHandle handle() const { return handle_; }

 private:
  friend class Device;
  Stream() = default;
  std::shared_ptr<Device> device_;
  StreamHandle handle_ = nullptr;
};

// Any thread may call any method. What the methods do to memory is done when they return, and begins when all work that was
// given to the GPU before is done.
class Device : public std::enable_shared_from_this<Device> {
 public:
  // GPU number `id`, from 0 on. Its primary context, which other libraries of the process use, too, is kept until the process
  // ends: making one takes long. A GPU that has failed gets a new one after everything that uses the old one has gone.
  // Errors: those of Driver::Get(); a number out of range; a GPU that is lost.
  static Result<std::shared_ptr<Device>> Open(int id);

  // How many GPUs there are. 0 also where there is no driver.
  static int Count();

  ~Device();
  Device(const Device&) = delete;
  Device& operator=(const Device&) = delete;

  int id() const { return id_; }
  const std::string& name() const { return name_; }
  // Its compute capability: 80 stands for 8.0.
  int architecture() const { return architecture_; }
  const Driver& driver() const { return *driver_; }
  Context context() const { return context_; }

  // Makes the context current for a block. Functions of the driver work in it, if ok().
  class Scope {
   public:
    explicit Scope(const Device& device);
    ~Scope();
    Scope(const Scope&) = delete;
    Scope& operator=(const Scope&) = delete;
    const Status& status() const { return status_; }

   private:
    const Device& device_;
    Status status_;
  };

  // As Driver::Check(), naming the GPU. Remembers errors after which nothing works any more.
  Status Check(Error error, const char* what) const;
  bool lost() const { return lost_; }

  // New memory, zero filled, aligned to kMemoryAlignment: from the driver or, if not null, from a user's allocator. Errors:
  // kResourceExhausted; memory from the allocator that is not this GPU's.
  static constexpr size_t kMemoryAlignment = 256;
  Result<std::shared_ptr<Buffer>> AllocateMemory(size_t size, std::shared_ptr<Allocator> allocator = nullptr);
  // From the driver, of the CPU, for copies that it need not wait for.
  Result<std::shared_ptr<Buffer>> AllocatePinned(size_t size);
  // Memory on this GPU that somebody else owns and that outlives the Buffer, unless `owner` keeps it. Error: it is not.
  Result<std::shared_ptr<Buffer>> WrapMemory(void* data, size_t size, std::shared_ptr<void> owner);

  Status CopyToDevice(void* to, const void* from, size_t size);
  Status CopyToHost(void* to, const void* from, size_t size);
  // `rows` rows of `width` bytes, each `pitch` bytes (at least the width) after the one before. Sides are told apart by kind.
  Status CopyRows(void* to, MemoryKind to_kind, size_t to_pitch, const void* from, MemoryKind from_kind, size_t from_pitch,
                  size_t width, size_t rows);
  // The same from memory of another GPU to memory of this one: directly where the two can reach each other's memory; elsewhere the
  // driver passes it through the CPU.
  Status CopyRowsFrom(Device& source, void* to, size_t to_pitch, const void* from, size_t from_pitch, size_t width, size_t rows);
  Status ZeroRows(void* memory, size_t pitch, size_t width, size_t rows);
  // Returns when the GPU has done everything that it was given.
  Status Synchronize();

  // Stream number `number`, which all who ask for this number share.
  Result<std::shared_ptr<Stream>> OpenStream(int number);

 private:
  Device(const Driver* driver, int id) : driver_(driver), id_(id) {}
  Status Initialize();
  Result<std::shared_ptr<void>> AllocateFromDriver(size_t size);
  Result<std::shared_ptr<void>> AllocateFromUser(size_t size, const std::shared_ptr<Allocator>& allocator);
  Status CheckOnDevice(const void* memory) const;
  void NoteLoss(Error error) const {
    if (Driver::Fatal(error)) lost_ = true;
  }
  void WaitToFree() const;
  void Free(Pointer memory) const;
  void FreePinned(void* memory) const;
  void ReachMemoryOf(const Device& other);

  const Driver* const driver_;
  const int id_;
  int handle_ = 0;
  int architecture_ = 0;
  std::string name_;
  Context context_ = nullptr;
  uint32_t forks_ = 0;  // of the process that the context belongs to
  mutable std::atomic<bool> lost_{false};
  std::mutex mutex_;
  std::map<int, std::weak_ptr<Stream>> streams_;
  std::set<Context> reached_;  // contexts of other GPUs whose memory this one was told to reach
};

}  // namespace mgec::cuda

#endif  // MGEC_RUNTIME_CUDA_DEVICE_H_
