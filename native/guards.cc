// Rejects arguments that libtorch's kernels do not check, and that crash the process. Found by calling every operator
// with hostile values; each rule is the most general one that rejects no meaningful call.
#include <algorithm>

#include "selfsight.h"

namespace selfsight {

static bool oneOf(const std::string& name, std::initializer_list<const char*> names) {
  return std::any_of(names.begin(), names.end(), [&](const char* one) { return name == one; });
}

// Lists of fixed length, e.g. int[2] (kernel, stride, padding, output size): kernels read all N elements, divide by strides,
// and multiply in 32 or 64 bits, all without checks. int[1] may have any length: dims are declared so, and may be many.
static void guardFixedList(const c10::Argument& parameter, c10::IValue& value) {
  const size_t count = parameter.N().value_or(0);
  if (!count || !(value.isIntList() || value.isBoolList() || value.isDoubleList())) return;
  const auto list = value.toListRef();
  const auto& fallback = parameter.default_value();
  const bool mayBeEmpty = count == 1 || (fallback && fallback->isIntList() && fallback->toIntList().empty());
  if (count > 1 && list.size() != count && !(list.empty() && mayBeEmpty)) {
    throw std::invalid_argument("expected " + std::to_string(count) + " numbers, got " + std::to_string(list.size()));
  }
  if (!value.isIntList()) return;
  const bool positive = oneOf(parameter.name(), {"stride", "dilation", "kernel_size"});
  for (int64_t number : value.toIntList()) {
    if (std::abs(number) > INT32_MAX || (positive && number < 1)) {
      throw std::invalid_argument("expected " + std::string(positive ? "1" : "-2147483647") + " to 2147483647, got " + std::to_string(number));
    }
  }
}

// Internals that PyTorch's own operators call with checked arguments. Called directly with empty lists or tensors, or with
// indices out of range, each of these crashed libtorch 1.13 or 2.15. There are checked operators for the same: stack for
// _stack, channel_shuffle for native_channel_shuffle, fft_irfft for _fft_c2r, item() for _local_scalar_dense.
void guardOperator(const std::string& name) {
  static const char* const unchecked[] = {
      "_batch_norm_impl_index_backward", "_cholesky_solve_helper", "_dyn_quant_matmul_4bit", "_embedding_bag_forward_only",
      "_fft_c2r", "_histogramdd_bin_edges", "_local_scalar_dense", "_new_zeros_with_same_feature_meta",
      "_pad_packed_sequence", "_remove_batch_dim", "_stack", "_symeig_helper", "_thnn_differentiable_gru_cell_backward",
      "_transform_bias_rescale_qkv", "align_tensors", "batch_norm_backward", "batch_norm_update_stats",
      "matrix_exp_backward", "mkldnn_rnn_layer", "native_channel_shuffle", "quantized_lstm_cell", "rrelu_with_noise",
  };
  const bool found = std::any_of(std::begin(unchecked), std::end(unchecked), [&](const char* one) {
    return name == std::string("aten::") + one || name.rfind(std::string("aten::") + one + ".", 0) == 0;
  });
  if (found) throw std::invalid_argument(name + " cannot be called: libtorch does not check its arguments, and crashes on some");
}

// Enums passed as numbers: libtorch uses them as indices into its tables.
static void guardEnum(const c10::Argument& parameter, int64_t value) {
  const auto& type = parameter.real_type();
  const auto kind = type->kind() == c10::TypeKind::OptionalType ? type->expectRef<c10::OptionalType>().getElementType()->kind() : type->kind();
  const int64_t count = kind == c10::TypeKind::ScalarTypeType || parameter.name() == "dtype" ? static_cast<int64_t>(at::ScalarType::NumOptions)
                        : kind == c10::TypeKind::LayoutType                                  ? static_cast<int64_t>(at::Layout::NumOptions)
                        : kind == c10::TypeKind::MemoryFormatType                            ? static_cast<int64_t>(at::MemoryFormat::NumOptions)
                                                                                             : INT64_MAX;
  if (count != INT64_MAX && (value < 0 || value >= count)) {
    throw std::invalid_argument("expected a name, or 0 to " + std::to_string(count - 1) + ", got " + std::to_string(value));
  }
}

void guardArgument(const c10::Argument& parameter, c10::IValue& value) {
  guardFixedList(parameter, value);
  if (value.isInt()) guardEnum(parameter, value.toInt());
  if (value.isInt() && parameter.name() == "groups" && value.toInt() < 1) {
    throw std::invalid_argument("expected 1 or more, got " + std::to_string(value.toInt()));
  }
}

// Whether both have the same memory layout. Strides of dimensions of size 1 do not matter.
static bool alike(const at::Tensor& a, const at::Tensor& b) {
  if (a.sizes() != b.sizes() || a.dtype() != b.dtype() || a.device() != b.device()) return false;
  for (int64_t i = 0; i < a.dim(); i++) {
    if (a.size(i) != 1 && a.stride(i) != b.stride(i)) return false;
  }
  return a.is_non_overlapping_and_dense() && b.is_non_overlapping_and_dense();
}

void guardFused(const c10::FunctionSchema& schema, const torch::jit::Stack& stack) {
  const auto parameters = stack[0].toTensorVector();
  for (size_t i = 1; i < stack.size(); i++) {
    if (!stack[i].isTensorList()) continue;
    const std::string& name = schema.arguments()[i].name();
    const auto list = stack[i].toTensorVector();
    const bool unused = list.empty() && oneOf(name, {"momentum_buffer_list", "max_exp_avg_sqs"});
    if (list.size() != parameters.size() && !unused) {
      throw std::invalid_argument("\"" + name + "\" should hold " + std::to_string(parameters.size()) + " tensors, got " + std::to_string(list.size()));
    }
    for (size_t k = 0; k < list.size() && name != "state_steps"; k++) {
      if (!alike(list[k], parameters[k])) {
        throw std::invalid_argument("\"" + name + "\" must lie in memory as the parameters do: got " + describe(list[k]) + " for " + describe(parameters[k]));
      }
    }
  }
}

}  // namespace selfsight
