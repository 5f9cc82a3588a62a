#include "controlplane/node/container_runtime.h"

#include <algorithm>
#include <cstdint>
#include <system_error>

#include "base/file.h"
#include "controlplane/node/cdi/registry.h"
#include "controlplane/node/runc.h"

namespace assay::controlplane::node {
namespace {

std::string ContainerId(const std::string& pod_uid, const std::string& container) {
  return "assay://" + pod_uid + "/" + container;
}

// Of what a container's name may have in it, all may be in runc's.
std::string RuncId(const std::string& pod_uid, const std::string& container) {
  return pod_uid + "-" + container;
}

template <typename SecurityContext>
void SetUser(const std::optional<SecurityContext>& context, cdi::OciSpec& spec) {
  if (!context) {
    return;
  }
  if (context->run_as_user) {
    spec.uid = static_cast<std::uint32_t>(*context->run_as_user);
  }
  if (context->run_as_group) {
    spec.gid = static_cast<std::uint32_t>(*context->run_as_group);
  }
}

cdi::OciSpec BaseSpec(const api::core::Pod& pod, const api::core::Container& container) {
  cdi::OciSpec spec;
  spec.args = container.command;
  spec.args.insert(spec.args.end(), container.args.begin(), container.args.end());
  spec.env = {"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
              "HOSTNAME=" + pod.metadata.name};
  for (const api::core::EnvVar& variable : container.env) {
    spec.env.push_back(variable.name + "=" + variable.value);
  }
  SetUser(pod.spec.security_context, spec);
  SetUser(container.security_context, spec);
  if (pod.spec.security_context) {
    for (const std::int64_t group : pod.spec.security_context->supplemental_groups) {
      spec.additional_gids.push_back(static_cast<std::uint32_t>(group));
    }
  }
  spec.user_namespace = !pod.spec.host_users.value_or(true);
  spec.annotations = {{"io.kubernetes.cri.container-name", container.name},
                      {"io.kubernetes.cri.sandbox-name", pod.metadata.name},
                      {"io.kubernetes.cri.sandbox-namespace", pod.metadata.namespace_},
                      {"io.kubernetes.cri.sandbox-uid", pod.metadata.uid}};
  return spec;
}

}  // namespace

ContainerRuntime::ContainerRuntime(const Clock& clock, Options options)
    : clock_(&clock), options_(std::move(options)) {
  if (options_.record_directory.empty()) {
    return;
  }
  std::error_code error;
  for (std::filesystem::recursive_directory_iterator it(options_.record_directory, error), end;
       !error && it != end; it.increment(error)) {
    if (it->path().extension() == ".json") {
      const std::string pod_uid = it->path().parent_path().filename().string();
      const std::string name = it->path().stem().string();
      containers_[{pod_uid, name}] = {
          .id = ContainerId(pod_uid, name), .spec = {}, .started = clock_->Now()};
    }
  }
}

Status ContainerRuntime::Start(const api::core::Pod& pod, const api::core::Container& container,
                               const std::vector<std::string>& cdi_device_ids) {
  cdi::OciSpec spec = BaseSpec(pod, container);
  spec.mounts.insert(spec.mounts.end(), options_.mounts.begin(), options_.mounts.end());
  if (!cdi_device_ids.empty()) {
    // As containerd's cache does, the directories are read for every container.
    const cdi::Registry registry = cdi::Registry::Scan(options_.cdi_directories);
    ASSAY_RETURN_IF_ERROR(registry.Inject(cdi_device_ids, spec));
  }
  const std::string& uid = pod.metadata.uid;
  if (!options_.record_directory.empty()) {
    const std::filesystem::path directory = options_.record_directory / uid;
    std::error_code error;
    std::filesystem::create_directories(directory, error);
    ASSAY_RETURN_IF_ERROR(
        WriteFileAtomically(directory / (container.name + ".json"), spec.ToJson() + "\n"));
  }
  if (options_.runc != nullptr) {
    ASSAY_RETURN_IF_ERROR(options_.runc->Run(RuncId(uid, container.name), spec));
  }
  containers_[{uid, container.name}] = {
      .id = ContainerId(uid, container.name), .spec = std::move(spec), .started = clock_->Now()};
  return OkStatus();
}

const ContainerRuntime::RunningContainer* ContainerRuntime::Find(
    const std::string& pod_uid, const std::string& container) const {
  const auto found = containers_.find({pod_uid, container});
  return found == containers_.end() ? nullptr : &found->second;
}

void ContainerRuntime::Stop(const std::string& pod_uid) {
  if (options_.runc != nullptr) {
    for (const auto& [key, container] : containers_) {
      if (key.first == pod_uid) {
        options_.runc->Delete(RuncId(key.first, key.second));
      }
    }
  }
  std::erase_if(containers_, [&](const auto& entry) { return entry.first.first == pod_uid; });
  if (!options_.record_directory.empty()) {
    std::error_code error;
    std::filesystem::remove_all(options_.record_directory / pod_uid, error);
  }
}

}  // namespace assay::controlplane::node
