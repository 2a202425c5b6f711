// Converts JavaScript values to the types that the operator's schema asks for, and results back.
#include <torch/version.h>

#include <cmath>

#include "selfsight.h"

namespace selfsight {

using c10::IValue;
using c10::TypeKind;
#if TORCH_VERSION_MAJOR >= 2
using OptionalTensor = std::optional<at::Tensor>;
#else
using OptionalTensor = c10::optional<at::Tensor>;
#endif

static napi_valuetype typeOf(napi_env env, napi_value value) {
  napi_valuetype type;
  check(env, napi_typeof(env, value, &type));
  return type;
}

static int64_t toIntOrBool(napi_env env, napi_value value) {
  return typeOf(env, value) == napi_boolean ? toBool(env, value) : toInt(env, value);
}

// Boxed kernels take data types, memory formats and layouts as integers; we take names, or PyTorch's numbers.
// https://pytorch.org/docs/stable/tensor_attributes.html
static int64_t toEnum(napi_env env, napi_value value, TypeKind kind) {
  if (typeOf(env, value) != napi_string) return toInt(env, value);
  const std::string name = toString(env, value);
  if (kind == TypeKind::ScalarTypeType) {
    if (auto dtype = dtypeOf(name)) return static_cast<int64_t>(*dtype);
    throw std::invalid_argument("\"" + name + "\" is no data type (f64 f32 bf16 f16 i64 i32 i16 i8 u8 bool)");
  }
  if (kind == TypeKind::MemoryFormatType) {
    if (name == "contiguous_format") return static_cast<int64_t>(at::MemoryFormat::Contiguous);
    if (name == "preserve_format") return static_cast<int64_t>(at::MemoryFormat::Preserve);
    if (name == "channels_last") return static_cast<int64_t>(at::MemoryFormat::ChannelsLast);
    throw std::invalid_argument("\"" + name + "\" is no memory format (contiguous_format preserve_format channels_last)");
  }
  if (name == "strided") return static_cast<int64_t>(at::Layout::Strided);
  throw std::invalid_argument("\"" + name + "\" is no layout (strided)");
}

static at::Scalar toScalar(napi_env env, napi_value value) {
  if (typeOf(env, value) == napi_boolean) return at::Scalar(toBool(env, value));
  const double number = toDouble(env, value);
  // As in Python, a whole number is an integer and keeps an integer tensor's type. There is no integer -0.
  const bool whole = std::fabs(number) <= 9007199254740992.0 && number == std::trunc(number) && !isNegativeZero(number);
  return whole ? at::Scalar(static_cast<int64_t>(number)) : at::Scalar(number);
}

template <typename T, typename Convert>
static IValue toList(napi_env env, const std::vector<napi_value>& elements, Convert convert) {
  c10::List<T> list;
  list.reserve(elements.size());
  for (napi_value element : elements) list.push_back(convert(env, element));
  return list;
}

static IValue toListOf(napi_env env, napi_value value, const c10::TypePtr& element, int32_t count) {
  bool isArray = false;
  check(env, napi_is_array(env, value, &isArray));
  // A single number stands for a list of `count` of them: int[2] stride = 2.
  const auto elements = isArray ? toArray(env, value) : std::vector<napi_value>(count, value);
  if (!isArray && elements.empty()) throw std::invalid_argument("expected an array, got " + describe(env, value));
  switch (element->kind()) {
    case TypeKind::TensorType: return toList<at::Tensor>(env, elements, toTensor);
    case TypeKind::IntType:
    case TypeKind::SymIntType: return toList<int64_t>(env, elements, toIntOrBool);
    case TypeKind::FloatType: return toList<double>(env, elements, toDouble);
    case TypeKind::BoolType: return toList<bool>(env, elements, toBool);
    case TypeKind::NumberType: {
      // Boxed kernels take Scalar[] as a list of numbers of any type.
      c10::impl::GenericList list(c10::NumberType::get());
      for (napi_value one : elements) list.push_back(IValue(toScalar(env, one)));
      return list;
    }
    case TypeKind::OptionalType: {
      c10::List<OptionalTensor> list;
      if (element->expectRef<c10::OptionalType>().getElementType()->kind() != TypeKind::TensorType) break;
      for (napi_value one : elements) {
        list.push_back(isNullish(env, one) ? OptionalTensor() : OptionalTensor(toTensor(env, one)));
      }
      return list;
    }
    default: break;
  }
  throw std::invalid_argument("lists of " + element->str() + " cannot be given from JavaScript");
}

IValue toIValue(napi_env env, napi_value value, const c10::TypePtr& type, int32_t count) {
  switch (type->kind()) {
    case TypeKind::OptionalType:
      if (isNullish(env, value)) return IValue();
      return toIValue(env, value, type->expectRef<c10::OptionalType>().getElementType(), count);
    case TypeKind::TensorType: return toTensor(env, value);
    case TypeKind::IntType:
    case TypeKind::SymIntType: return toIntOrBool(env, value);
    case TypeKind::FloatType: return toDouble(env, value);
    case TypeKind::BoolType: return toBool(env, value);
    case TypeKind::NumberType: return toScalar(env, value);
    case TypeKind::StringType: return toString(env, value);
    case TypeKind::DeviceObjType: return deviceOf(toString(env, value));
    case TypeKind::ListType: return toListOf(env, value, type->expectRef<c10::ListType>().getElementType(), count);
    case TypeKind::ScalarTypeType:
    case TypeKind::LayoutType:
    case TypeKind::MemoryFormatType: return toEnum(env, value, type->kind());
    default: throw std::invalid_argument("a value of type " + type->str() + " cannot be given from JavaScript");
  }
}

napi_value fromIValue(napi_env env, const IValue& value) {
  if (value.isTensor()) return fromTensor(env, value.toTensor());
  if (value.isInt()) return fromDouble(env, static_cast<double>(value.toInt()));
  if (value.isDouble()) return fromDouble(env, value.toDouble());
  if (value.isBool()) return fromBool(env, value.toBool());
  if (value.isString()) return fromString(env, value.toStringRef());
  if (value.isDevice()) return fromString(env, value.toDevice().str());
  if (value.isList()) {
    std::vector<napi_value> elements;
    for (const IValue& element : value.toListRef()) elements.push_back(fromIValue(env, element));
    return fromArray(env, elements);
  }
  if (value.isTensorList() || value.isIntList() || value.isDoubleList() || value.isBoolList()) {
    std::vector<napi_value> elements;
    for (const IValue& element : value.toList()) elements.push_back(fromIValue(env, element));
    return fromArray(env, elements);
  }
  napi_value null;
  check(env, napi_get_null(env, &null));
  if (value.isNone()) return null;
  throw std::runtime_error("a result of type " + value.tagKind() + " cannot be handed to JavaScript");
}

}  // namespace selfsight
