#include "controlplane/node/cdi/oci.h"

#include <nlohmann/json.hpp>
#include <string_view>

namespace assay::controlplane::node::cdi {
namespace {

using Json = nlohmann::ordered_json;

template <typename T>
void SetIf(Json& object, const char* key, const std::optional<T>& value) {
  if (value) {
    object[key] = *value;
  }
}

template <typename T>
void SetUnlessEmpty(Json& object, const char* key, const T& value) {
  if (!value.empty()) {
    object[key] = value;
  }
}

Json ToJsonValue(const OciMount& mount) {
  Json json = {{"destination", mount.destination}};
  SetUnlessEmpty(json, "type", mount.type);
  SetUnlessEmpty(json, "source", mount.source);
  SetUnlessEmpty(json, "options", mount.options);
  return json;
}

Json ToJsonValue(const OciDevice& device) {
  Json json = {{"path", device.path},
               {"type", device.type},
               {"major", device.major},
               {"minor", device.minor}};
  SetIf(json, "fileMode", device.file_mode);
  SetIf(json, "uid", device.uid);
  SetIf(json, "gid", device.gid);
  return json;
}

Json ToJsonValue(const OciDeviceRule& rule) {
  Json json = {{"allow", rule.allow}};
  SetUnlessEmpty(json, "type", rule.type);
  json["major"] = rule.major;
  json["minor"] = rule.minor;
  SetUnlessEmpty(json, "access", rule.access);
  return json;
}

Json ToJsonValue(const OciHook& hook) {
  Json json = {{"path", hook.path}};
  SetUnlessEmpty(json, "args", hook.args);
  SetUnlessEmpty(json, "env", hook.env);
  SetIf(json, "timeout", hook.timeout);
  return json;
}

Json ToJsonValue(const IntelRdt& rdt) {
  Json json = Json::object();
  SetUnlessEmpty(json, "closID", rdt.clos_id);
  SetUnlessEmpty(json, "l3CacheSchema", rdt.l3_cache_schema);
  SetUnlessEmpty(json, "memBwSchema", rdt.mem_bw_schema);
  SetIf(json, "schemata", rdt.schemata);
  if (rdt.enable_monitoring) {
    json["enableMonitoring"] = true;
  }
  return json;
}

template <typename T>
void SetList(Json& object, const char* key, const std::vector<T>& values) {
  for (const T& value : values) {
    object[key].push_back(ToJsonValue(value));
  }
}

}  // namespace

const std::string* OciSpec::FindEnv(const std::string& name) const {
  for (const std::string& entry : env) {
    if (std::string_view(entry).substr(0, entry.find('=')) == name) {
      return &entry;
    }
  }
  return nullptr;
}

std::string OciSpec::ToJson() const {
  Json user = {{"uid", uid}, {"gid", gid}};
  SetUnlessEmpty(user, "additionalGids", additional_gids);
  Json process = {{"user", std::move(user)}};
  SetUnlessEmpty(process, "args", args);
  SetUnlessEmpty(process, "env", env);

  Json spec = {{"ociVersion", "1.3.0"}, {"process", std::move(process)}};
  SetList(spec, "mounts", mounts);
  for (const auto& [name, list] : hooks) {
    SetList(spec["hooks"], name.c_str(), list);
  }
  SetUnlessEmpty(spec, "annotations", annotations);

  Json linux_part = Json::object();
  if (user_namespace) {
    linux_part["namespaces"].push_back({{"type", "user"}});
  }
  SetList(linux_part, "devices", devices);
  for (const auto& [host_name, name] : net_devices) {
    linux_part["netDevices"][host_name] = {{"name", name}};
  }
  if (!device_rules.empty()) {
    SetList(linux_part["resources"], "devices", device_rules);
  }
  if (intel_rdt) {
    linux_part["intelRdt"] = ToJsonValue(*intel_rdt);
  }
  spec["linux"] = std::move(linux_part);
  // What is not UTF-8 came from outside; it must not end the program.
  return spec.dump(2, ' ', false, Json::error_handler_t::replace);
}

}  // namespace assay::controlplane::node::cdi
