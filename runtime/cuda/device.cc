#include "runtime/cuda/device.h"

#include <cstring>
#include <utility>

#include "runtime/fork.h"

namespace mgec::cuda {
namespace {

Pointer Address(const void* memory) { return reinterpret_cast<uintptr_t>(memory); }

// The devices of the process. Never destroyed: at exit the driver may have gone before.
struct Registry {
  std::mutex mutex;
  std::map<int, std::shared_ptr<Device>> devices;
  std::map<int, std::weak_ptr<Device>> lost;  // still in use somewhere
};

Registry& Devices() {
  static Registry* const registry = new Registry;
  return *registry;
}

}  // namespace

Stream::~Stream() {
  if (handle_ == nullptr) return;
  const Device::Scope scope(*device_);
  if (scope.status().ok()) device_->driver().cuStreamDestroy_v2(handle_);
}

Device::Scope::Scope(const Device& device) : device_(device) {
  if (device.forks_ != ForkCount()) {
    status_ = Status(StatusCode::kUnsupported,
                     "a GPU cannot be used in a process that was forked from one that used it: fork before, or start the "
                     "process with exec()");
    return;
  }
  status_ = device.Check(device.driver_->cuCtxPushCurrent_v2(device.context_), "use the context");
}

Device::Scope::~Scope() {
  Context context;
  if (status_.ok()) device_.driver_->cuCtxPopCurrent_v2(&context);
}

int Device::Count() {
  const Result<const Driver*> driver = Driver::Get();
  return driver.ok() ? driver.value()->devices() : 0;
}

Result<std::shared_ptr<Device>> Device::Open(int id) {
  const Result<const Driver*> driver = Driver::Get();
  if (!driver.ok()) return driver.status();
  if (id < 0 || id >= driver.value()->devices()) {
    return Status(StatusCode::kInvalidArgument,
                  Format("request gpu%d out of valid range [0, %d)", id, driver.value()->devices()));
  }
  Registry& registry = Devices();
  const std::lock_guard<std::mutex> lock(registry.mutex);
  std::shared_ptr<Device>& device = registry.devices[id];
  if (device != nullptr && !device->lost()) return device;
  if (device != nullptr) {
    registry.lost[id] = device;
    device.reset();  // if nobody else has it, its context goes now
  }
  if (!registry.lost[id].expired()) {
    return Status(StatusCode::kDeviceFailed,
                  Format("gpu%d has failed: let go of all networks and tensors on it before it is used again", id));
  }
  std::shared_ptr<Device> opened(new Device(driver.value(), id));
  MGEC_RETURN_IF_ERROR(opened->Initialize());
  device = opened;
  return opened;
}

Status Device::Initialize() {
  forks_ = ForkCount();
  const Driver& d = *driver_;
  int major = 0, minor = 0;
  char name[256] = "";
  MGEC_RETURN_IF_ERROR(Check(d.cuDeviceGet(&handle_, id_), "find the device"));
  MGEC_RETURN_IF_ERROR(Check(d.cuDeviceGetName(name, sizeof(name), handle_), "ask for the device's name"));
  MGEC_RETURN_IF_ERROR(
      Check(d.cuDeviceGetAttribute(&major, kComputeCapabilityMajor, handle_), "ask for the device's architecture"));
  MGEC_RETURN_IF_ERROR(
      Check(d.cuDeviceGetAttribute(&minor, kComputeCapabilityMinor, handle_), "ask for the device's architecture"));
  name_ = name;
  architecture_ = 10 * major + minor;
  return Check(d.cuDevicePrimaryCtxRetain(&context_, handle_), "make a context");
}

Device::~Device() {
  if (context_ != nullptr && forks_ == ForkCount()) driver_->cuDevicePrimaryCtxRelease_v2(handle_);
}

Status Device::Check(Error error, const char* what) const {
  if (error == kSuccess) return Status();
  NoteLoss(error);
  const Status status = driver_->Check(error, what);
  return Status(status.code(), Format("gpu%d%s%s: ", id_, name_.empty() ? "" : " ", name_.c_str()) + status.message());
}

Result<std::shared_ptr<Buffer>> Device::AllocateMemory(size_t size, std::shared_ptr<Allocator> allocator) {
  const Scope scope(*this);
  MGEC_RETURN_IF_ERROR(scope.status());
  const size_t bytes = size > 0 ? size : 1;
  Result<std::shared_ptr<void>> memory = allocator == nullptr ? AllocateFromDriver(bytes) : AllocateFromUser(bytes, allocator);
  if (!memory.ok()) return memory.status();
  void* const data = memory.value().get();
  MGEC_RETURN_IF_ERROR(Check(driver_->cuMemsetD8_v2(Address(data), 0, bytes), "clear memory"));
  MGEC_RETURN_IF_ERROR(Check(driver_->cuCtxSynchronize(), "clear memory"));
  return Buffer::Wrap(data, size, std::move(memory.value()), MemoryKind::kDevice, shared_from_this());
}

// What owns memory does not keep the device: the Buffer does.
Result<std::shared_ptr<void>> Device::AllocateFromDriver(size_t size) {
  Pointer memory = 0;
  MGEC_RETURN_IF_ERROR(Check(driver_->cuMemAlloc_v2(&memory, size), Format("allocate %zu bytes", size).c_str()));
  return std::shared_ptr<void>(reinterpret_cast<void*>(memory), [this](void* m) { Free(Address(m)); });
}

Result<std::shared_ptr<void>> Device::AllocateFromUser(size_t size, const std::shared_ptr<Allocator>& allocator) {
  const Result<void*> memory = AllocateFrom(*allocator, id_, size, kMemoryAlignment);
  if (!memory.ok()) return memory.status();
  std::shared_ptr<void> owner(memory.value(), [this, allocator](void* m) {
    if (forks_ != ForkCount()) return;  // it is the parent's
    const Scope scope(*this);
    // The allocator may give it to others at once.
    if (scope.status().ok()) WaitToFree();
    allocator->Free(id_, m);
  });
  const Status status = CheckOnDevice(owner.get());
  if (!status.ok()) return Status(status.code(), "the memory allocator of the network failed: " + status.message());
  return owner;
}

// Error: memory of something else.
Status Device::CheckOnDevice(const void* memory) const {
  unsigned type = 0;
  int ordinal = -1;
  Error error = driver_->cuPointerGetAttribute(&type, kPointerMemoryType, Address(memory));
  if (error == kSuccess) error = driver_->cuPointerGetAttribute(&ordinal, kPointerDeviceOrdinal, Address(memory));
  if (error == kSuccess && type == kDeviceMemory && ordinal == id_) return Status();
  if (Driver::Fatal(error)) return Check(error, "ask where memory is");
  return Status(StatusCode::kInvalidArgument, Format("the memory given, %p, is not on gpu%d", memory, id_));
}

Result<std::shared_ptr<Buffer>> Device::AllocatePinned(size_t size) {
  const Scope scope(*this);
  MGEC_RETURN_IF_ERROR(scope.status());
  void* memory = nullptr;
  const size_t bytes = size > 0 ? size : 1;
  MGEC_RETURN_IF_ERROR(Check(driver_->cuMemHostAlloc(&memory, bytes, kHostAllocPortable),
                             Format("allocate %zu pinned bytes", bytes).c_str()));
  std::memset(memory, 0, bytes);
  std::shared_ptr<void> owner(memory, [this](void* m) { FreePinned(m); });
  return Buffer::Wrap(memory, size, std::move(owner), MemoryKind::kPinned, shared_from_this());
}

Result<std::shared_ptr<Buffer>> Device::WrapMemory(void* data, size_t size, std::shared_ptr<void> owner) {
  const Scope scope(*this);
  MGEC_RETURN_IF_ERROR(scope.status());
  MGEC_RETURN_IF_ERROR(CheckOnDevice(data));
  return Buffer::Wrap(data, size, std::move(owner), MemoryKind::kDevice, shared_from_this());
}

// Before memory goes: the driver waits for the work that uses it, but does not promise to. Nobody is told here of work that has
// failed; who opens the GPU next gets a new context.
void Device::WaitToFree() const { NoteLoss(driver_->cuCtxSynchronize()); }

void Device::Free(Pointer memory) const {
  const Scope scope(*this);
  if (!scope.status().ok()) return;
  WaitToFree();
  driver_->cuMemFree_v2(memory);
}

void Device::FreePinned(void* memory) const {
  const Scope scope(*this);
  if (!scope.status().ok()) return;
  WaitToFree();
  driver_->cuMemFreeHost(memory);
}

Status Device::Synchronize() {
  const Scope scope(*this);
  MGEC_RETURN_IF_ERROR(scope.status());
  return Check(driver_->cuCtxSynchronize(), "finish earlier work");
}

Status Device::CopyToDevice(void* to, const void* from, size_t size) {
  return CopyRows(to, MemoryKind::kDevice, size, from, MemoryKind::kHost, size, size, 1);
}

Status Device::CopyToHost(void* to, const void* from, size_t size) {
  return CopyRows(to, MemoryKind::kHost, size, from, MemoryKind::kDevice, size, size, 1);
}

// Waits before, because streams are not ordered with the driver's copies, and after, because those may return early.
Status Device::CopyRows(void* to, MemoryKind to_kind, size_t to_pitch, const void* from, MemoryKind from_kind,
                        size_t from_pitch, size_t width, size_t rows) {
  if (width == 0 || rows == 0) return Status();
  const Scope scope(*this);
  MGEC_RETURN_IF_ERROR(scope.status());
  const Driver& d = *driver_;
  MGEC_RETURN_IF_ERROR(Check(d.cuCtxSynchronize(), "finish earlier work"));
  const bool from_device = from_kind == MemoryKind::kDevice, to_device = to_kind == MemoryKind::kDevice;
  Error error;
  if (rows > 1 && (to_pitch != width || from_pitch != width)) {
    Copy2D copy;
    copy.source_type = from_device ? kDeviceMemory : kHostMemory;
    copy.source_host = from_device ? nullptr : from;
    copy.source_device = from_device ? Address(from) : 0;
    copy.source_pitch = from_pitch;
    copy.destination_type = to_device ? kDeviceMemory : kHostMemory;
    copy.destination_host = to_device ? nullptr : to;
    copy.destination_device = to_device ? Address(to) : 0;
    copy.destination_pitch = to_pitch;
    copy.width = width;
    copy.height = rows;
    error = d.cuMemcpy2DUnaligned_v2(&copy);
  } else if (from_device && to_device) {
    error = d.cuMemcpyDtoD_v2(Address(to), Address(from), width * rows);
  } else if (to_device) {
    error = d.cuMemcpyHtoD_v2(Address(to), from, width * rows);
  } else {
    error = d.cuMemcpyDtoH_v2(to, Address(from), width * rows);
  }
  MGEC_RETURN_IF_ERROR(Check(error, "copy memory"));
  return Check(d.cuCtxSynchronize(), "copy memory");
}

// Where it cannot, or the system has no more such connections, copies take longer and are right still.
void Device::ReachMemoryOf(const Device& other) {
  const std::lock_guard<std::mutex> lock(mutex_);
  if (!reached_.insert(other.context_).second) return;
  int can = 0;
  if (driver_->cuDeviceCanAccessPeer(&can, handle_, other.handle_) == kSuccess && can != 0) {
    driver_->cuCtxEnablePeerAccess(other.context_, 0);
  }
}

Status Device::CopyRowsFrom(Device& source, void* to, size_t to_pitch, const void* from, size_t from_pitch, size_t width,
                            size_t rows) {
  if (width == 0 || rows == 0) return Status();
  MGEC_RETURN_IF_ERROR(source.Synchronize());
  {
    const Scope scope(*this);
    MGEC_RETURN_IF_ERROR(scope.status());
    MGEC_RETURN_IF_ERROR(Check(driver_->cuCtxSynchronize(), "finish earlier work"));
    ReachMemoryOf(source);
    Copy3D copy;
    copy.source_type = copy.destination_type = kDeviceMemory;
    copy.source_context = source.context_;
    copy.source_device = Address(from);
    copy.source_pitch = from_pitch;
    copy.destination_context = context_;
    copy.destination_device = Address(to);
    copy.destination_pitch = to_pitch;
    copy.width = width;
    copy.height = rows;
    copy.depth = 1;
    MGEC_RETURN_IF_ERROR(Check(driver_->cuMemcpy3DPeer(&copy), "copy memory of another GPU"));
    MGEC_RETURN_IF_ERROR(Check(driver_->cuCtxSynchronize(), "copy memory of another GPU"));
  }
  return source.Synchronize();
}

Status Device::ZeroRows(void* memory, size_t pitch, size_t width, size_t rows) {
  if (width == 0 || rows == 0) return Status();
  const Scope scope(*this);
  MGEC_RETURN_IF_ERROR(scope.status());
  MGEC_RETURN_IF_ERROR(Check(driver_->cuCtxSynchronize(), "finish earlier work"));
  const Error error = rows == 1 || pitch == width
                          ? driver_->cuMemsetD8_v2(Address(memory), 0, width * rows)
                          : driver_->cuMemsetD2D8_v2(Address(memory), pitch, 0, width, rows);
  MGEC_RETURN_IF_ERROR(Check(error, "clear memory"));
  return Check(driver_->cuCtxSynchronize(), "clear memory");
}

Result<std::shared_ptr<Stream>> Device::OpenStream(int number) {
  const std::lock_guard<std::mutex> lock(mutex_);
  std::shared_ptr<Stream> stream = streams_[number].lock();
  if (stream != nullptr) return stream;
  const Scope scope(*this);
  MGEC_RETURN_IF_ERROR(scope.status());
  stream.reset(new Stream);
  stream->device_ = shared_from_this();
  MGEC_RETURN_IF_ERROR(Check(driver_->cuStreamCreate(&stream->handle_, kStreamNonBlocking), "make a stream"));
  streams_[number] = stream;
  return stream;
}

}  // namespace mgec::cuda
