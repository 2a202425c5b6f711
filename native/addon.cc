// The export table of the addon.
#include "selfsight.h"

using namespace selfsight;

NAPI_MODULE_INIT() {
  installAllocator();
  napi_set_instance_data(env, new Instance, [](napi_env, void* data, void*) { delete static_cast<Instance*>(data); }, nullptr);
  const napi_property_attributes attributes = napi_enumerable;
#define EXPORT(name) {#name, nullptr, exported<name>, nullptr, nullptr, nullptr, attributes, nullptr}
  const napi_property_descriptor table[] = {
      {"call", nullptr, call, nullptr, nullptr, nullptr, attributes, nullptr},
      EXPORT(findOperator), EXPORT(listSchemas),
      EXPORT(fromBytes), EXPORT(toBytes), EXPORT(item), EXPORT(shape), EXPORT(info), EXPORT(release), EXPORT(inScope), EXPORT(live),
      EXPORT(backward), EXPORT(grad), EXPORT(getGrad), EXPORT(setGrad), EXPORT(requiresGrad), EXPORT(gradMode),
      EXPORT(autocast), EXPORT(manualSeed), EXPORT(getRngState), EXPORT(setRngState),
      EXPORT(threads), EXPORT(devices), EXPORT(synchronize), EXPORT(version), EXPORT(deterministic),
  };
  napi_define_properties(env, exports, sizeof(table) / sizeof(table[0]), table);
  return exports;
}
