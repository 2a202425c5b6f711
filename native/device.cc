// Devices, threads, data types by name.
#include <ATen/Parallel.h>
#include <ATen/detail/CUDAHooksInterface.h>
#include <torch/cuda.h>
#include <torch/version.h>
#if __has_include(<torch/mps.h>)  // since libtorch 2.0
#include <torch/mps.h>
#define SELFSIGHT_MPS
#endif

#include "selfsight.h"

namespace selfsight {

static const std::pair<const char*, at::ScalarType> dtypes[] = {
    {"f32", at::kFloat}, {"f64", at::kDouble}, {"bf16", at::kBFloat16}, {"f16", at::kHalf}, {"i64", at::kLong},
    {"i32", at::kInt},   {"i16", at::kShort},  {"i8", at::kChar},       {"u8", at::kByte},  {"bool", at::kBool},
};

std::string dtypeName(at::ScalarType dtype) {
  for (const auto& [name, type] : dtypes) {
    if (type == dtype) return name;
  }
  return c10::toString(dtype);
}

std::optional<at::ScalarType> dtypeOf(const std::string& name) {
  for (const auto& [known, type] : dtypes) {
    if (name == known) return type;
  }
  return std::nullopt;
}

// "cpu", "cuda", "cuda:1", "mps". Checked here: a device that does not exist aborts some CUDA builds.
at::Device deviceOf(const std::string& name) {
  const at::Device device(name);
  const bool present = device.is_cpu() || device.type() == at::kMeta ||
                       (device.is_cuda() && at::hasCUDA() && device.index() < static_cast<int>(torch::cuda::device_count())) ||
                       (device.type() == at::kMPS && at::hasMPS());
  if (!present) throw std::invalid_argument("there is no device \"" + name + "\" here");
  return device.is_cuda() && !device.has_index() ? at::Device(at::kCUDA, 0) : device;
}

// ([count]) -> threads that one operator may use
napi_value threads(const Arguments& arguments) {
  if (arguments.size()) {
    const int64_t count = toInt(arguments.env, arguments[0]);
    if (count < 1 || count > 4096) throw std::invalid_argument("expected 1 to 4096 threads, got " + std::to_string(count));
    at::set_num_threads(count);
  }
  return fromDouble(arguments.env, at::get_num_threads());
}

napi_value devices(const Arguments& arguments) {
  std::vector<napi_value> names{fromString(arguments.env, "cpu")};
  const size_t gpus = at::hasCUDA() ? torch::cuda::device_count() : 0;
  for (size_t i = 0; i < gpus; i++) names.push_back(fromString(arguments.env, "cuda:" + std::to_string(i)));
  if (at::hasMPS()) names.push_back(fromString(arguments.env, "mps"));
  return fromArray(arguments.env, names);
}

// (device): waits until everything queued on it is done
napi_value synchronize(const Arguments& arguments) {
  const at::Device device = deviceOf(toString(arguments.env, arguments[0]));
  if (device.is_cuda()) torch::cuda::synchronize(device.index());
#ifdef SELFSIGHT_MPS
  if (device.type() == at::kMPS) torch::mps::synchronize();
#endif
  return fromBool(arguments.env, true);
}

napi_value version(const Arguments& arguments) { return fromString(arguments.env, TORCH_VERSION); }

// (on) -> whether it was on: makes cuDNN choose only algorithms that give the same result every time
napi_value deterministic(const Arguments& arguments) {
  const bool before = at::globalContext().deterministicCuDNN();
  at::globalContext().setDeterministicCuDNN(toBool(arguments.env, arguments[0]));
  return fromBool(arguments.env, before);
}

}  // namespace selfsight
