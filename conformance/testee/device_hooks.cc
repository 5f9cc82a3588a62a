#include "conformance/testee/device_hooks.h"

#include <optional>
#include <utility>

#include "conformance/testee/environment.h"
#include "fakegpu/control/control.h"

namespace assay::conformance {
namespace {

class Commands : public DeviceHooks {
 public:
  Commands(const Profile& profile, const Variables& variables, Spawner& spawner)
      : hooks_(profile.hooks), variables_(variables), spawner_(&spawner) {}

  bool Has(Hook hook) const override { return hooks_.contains(hook); }

  Status Run(Hook hook, const std::string& device) override {
    const auto command = hooks_.find(hook);
    const std::string what = "hook " + std::string(HookName(hook));
    if (command == hooks_.end()) {
      return UnimplementedError("the profile has no " + what);
    }
    Variables variables = variables_;
    variables["DEVICE"] = device;
    ProcessOptions options{.argv = {}, .env = InheritedEnvironment()};
    ASSAY_ASSIGN_OR_RETURN(options.argv, Expand(command->second.argv, variables));
    ASSAY_ASSIGN_OR_RETURN(const std::unique_ptr<Process> process, spawner_->Spawn(options));
    const std::optional<ExitStatus> exit = process->WaitForExit(command->second.timeout);
    if (!exit) {
      return DeadlineExceededError(what + " for " + device + " did not end in time");
    }
    if (*exit != ExitStatus{}) {
      return InternalError(what + " for " + device + " " + exit->ToString() + ": " +
                           process->Output());
    }
    return OkStatus();
  }

 private:
  std::map<Hook, Command> hooks_;
  Variables variables_;
  Spawner* spawner_;
};

class FakeGpus : public DeviceHooks {
 public:
  FakeGpus(fakegpu::control::Node node, std::unique_ptr<DeviceHooks> commands)
      : node_(std::move(node)), commands_(std::move(commands)) {}

  bool Has(Hook hook) const override { return hook != Hook::kStall || commands_->Has(hook); }

  Status Run(Hook hook, const std::string& device) override {
    switch (hook) {
      case Hook::kList:
        return node_.Show().status();
      case Hook::kPlug:
        return node_.Replug(device);
      case Hook::kUnplug:
        return node_.Unplug(device);
      case Hook::kFail:
        return node_.Inject(device, fakegpu::control::LostFault{});
      case Hook::kDegrade: {
        // A double-bit ECC error: the GPU wants a reset.
        constexpr std::uint32_t kDoubleBitError = 48;
        return node_.Inject(device, fakegpu::control::XidFault{.xid = kDoubleBitError});
      }
      case Hook::kHeal:
        return node_.Heal(device);
      case Hook::kStall:
        return commands_->Run(hook, device);
    }
    return UnimplementedError("unknown hook");
  }

 private:
  fakegpu::control::Node node_;
  std::unique_ptr<DeviceHooks> commands_;
};

}  // namespace

std::unique_ptr<DeviceHooks> CommandHooks(const Profile& profile, const Variables& variables,
                                          Spawner& spawner) {
  return std::make_unique<Commands>(profile, variables, spawner);
}

Result<std::unique_ptr<DeviceHooks>> FakeGpuHooks(const std::filesystem::path& state,
                                                  std::unique_ptr<DeviceHooks> commands) {
  ASSAY_ASSIGN_OR_RETURN(fakegpu::control::Node node, fakegpu::control::Node::Open(state));
  return std::unique_ptr<DeviceHooks>(
      std::make_unique<FakeGpus>(std::move(node), std::move(commands)));
}

}  // namespace assay::conformance
