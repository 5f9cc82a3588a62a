// fakegpuctl: makes a fake node, shows it, and plays faults on it.

#include <CLI/CLI.hpp>
#include <chrono>
#include <cstdio>
#include <functional>
#include <string>
#include <vector>

#include "fakegpu/control/call_log.h"
#include "fakegpu/control/control.h"
#include "fakegpu/control/scenario.h"
#include "tools/fakegpuctl/calls.h"
#include "tools/fakegpuctl/completion.h"
#include "tools/fakegpuctl/host.h"
#include "tools/fakegpuctl/show.h"
#include "tools/fakegpuctl/watch.h"

namespace assay::tools {
namespace {

using fakegpu::control::Fault;
using fakegpu::control::Node;
using fakegpu::control::ParseFault;

constexpr int kExitUsage = 2;

constexpr char kDescription[] =
    R"(Controls the fake GPUs of a node: one state file, which every program that loads
Assay's libnvidia-ml.so.1 reads. What is changed here, those programs see at their
next call.

  fakegpuctl --state /tmp/node create fixtures/nodes/dgx-h100.yaml
  export ASSAY_FAKEGPU_STATE=/tmp/node LD_LIBRARY_PATH=build/release/lib
  python3 -c 'import pynvml; pynvml.nvmlInit(); print(pynvml.nvmlDeviceGetCount())'
  fakegpuctl --state /tmp/node inject 3 xid=79
  fakegpuctl --state /tmp/node heal 3)";

constexpr char kFaults[] =
    R"(FAULT is one of:
  xid=N[,gi=N][,ci=N]                 an XID with its consequences; 79: off the bus
  ecc=corrected|uncorrected[,memory=dram|sram][,count=N]
                                      ECC errors in device memory, or in the chip
  lost                                the GPU answers "GPU is lost"
  thermal=CELSIUS                     the cooling fails
  power-brake                         the board is throttled from outside
  nvlink=N                            NVLink N goes down
  nvlink-errors=N,counter=replay|recovery|crc-flit|crc-data|ecc-data[,count=N]
                                      errors of NVLink N, which stays up
  pcie-replays=N                      packets sent again over PCIe
  fabric=not-started|in-progress|failed
                                      the GPU is not part of its NVLink fabric
  return=FUNCTION:CODE[,delay-ms=N]   a function answers a return code
  delay=FUNCTION:MILLISECONDS         a function answers late
The last two are of every call of FUNCTION (*: of each function), or of some:
  [,pid=N][,gi=N][,ci=N]              of one process, of a MIG instance's handles
  [,skip=N][,times=N][,percent=N]     of each process after N calls, N times, N in 100)";

constexpr char kRun[] =
    R"(The program sees the node's GPUs in /sys/bus/pci/devices, /proc/driver, /proc/devices
and /dev, in a mount namespace of its own, and finds libnvidia-ml.so.1 in
LD_LIBRARY_PATH. It takes fakegpuctl's place: signals and its exit code are its own.

  fakegpuctl run -- gpu-kubelet-plugin --nvidia-driver-root /tmp/root ...)";

// What a command line asked for; run after it is parsed.
struct Options {
  std::string state;
  std::string node_file;
  std::string gpu;
  std::vector<std::string> faults;
  std::string output = "text";
  std::string shell;
  std::uint64_t seed = 0;
  bool replace = false;
  fakegpu::control::ProcessInfo process;
  std::string process_type;
  fakegpu::control::CallLogOptions log;
  std::uint64_t memory_mib = 0;
  std::uint32_t utilization = 0;
  CallSelection calls;
  std::string step;
  std::string scenario;
  bool at_once = false;
  double interval = 1;
  std::string directory;
  std::string library;                     // Assay's; empty: the one beside the program.
  std::string nvml = "libnvidia-ml.so.1";  // Any.
  std::string nvidia_smi;
  std::vector<std::string> program;
};
using Command = std::function<Status()>;

// Opens the node and changes it.
template <typename Change>
Status WithNode(const Options& options, Change&& change) {
  ASSAY_ASSIGN_OR_RETURN(const Node node, Node::Open(options.state));
  return change(node);
}

Status Create(const Options& options) {
  ASSAY_ASSIGN_OR_RETURN(const Node node,
                         Node::Create(options.state, options.node_file,
                                      {.seed = options.seed, .replace = options.replace}));
  ASSAY_ASSIGN_OR_RETURN(const auto info, node.Show());
  std::printf("%s: %s with %zu GPUs\n", options.state.c_str(), info.name.c_str(), info.gpus.size());
  return OkStatus();
}

Status Show(const Options& options) {
  return WithNode(options, [&](const Node& node) -> Status {
    ASSAY_ASSIGN_OR_RETURN(const auto info, node.Show());
    const std::string text = options.output == "json"   ? ShowJson(info)
                             : options.output == "yaml" ? ShowYaml(info)
                                                        : ShowText(info);
    std::fputs(text.c_str(), stdout);
    return OkStatus();
  });
}

Status ShowCalls(const Options& options) {
  return WithNode(options, [&](const Node& node) -> Status {
    ASSAY_ASSIGN_OR_RETURN(const auto report, fakegpu::control::ReadCallLog(node));
    const std::string text = options.output == "json" ? CallsJson(report, options.calls)
                                                      : CallsText(report, options.calls);
    std::fputs(text.c_str(), stdout);
    return OkStatus();
  });
}

// All faults are understood before the first is played.
Status Inject(const Options& options) {
  std::vector<Fault> faults;
  for (const std::string& text : options.faults) {
    ASSAY_ASSIGN_OR_RETURN(faults.emplace_back(), ParseFault(text));
  }
  return WithNode(options, [&](const Node& node) -> Status {
    for (const Fault& fault : faults) {
      ASSAY_RETURN_IF_ERROR(node.Inject(options.gpu, fault));
    }
    return OkStatus();
  });
}

Status PlayScenario(const Options& options) {
  ASSAY_ASSIGN_OR_RETURN(const auto scenario, fakegpu::control::LoadScenario(options.scenario));
  return WithNode(options, [&](const Node& node) {
    return fakegpu::control::Play(
        node, scenario,
        {.at_once = options.at_once,
         .on_step = [](Duration at, const fakegpu::control::ScenarioStep& step) {
           std::printf("%.3f %s\n", std::chrono::duration<double>(at).count(), step.text.c_str());
           std::fflush(stdout);
         }});
  });
}

Status Completion(const Options& options) {
  std::fputs(CompletionScript(options.shell).c_str(), stdout);
  return OkStatus();
}

void AddGpu(CLI::App* command, Options& options) {
  command->add_option("GPU", options.gpu, "Slot, UUID, PCI bus id or \"all\"")->required();
}

// A command on one GPU (or all).
CLI::App* AddGpuCommand(CLI::App& app, Options& options, Command& command, const char* name,
                        const char* description, Status (Node::*change)(std::string_view) const) {
  CLI::App* sub = app.add_subcommand(name, description);
  AddGpu(sub, options);
  sub->callback([&options, &command, change] {
    command = [&options, change] {
      return WithNode(options, [&](const Node& node) { return (node.*change)(options.gpu); });
    };
  });
  return sub;
}

// A command on the node that takes nothing else.
void AddNodeCommand(CLI::App& app, Options& options, Command& command, const char* name,
                    const char* description, Status (Node::*change)() const) {
  app.add_subcommand(name, description)->callback([&options, &command, change] {
    command = [&options, change] {
      return WithNode(options, [&](const Node& node) { return (node.*change)(); });
    };
  });
}

void AddCreateAndShow(CLI::App& app, Options& options, Command& command) {
  CLI::App* create = app.add_subcommand("create", "Make a node from its YAML file");
  create->add_option("NODE", options.node_file, "As fixtures/nodes/dgx-h100.yaml")->required();
  create->add_option("--seed", options.seed, "Of UUIDs and noise, instead of the file's");
  create->add_flag("--replace", options.replace, "Take the place of a node that is there");
  create->callback([&] { command = [&options] { return Create(options); }; });

  CLI::App* show = app.add_subcommand("show", "Print the node and its GPUs");
  show->add_option("-o,--output", options.output, "text, json or yaml")
      ->check(CLI::IsMember({"text", "json", "yaml"}));
  show->callback([&] { command = [&options] { return Show(options); }; });

  CLI::App* watch = app.add_subcommand("watch", "Show the node live, or its changes where piped");
  watch->add_option("--interval", options.interval, "Seconds between readings in a terminal")
      ->check(CLI::Range(0.05, 3600.0));
  watch->callback([&] {
    command = [&options] {
      const auto interval = std::chrono::duration<double>(options.interval);
      return WithNode(options, [&](const Node& node) {
        return Watch(node, std::chrono::duration_cast<Duration>(interval));
      });
    };
  });
}

void AddCapture(CLI::App& app, Options& options, Command& command) {
  CLI::App* capture =
      app.add_subcommand("capture", "Describe the GPUs of whatever NVML is here; it only reads");
  capture->add_option("DIR", options.directory, "For node.yaml and its boards' profiles")
      ->required();
  capture->add_option("--library", options.nvml, "As dlopen takes it")->capture_default_str();
  capture->callback(
      [&] { command = [&options] { return CaptureNode(options.nvml, options.directory); }; });
}

void AddFaults(CLI::App& app, Options& options, Command& command) {
  CLI::App* inject = app.add_subcommand("inject", "Play faults on a GPU");
  AddGpu(inject, options);
  inject->add_option("FAULT", options.faults, "What goes wrong")->required();
  inject->footer(kFaults);
  inject->callback([&] { command = [&options] { return Inject(options); }; });

  CLI::App* play = app.add_subcommand("play", "Play a scenario, a timeline of faults");
  play->add_option("FILE", options.scenario, "As fixtures/scenarios/gpu/falls-off-the-bus.yaml")
      ->required();
  play->add_flag("--at-once", options.at_once,
                 "Hold the node's clock and move it on from step to step");
  play->footer("Times are of the node's clock, from the scenario's start.");
  play->callback([&] { command = [&options] { return PlayScenario(options); }; });

  AddGpuCommand(app, options, command, "heal", "End every fault of a GPU, as a reset does",
                &Node::Heal);
  AddGpuCommand(app, options, command, "unplug", "Take a GPU out of the node", &Node::Unplug);
  AddGpuCommand(app, options, command, "replug", "Put it back", &Node::Replug);
}

void AddProcesses(CLI::App& app, Options& options, Command& command) {
  CLI::App* proc = app.add_subcommand("proc", "Start and end processes on a GPU");
  proc->require_subcommand(1);
  CLI::App* start = proc->add_subcommand("start", "A process takes memory and loads the GPU");
  AddGpu(start, options);
  start->add_option("--pid", options.process.pid, "Its process id")->required();
  start->add_option("--name", options.process.name, "Its name")->default_val("train");
  start->add_option("--memory", options.memory_mib, "MiB of device memory")->default_val(1024);
  start->add_option("--utilization", options.utilization, "Percent of the GPU")->default_val(50);
  start->add_option("--type", options.process_type, "compute, graphics or mps")
      ->default_val("compute");
  start->add_option("--encoder", options.process.encoder_percent, "Percent of the video encoders");
  start->add_option("--decoder", options.process.decoder_percent, "Percent of the video decoders");
  start->add_option("--jpeg", options.process.jpeg_percent, "Percent of the JPEG engines");
  start->add_option("--ofa", options.process.ofa_percent, "Percent of the optical flow engine");
  start->add_option("--gi", options.process.gpu_instance, "The MIG GPU instance that it runs in");
  start->add_option("--ci", options.process.compute_instance, "The compute instance in that");
  start->callback([&] {
    command = [&options] {
      options.process.memory_bytes = options.memory_mib * 1024 * 1024;
      return WithNode(options, [&](const Node& node) -> Status {
        ASSAY_ASSIGN_OR_RETURN(options.process.type,
                               fakegpu::control::ParseProcessType(options.process_type));
        return node.StartProcess(options.gpu, options.process, options.utilization);
      });
    };
  });
  CLI::App* end = proc->add_subcommand("end", "It ends");
  AddGpu(end, options);
  end->add_option("--pid", options.process.pid, "Its process id")->required();
  end->callback([&] {
    command = [&options] {
      return WithNode(options, [&](const Node& node) {
        return node.EndProcess(options.gpu, options.process.pid);
      });
    };
  });
}

void AddCalls(CLI::App& app, Options& options, Command& command) {
  CLI::App* calls = app.add_subcommand("calls", "Log what programs ask NVML, and are answered");
  calls->require_subcommand(1);
  CLI::App* on = calls->add_subcommand("on", "Forget what was logged, and log from now on");
  on->add_flag("--everyone", options.log.of_everyone,
               "Also the programs of other users that start from now on; they may write the log");
  on->callback([&] {
    command = [&options] {
      return WithNode(options, [&](const Node& node) {
        return fakegpu::control::StartCallLog(node, options.log);
      });
    };
  });
  CLI::App* off = calls->add_subcommand("off", "Log no more; what was logged stays");
  off->callback(
      [&] { command = [&options] { return WithNode(options, fakegpu::control::StopCallLog); }; });
  CLI::App* show = calls->add_subcommand("show", "Count the calls by process, function and code");
  show->add_option("-o,--output", options.output, "text or json")
      ->check(CLI::IsMember({"text", "json"}));
  show->add_option("--process", options.calls.pid, "Only the calls of this process id");
  show->add_option("--last", options.calls.last, "So many of the last calls, one by one");
  show->callback([&] { command = [&options] { return ShowCalls(options); }; });
}

void AddClockAndDriver(CLI::App& app, Options& options, Command& command) {
  CLI::App* clock = app.add_subcommand("clock", "Hold, step or run the clock that metrics follow");
  clock->require_subcommand(1);
  AddNodeCommand(*clock, options, command, "hold", "It stands still", &Node::HoldClock);
  AddNodeCommand(*clock, options, command, "run", "It runs", &Node::RunClock);
  CLI::App* step = clock->add_subcommand("step", "It moves on, while held");
  std::string* text = &options.step;
  step->add_option("SECONDS", *text, "How far, in seconds")->required()->check(CLI::PositiveNumber);
  step->callback([&options, &command] {
    command = [&options] {
      const auto seconds = std::chrono::duration<double>(std::stod(options.step));
      return WithNode(options, [&](const Node& node) {
        return node.StepClock(std::chrono::duration_cast<Duration>(seconds));
      });
    };
  });

  CLI::App* driver = app.add_subcommand("driver", "Load or unload the kernel driver");
  driver->require_subcommand(1);
  AddNodeCommand(*driver, options, command, "load", "nvmlInit works", &Node::LoadDriver);
  AddNodeCommand(*driver, options, command, "unload", "nvmlInit answers \"Driver Not Loaded\"",
                 &Node::UnloadDriver);
}

void AddHost(CLI::App& app, Options& options, Command& command) {
  CLI::App* root = app.add_subcommand("root", "Write a driver root for software that takes one");
  root->add_option("DIR", options.directory, "An empty directory, or none yet")->required();
  root->add_option("--library", options.library, "Assay's libnvidia-ml.so.1, else the one built");
  root->add_option("--nvidia-smi", options.nvidia_smi, "The program to put there, else PATH's");
  root->callback([&] {
    command = [&options] {
      return MakeRoot(options.state, options.directory,
                      {.library = options.library, .nvidia_smi = options.nvidia_smi});
    };
  });
  CLI::App* run = app.add_subcommand("run", "Run a program to which this node is the machine");
  run->footer(kRun);
  run->add_option("--library", options.library, "Assay's libnvidia-ml.so.1, else the one built");
  run->add_option("COMMAND", options.program, "The program and its arguments, after --")
      ->required();
  run->callback([&] {
    command = [&options] { return RunProgram(options.state, options.library, options.program); };
  });
}

// CLI11 calls a command that it does not know a missing one; this names it.
std::string Complaint(const CLI::App& app, const CLI::ParseError& error, int argc, char** argv) {
  for (int i = 1; i < argc; ++i) {
    const std::string word = argv[i];
    if (word == "--state") {
      ++i;
    } else if (!word.starts_with("-")) {
      const auto is_it = [&word](const CLI::App* command) { return command->get_name() == word; };
      return app.get_subcommands(is_it).empty() ? "unknown command \"" + word + "\"" : error.what();
    }
  }
  return error.what();
}

int Main(int argc, char** argv) {
  Options options;
  options.state = fakegpu::control::StatePathFromEnvironment();
  Command command;
  CLI::App app(kDescription, "fakegpuctl");
  app.set_version_flag("--version", ASSAY_VERSION);
  app.require_subcommand(1);
  app.add_option("--state", options.state,
                 "The node's state file; else $ASSAY_FAKEGPU_STATE, else "
                 "/run/assay/fakegpu/state");
  AddCreateAndShow(app, options, command);
  AddCapture(app, options, command);
  AddFaults(app, options, command);
  AddProcesses(app, options, command);
  AddCalls(app, options, command);
  AddClockAndDriver(app, options, command);
  AddHost(app, options, command);
  CLI::App* completion = app.add_subcommand("completion", "Print a shell's completion script");
  completion->add_option("SHELL", options.shell, "bash or zsh")
      ->required()
      ->check(CLI::IsMember({"bash", "zsh"}));
  completion->callback([&] { command = [&options] { return Completion(options); }; });

  try {
    app.parse(argc, argv);
  } catch (const CLI::Success& success) {
    return app.exit(success);  // --help, --version.
  } catch (const CLI::ParseError& error) {
    std::fprintf(stderr, "fakegpuctl: %s (see --help)\n",
                 Complaint(app, error, argc, argv).c_str());
    return kExitUsage;
  }
  const Status status = command();
  if (!status.ok()) {
    std::fprintf(stderr, "fakegpuctl: %s\n", status.message().c_str());
    return kExitUsage;
  }
  return 0;
}

}  // namespace
}  // namespace assay::tools

int main(int argc, char** argv) { return assay::tools::Main(argc, argv); }
