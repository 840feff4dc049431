#include "compiler/plan/constant_pool.h"

#include <functional>

namespace mgec::plan {

int64_t ConstantPool::Add(const std::string& data) {
  constexpr size_t kAlignment = 64;
  const size_t hash = std::hash<std::string>()(data);
  const auto [begin, end] = by_hash_.equal_range(hash);
  for (auto it = begin; it != end; ++it) {
    const auto [offset, size] = it->second;
    if (size == static_cast<int64_t>(data.size()) && bytes_.compare(offset, size, data) == 0) return offset;
  }
  bytes_.resize((bytes_.size() + kAlignment - 1) / kAlignment * kAlignment);
  const int64_t offset = static_cast<int64_t>(bytes_.size());
  bytes_ += data;
  by_hash_.emplace(hash, std::make_pair(offset, static_cast<int64_t>(data.size())));
  return offset;
}

}  // namespace mgec::plan
