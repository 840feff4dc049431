// Statements and kernels: what a schedule produces and code generators print.
//
// A kernel runs `body` once for every task in the half-open range that the runtime gives it; `task` is the variable that
// holds the number of the task. Statement order is meaningful: schedules emit register tiles in the exact order in which
// the machine should execute them, and code generators keep that order.
//
//   for k in [0, 64) step 1:
//     let b = load w[k * 16] x16
//     acc[0] = fma(broadcast(x[k]), b, acc[0])
#ifndef MGEC_COMPILER_KERNEL_STMT_H_
#define MGEC_COMPILER_KERNEL_STMT_H_

#include <memory>
#include <string>
#include <vector>

#include "compiler/kernel/expr.h"

namespace mgec::kernel {

enum class StmtKind : uint8_t {
  kBlock,     // stmts in order
  kFor,       // for var = begin; var < end; var += step: stmts. The body may run zero times.
  kLet,       // var = value, visible in the statements that follow in the same block
  kStore,     // buffer[index] = value. Vector value: consecutive elements from a scalar index, or a scatter for a
              // vector index. `mask` as in kLoad. Registers: index is a constant.
  kIf,        // if cond (scalar bool): stmts, else: otherwise
  kPrefetch,  // hint that the cache line at buffer[index] is read soon (`near`: at once); any address is allowed
  kBarrier,   // waits until all threads of the task are here; what they wrote to memory before, all see after. Not inside
              // loops and branches on which threads may differ.
  // Copies to shared memory that go on while the thread does something else. GPUs of architecture 80 and later have them
  // (FromArchitecture).
  kCopyAsync,     // begins buffer[index ..] = value, a load of 4, 8 or 16 bytes from an argument, as aligned as it is large. Where
                  // `mask`, a scalar, is off, zeros instead: the load's address may be any then. Until it has been waited for, and
                  // by other threads until the barrier that follows, nobody may touch these elements.
  kCommitCopies,  // makes one group, maybe an empty one, of the copies that the thread has begun since the last time
  kWaitCopies,    // waits until all groups of the thread but the last `pending` are there
};

struct StmtNode;
using Stmt = std::shared_ptr<const StmtNode>;

struct StmtNode {
  StmtKind kind;
  std::vector<Stmt> stmts;      // kBlock, kFor, kIf
  std::vector<Stmt> otherwise;  // kIf
  Var var;                      // kFor, kLet
  Expr begin, end;              // kFor
  int64_t step = 1;             // kFor, positive
  Expr value;                   // kLet, kStore, kCopyAsync
  Buffer buffer;                // kStore, kPrefetch, kCopyAsync
  Expr index;                   // kStore, kPrefetch, kCopyAsync
  Expr mask;                    // kStore, kCopyAsync, may be null
  Expr cond;                    // kIf
  bool near = true;             // kPrefetch: into the first level of the cache rather than the second
  int pending = 0;              // kWaitCopies
};

struct Kernel {
  std::string name;             // unique within a code image; a C identifier
  std::vector<Buffer> arguments;
  Var task;
  int64_t tasks = 1;            // number of tasks of one launch
  std::vector<Stmt> body;
  // On GPUs a task may be done by several threads (a thread block). All run the body; `thread` holds the number of each.
  // 0: by one thread, on GPUs one of its own for each task.
  int threads = 0;  // otherwise a multiple of 32, at most 1024
  Var thread;       // null where threads is 0
  // A GPU's processor need not have several of the tasks at a time: their threads may have all registers that they can use.
  bool few_at_a_time = false;

  // Code generators may rely on task < task_bound(): few classes, so that launches with other numbers share code.
  static constexpr int64_t kFewTasks = int64_t{1} << 24, kMostTasks = int64_t{1} << 32;
  int64_t task_bound() const { return tasks == 1 ? 1 : tasks <= kFewTasks ? kFewTasks : kMostTasks; }
};

// Collects statements in order.
//
//   Block b;
//   Expr x = b.Let("x", Load(in, i, 8));
//   b.For("k", 0, 64, [&](Block& b, Expr k) { b.Store(out, k, x); });
class Block {
 public:
  Expr Let(std::string name, Expr value);
  void Store(const Buffer& b, Expr index, Expr value, Expr mask = nullptr);
  void Set(const Buffer& reg, int64_t i, Expr value);  // a register
  void Prefetch(const Buffer& b, Expr index, bool near = true);
  void For(std::string name, Expr begin, Expr end, int64_t step, const std::function<void(Block&, Expr)>& body);
  void For(std::string name, int64_t begin, int64_t end, const std::function<void(Block&, Expr)>& body);
  void If(Expr cond, const std::function<void(Block&)>& then, const std::function<void(Block&)>& otherwise = nullptr);
  void Barrier();
  void CopyAsync(const Buffer& shared, Expr index, Expr load, Expr mask = nullptr);
  void CommitCopies();
  void WaitCopies(int pending);
  void Append(Stmt s);
  std::vector<Stmt> Take();
  bool empty() const { return stmts_.empty(); }

 private:
  std::vector<Stmt> stmts_;
};

// Human-readable text, one statement a line; what --emit=kernels prints.
std::string ToString(const Kernel& k);
// A canonical text of everything that decides the machine code except the kernel's name: equal text, equal code.
std::string Fingerprint(const Kernel& k);

}  // namespace mgec::kernel

#endif  // MGEC_COMPILER_KERNEL_STMT_H_
