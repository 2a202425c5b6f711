// A caching allocator for CPU tensors. glibc returns every large block to the kernel at once and fetches it again,
// zeroed page by page, for the next operator; a training step frees and allocates the same gigabytes over and over.
// So freed blocks wait in a list for the next tensor of about their size, as in PyTorch's CUDACachingAllocator on GPUs.
// bench/README.md has the measured gain.
#include <c10/core/Allocator.h>
#include <c10/core/CPUAllocator.h>
#include <torch/version.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <mutex>
#include <new>

#ifdef __linux__
#include <malloc.h>
#include <sys/mman.h>
#include <unistd.h>
#endif
#include <climits>

#include "selfsight.h"

namespace selfsight {

namespace {

constexpr size_t alignment = 64;      // of the data, enough for the widest vector units
constexpr size_t hugePage = 2 << 20;  // blocks of this size and more are aligned to huge pages: 512 times fewer page faults

// The header in front of the data. A deleter gets only the pointer to the data.
struct Block {
  size_t capacity;  // bytes after the header
  size_t sizeClass;
  Block* next;
};
static_assert(sizeof(Block) <= alignment);

// Four size classes per doubling: at most a quarter of a block is unused.
size_t classOf(size_t bytes) {
  size_t doubling = 6, capacity = 64;
  while (capacity < bytes) capacity <<= 1, doubling++;
  const size_t quarter = capacity >> 3;  // an eighth of this doubling is a quarter of the one below
  const size_t spare = (capacity - bytes) / std::max<size_t>(quarter, 1);
  return doubling * 4 - std::min<size_t>(spare, 3);
}

size_t capacityOf(size_t sizeClass) {
  const size_t doubling = (sizeClass + 3) / 4;
  return (size_t{1} << doubling) - (doubling * 4 - sizeClass) * ((size_t{1} << doubling) >> 3);
}

#ifdef __linux__
// The least that this machine and the limits of a container leave to the process: past a limit it would be killed.
size_t memoryLimit() {
  size_t least = static_cast<size_t>(sysconf(_SC_PHYS_PAGES)) * static_cast<size_t>(sysconf(_SC_PAGESIZE));
  for (const char* file : {"/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"}) {
    size_t limit = 0;
    if (std::ifstream(file) >> limit) least = std::min(least, limit);  // "max" is no number
  }
  return least;
}
#endif

// Most bytes that may be cached.
size_t quarterOfMemory() {
#ifdef __linux__
  return memoryLimit() / 4;
#else
  return size_t{1} << 31;
#endif
}

class CachingAllocator final : public c10::Allocator {
 public:
#if TORCH_VERSION_MAJOR >= 2
  c10::DataPtr allocate(size_t bytes) override { return take(bytes); }
  void copy_data(void* to, const void* from, size_t bytes) const override { std::memcpy(to, from, bytes); }
#else
  c10::DataPtr allocate(size_t bytes) const override { return const_cast<CachingAllocator*>(this)->take(bytes); }
#endif
  c10::DeleterFnPtr raw_deleter() const override { return deleter; }

 private:
  c10::DataPtr take(size_t bytes);
  void give(Block* block);
  void drop();  // frees the cached blocks, for glibc to reuse; the caller holds the lock
  static void deleter(void* data);

  std::mutex lock_;
  std::array<Block*, 256> free_{};
  size_t cached_ = 0;
  const size_t limit_ = quarterOfMemory();
};

CachingAllocator& shared() {
  static auto* allocator = new CachingAllocator;  // never destroyed: tensors may outlive static destructors
  return *allocator;
}

Block* fresh(size_t capacity) {
  void* memory = nullptr;
  const size_t bytes = capacity + alignment;
  if (posix_memalign(&memory, bytes >= hugePage ? hugePage : alignment, bytes)) return nullptr;
#ifdef __linux__
  if (bytes >= hugePage) madvise(memory, bytes, MADV_HUGEPAGE);
#endif
  return static_cast<Block*>(memory);
}

c10::DataPtr CachingAllocator::take(size_t bytes) {
  if (bytes == 0) return {nullptr, c10::Device(c10::DeviceType::CPU)};
  TORCH_CHECK(bytes < size_t{1} << 47, "cannot allocate ", bytes, " bytes");
  const size_t sizeClass = classOf(bytes);
  Block* block;
  {
    std::lock_guard<std::mutex> guard(lock_);
    block = free_[sizeClass];
    if (block) {
      free_[sizeClass] = block->next;
      cached_ -= block->capacity;
    }
  }
  if (!block) {
    const size_t capacity = capacityOf(sizeClass);
    block = fresh(capacity);
    if (!block) {
      std::lock_guard<std::mutex> guard(lock_);
      drop();
      block = fresh(capacity);
    }
    TORCH_CHECK(block, "out of memory: ", bytes, " bytes more were asked for. A smaller batch or image needs less.");
    block->capacity = capacity;
    block->sizeClass = sizeClass;
  }
  void* data = reinterpret_cast<char*>(block) + alignment;
  return {data, data, deleter, c10::Device(c10::DeviceType::CPU)};
}

void CachingAllocator::give(Block* block) {
  std::lock_guard<std::mutex> guard(lock_);
  block->next = free_[block->sizeClass];
  free_[block->sizeClass] = block;
  cached_ += block->capacity;
  if (cached_ > limit_) drop();
}

void CachingAllocator::drop() {
  for (Block*& list : free_) {
    while (list) std::free(std::exchange(list, list->next));
  }
  cached_ = 0;
}

void CachingAllocator::deleter(void* data) {
  if (data) shared().give(reinterpret_cast<Block*>(static_cast<char*>(data) - alignment));
}

}  // namespace

// Runs once per process, at load. Tensors made before keep their deleter.
void installAllocator() {
  static std::once_flag once;
  std::call_once(once, [] {
#ifdef __GLIBC__
    // The same for memory that is not allocated here (oneDNN's scratch memory): no mmap for large blocks, no trimming.
    mallopt(M_MMAP_MAX, 0);
    mallopt(M_TRIM_THRESHOLD, INT_MAX);
#endif
    c10::SetCPUAllocator(&shared(), 1);
  });
}

}  // namespace selfsight
