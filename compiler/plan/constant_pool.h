// The constants section of an artifact: packed weights and tables, equal ones stored once.
#ifndef MGEC_COMPILER_PLAN_CONSTANT_POOL_H_
#define MGEC_COMPILER_PLAN_CONSTANT_POOL_H_

#include <cstdint>
#include <string>
#include <unordered_map>
#include <vector>

namespace mgec::plan {

class ConstantPool {
 public:
  // Byte offset of `data` in the section, a multiple of 64. Equal data gets the same offset.
  int64_t Add(const std::string& data);
  const std::string& bytes() const { return bytes_; }

 private:
  std::string bytes_;
  std::unordered_multimap<size_t, std::pair<int64_t, int64_t>> by_hash_;  // hash -> (offset, size)
};

}  // namespace mgec::plan

#endif  // MGEC_COMPILER_PLAN_CONSTANT_POOL_H_
