// The table of tensors that JavaScript holds handles to, and conversion from and to bytes.
#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstring>

#include "selfsight.h"

namespace selfsight {

static constexpr int64_t reportStep = 16 << 20;

Instance& instance(napi_env env) {
  void* data = nullptr;
  check(env, napi_get_instance_data(env, &data));
  return *static_cast<Instance*>(data);
}

void reportMemory(napi_env env, Instance& self) {
  if (self.inScope) return;
  const int64_t change = self.tensors.bytes() - self.reportedBytes;
  if (std::abs(change) < reportStep) return;
  int64_t total = 0;
  check(env, napi_adjust_external_memory(env, change, &total));
  self.reportedBytes += change;
}

// Views share their base's storage: count a tensor only if it spans its storage.
static int64_t ownBytes(const at::Tensor& tensor) {
  if (!tensor.has_storage()) return 0;
  const int64_t bytes = tensor.numel() * tensor.element_size();
  return bytes == static_cast<int64_t>(tensor.storage().nbytes()) ? bytes : 0;
}

// Tables begin far apart, so that a handle of one thread matches no slot of another.
TensorTable::TensorTable() {
  static std::atomic<uint32_t> tables{0};
  firstGeneration_ = tables++ * 0x9e3779b1u % 0x7fffffff + 1;
}

int64_t TensorTable::insert(at::Tensor tensor) {
  if (free_.empty()) {
    free_.push_back(slots_.size());
    slots_.emplace_back().generation = firstGeneration_;
  }
  const uint32_t index = free_.back();
  free_.pop_back();
  Slot& slot = slots_[index];
  slot.bytes = ownBytes(tensor);
  slot.tensor = std::move(tensor);
  bytes_ += slot.bytes;
  return static_cast<int64_t>(slot.generation) << 32 | index;
}

const TensorTable::Slot* TensorTable::find(int64_t handle) const {
  const uint32_t index = static_cast<uint32_t>(handle);
  if (handle < 0 || index >= slots_.size()) return nullptr;
  const Slot& slot = slots_[index];
  return slot.generation == static_cast<uint64_t>(handle) >> 32 && slot.tensor.defined() ? &slot : nullptr;
}

const at::Tensor& TensorTable::at(int64_t handle) const {
  const Slot* slot = find(handle);
  if (!slot) throw std::invalid_argument("the tensor was disposed, or belongs to another thread");
  return slot->tensor;
}

bool TensorTable::release(int64_t handle) {
  Slot* slot = const_cast<Slot*>(find(handle));
  if (!slot) return false;
  bytes_ -= slot->bytes;
  slot->tensor = at::Tensor();
  slot->generation = slot->generation % 0x7fffffff + 1;  // 31 bits, never 0: handles stay positive
  free_.push_back(static_cast<uint32_t>(handle));
  return true;
}

// (array of handles) -> how many were live
napi_value release(const Arguments& arguments) {
  const napi_env env = arguments.env;
  Instance& self = instance(env);
  int64_t released = 0;
  for (napi_value element : toArray(env, arguments[0])) {
    int64_t handle = 0;
    bool lossless = false;
    check(env, napi_get_value_bigint_int64(env, element, &handle, &lossless));
    released += lossless && self.tensors.release(handle);
  }
  reportMemory(env, self);
  return fromDouble(env, released);
}

// (whether a scope is open)
napi_value inScope(const Arguments& arguments) {
  instance(arguments.env).inScope = toBool(arguments.env, arguments[0]);
  return nullptr;
}

// () -> [live tensors, their bytes]
napi_value live(const Arguments& arguments) {
  const TensorTable& tensors = instance(arguments.env).tensors;
  return fromArray(arguments.env, {fromDouble(arguments.env, tensors.live()), fromDouble(arguments.env, tensors.bytes())});
}

// (bytes: Uint8Array, dtype, shape) -> tensor on the CPU, a copy
napi_value fromBytes(const Arguments& arguments) {
  const napi_env env = arguments.env;
  bool isTypedArray = false;
  check(env, napi_is_typedarray(env, arguments[0], &isTypedArray));
  if (!isTypedArray) throw std::invalid_argument("expected a Uint8Array, got " + describe(env, arguments[0]));
  napi_typedarray_type type;
  size_t length = 0;
  void* data = nullptr;
  check(env, napi_get_typedarray_info(env, arguments[0], &type, &length, &data, nullptr, nullptr));
  const auto dtype = dtypeOf(toString(env, arguments[1]));
  if (type != napi_uint8_array || !dtype) throw std::invalid_argument("expected a Uint8Array and a data type");
  // Count in floating point first: the product of hostile sizes overflows int64.
  const auto sizes = toIntArray(env, arguments[2]);
  double bytes = static_cast<double>(c10::elementSize(*dtype));
  for (int64_t size : sizes) bytes *= size < 0 ? NAN : static_cast<double>(size);
  if (bytes != static_cast<double>(length)) {
    throw std::invalid_argument("shape " + describe(env, arguments[2]) + " of " + dtypeName(*dtype) + " does not hold " + std::to_string(length) + " bytes");
  }
  at::Tensor tensor = at::empty(sizes, at::TensorOptions(*dtype));
  const auto* from = static_cast<const uint8_t*>(data);
  if (*dtype == at::kBool) {
    std::transform(from, from + length, static_cast<bool*>(tensor.data_ptr()), [](uint8_t byte) { return byte != 0; });
  } else if (length) {
    std::memcpy(tensor.data_ptr(), from, length);
  }
  return fromTensor(env, tensor);
}

// (tensor) -> ArrayBuffer, row-major copy
napi_value toBytes(const Arguments& arguments) {
  const at::Tensor tensor = toTensor(arguments.env, arguments[0]).detach().cpu().resolve_conj().resolve_neg().contiguous();
  const size_t length = tensor.numel() * tensor.element_size();
  void* data = nullptr;
  napi_value buffer;
  check(arguments.env, napi_create_arraybuffer(arguments.env, length, &data, &buffer));
  if (length) std::memcpy(data, tensor.data_ptr(), length);
  return buffer;
}

// (tensor of one element) -> number
napi_value item(const Arguments& arguments) {
  const at::Tensor& tensor = toTensor(arguments.env, arguments[0]);
  if (tensor.numel() != 1) throw std::invalid_argument("item() wants a tensor of one element, got " + describe(tensor));
  const at::Scalar scalar = tensor.item();
  return fromDouble(arguments.env, scalar.isIntegral(true) ? static_cast<double>(scalar.toLong()) : scalar.toDouble());
}

napi_value shape(const Arguments& arguments) {
  std::vector<napi_value> sizes;
  for (int64_t size : toTensor(arguments.env, arguments[0]).sizes()) sizes.push_back(fromDouble(arguments.env, size));
  return fromArray(arguments.env, sizes);
}

// (tensor) -> [dtype, device, is channels-last, identity, is leaf]. Two handles to one tensor have the same identity: its address, below 2^53.
napi_value info(const Arguments& arguments) {
  const napi_env env = arguments.env;
  const at::Tensor& tensor = toTensor(env, arguments[0]);
  const bool channelsLast = tensor.dim() == 4 && tensor.is_contiguous(at::MemoryFormat::ChannelsLast);
  const std::string device = tensor.device().type() == at::kMPS ? "mps" : tensor.device().str();  // there is one, and it has no number
  return fromArray(env, {fromString(env, dtypeName(tensor.scalar_type())), fromString(env, device),
                         fromBool(env, channelsLast), fromDouble(env, static_cast<double>(reinterpret_cast<uintptr_t>(tensor.unsafeGetTensorImpl()))),
                         fromBool(env, tensor.is_leaf())});
}

}  // namespace selfsight
