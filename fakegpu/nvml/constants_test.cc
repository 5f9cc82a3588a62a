// Which functions answer the same of every board in every state: constants.def lists them, with the
// reason. A function that is asked here, on many boards in many states, and whose answer never
// differs must be in the list; one whose answer differs must not.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <map>
#include <optional>
#include <regex>
#include <set>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

#include "base/file.h"
#include "base/temp_dir.h"
#include "fakegpu/nvml/testing/nvml_fixture.h"

namespace assay::fakegpu::nvml {
namespace {

using ::testing::IsEmpty;

// What a call's arguments hold besides the device: numbers are `number` and so on by `step`; each
// pointer is to zeros that begin with `word`, or with a version word where the pointer is to a
// versioned struct and `version` is not zero.
struct Arguments {
  unsigned int number = 0;
  unsigned int step = 0;
  unsigned int word = 0;
  unsigned int version = 0;
};
constexpr Arguments kArguments[] = {
    {.number = 0, .word = 0},    {.number = 1, .word = 64},   {.number = 2, .word = 64},
    {.number = 64, .word = 64},  {.number = 0, .version = 1}, {.number = 0, .version = 2},
    {.number = 1, .version = 3}, {.number = 0, .step = 1},    {.number = 50, .word = 64},
    {.number = 0, .step = 5},    {.number = 0, .word = 64},   {.number = 50, .version = 1},
};

// Of an array that a call fills: the greatest number above.
constexpr std::size_t kMostEntries = 64;
constexpr std::size_t kMostPointers = 8;

template <typename T>
concept Complete = requires { sizeof(T); };

// Of what a pointer is to, or, as untyped memory has none, of the greatest number.
template <typename T>
constexpr std::size_t SizeOf() {
  if constexpr (std::is_void_v<T>) {
    return sizeof(std::uint64_t);
  } else {
    return sizeof(T);
  }
}

class Caller {
 public:
  // Not a T: NVML's callers write C and give an enumeration any number, which C++ must not hold.
  template <typename T>
  using Held = std::conditional_t<std::is_enum_v<T>, unsigned int, T>;

  Caller(nvmlDevice_t device, nvmlDevice_t other) : device_(device), other_(other) {}

  // What the function wrote, if it succeeded or told how much there is.
  template <typename... Argument>
  std::optional<std::string> Call(nvmlReturn_t (*function)(Argument...),
                                  const Arguments& arguments) {
    used_ = 0;
    devices_ = 0;
    numbers_ = 0;
    std::tuple<Held<Argument>...> values{Make<Argument>(arguments)...};
    const nvmlReturn_t result =
        std::apply([&](auto... held) { return function(static_cast<Argument>(held)...); }, values);
    if (result != NVML_SUCCESS && result != NVML_ERROR_INSUFFICIENT_SIZE) {
      return std::nullopt;
    }
    std::string written;
    for (std::size_t i = 0; i < used_; ++i) {
      const std::string& buffer = buffers_[i];
      written += buffer + '|';
    }
    return written;
  }
  std::optional<std::string> Call(const char* (*)(nvmlReturn_t), const Arguments&) {
    return std::nullopt;  // nvmlErrorString's answer depends on no state.
  }

 private:
  template <typename T>
  Held<T> Make(const Arguments& arguments) {
    if constexpr (std::is_same_v<T, nvmlDevice_t>) {
      return devices_++ == 0 ? device_ : other_;
    } else if constexpr (!std::is_pointer_v<T>) {
      return static_cast<Held<T>>(arguments.number + arguments.step * numbers_++);
    } else if constexpr (!Complete<std::remove_pointer_t<T>>) {
      return nullptr;  // A handle of another kind.
    } else {
      std::string& buffer = buffers_[used_++];
      buffer.assign(kMostEntries * SizeOf<std::remove_pointer_t<T>>(), '\0');
      unsigned int word = arguments.word;
      if constexpr (requires(T pointer) { pointer->version; }) {
        if (arguments.version != 0) {
          word = static_cast<unsigned int>(sizeof(std::remove_pointer_t<T>)) | arguments.version
                                                                                   << 24;
        }
      }
      if constexpr (!std::is_same_v<std::remove_cv_t<std::remove_pointer_t<T>>, char>) {
        std::memcpy(buffer.data(), &word, sizeof(word));
      }
      return reinterpret_cast<T>(buffer.data());
    }
  }

  nvmlDevice_t device_;
  nvmlDevice_t other_;
  std::string buffers_[kMostPointers];
  std::size_t used_ = 0;
  int devices_ = 0;
  unsigned int numbers_ = 0;
};

// By function and choice of arguments, what it ever wrote.
using Answers = std::map<std::pair<std::string, std::size_t>, std::set<std::string>>;

bool IsGetter(const std::string& name) {
  static const std::regex getter("nvml(Device|System|Unit|Gpm)?(Get|Query|Validate|OnSame).*");
  // A handle is what it was asked for; a process' name is also the machine's to tell.
  return std::regex_match(name, getter) && !name.starts_with("nvmlDeviceGetHandle") &&
         name != "nvmlSystemGetProcessName";
}

void AskEverything(unsigned int boards, Answers& answers) {
  const NvmlFunctions& nvml = NvmlFunctions::Get();
  unsigned int count = 0;
  ASSERT_EQ(nvml.nvmlDeviceGetCount_v2(&count), NVML_SUCCESS);
  count = std::min(count, boards);
  std::vector<nvmlDevice_t> devices(count);
  for (unsigned int i = 0; i < count; ++i) {
    ASSERT_EQ(nvml.nvmlDeviceGetHandleByIndex_v2(i, &devices[i]), NVML_SUCCESS);
  }
  for (unsigned int i = 0; i < count; ++i) {
    Caller caller(devices[i], devices[(i + 1) % count]);
    for (std::size_t choice = 0; choice < std::size(kArguments); ++choice) {
#define NVML_FUNCTION(result, name, parameters)                                               \
  if (IsGetter(#name)) {                                                                      \
    if (const auto answer = caller.Call(nvml.name, kArguments[choice]); answer.has_value()) { \
      answers[{#name, choice}].insert(*answer);                                               \
    }                                                                                         \
  }
#include "fakegpu/abi/functions.def"
#undef NVML_FUNCTION
    }
  }
}

void SetEverything(nvmlDevice_t device, bool with_mig) {
  const NvmlFunctions& nvml = NvmlFunctions::Get();
  (void)nvml.nvmlDeviceSetPersistenceMode(device, NVML_FEATURE_DISABLED);
  (void)nvml.nvmlDeviceSetComputeMode(device, NVML_COMPUTEMODE_EXCLUSIVE_PROCESS);
  (void)nvml.nvmlDeviceSetAccountingMode(device, NVML_FEATURE_ENABLED);
  (void)nvml.nvmlDeviceSetEccMode(device, NVML_FEATURE_DISABLED);
  for (const auto api :
       {NVML_RESTRICTED_API_SET_APPLICATION_CLOCKS, NVML_RESTRICTED_API_SET_AUTO_BOOSTED_CLOCKS}) {
    nvmlEnableState_t restricted = NVML_FEATURE_DISABLED;
    (void)nvml.nvmlDeviceGetAPIRestriction(device, api, &restricted);
    (void)nvml.nvmlDeviceSetAPIRestriction(
        device, api,
        restricted == NVML_FEATURE_DISABLED ? NVML_FEATURE_ENABLED : NVML_FEATURE_DISABLED);
  }
  nvmlHostname_v1_t hostname{};
  std::strcpy(hostname.value, "worker");
  (void)nvml.nvmlDeviceSetHostname_v1(device, &hostname);
  nvmlNvlinkSetBwMode_t mode{
      .version = nvmlNvlinkSetBwMode_v1, .bSetBest = 0, .bwMode = NVML_GPU_NVLINK_BW_MODE_MIN};
  (void)nvml.nvmlDeviceSetNvlinkBwMode(device, &mode);
  (void)nvml.nvmlSystemSetNvlinkBwMode(NVML_GPU_NVLINK_BW_MODE_MIN);
  (void)nvml.nvmlDeviceSetFanSpeed_v2(device, 0, 70);
  if (with_mig) {
    nvmlReturn_t activation = NVML_SUCCESS;
    (void)nvml.nvmlDeviceSetMigMode(device, NVML_DEVICE_MIG_ENABLE, &activation);
    nvmlGpuInstance_t instance = nullptr;
    (void)nvml.nvmlDeviceCreateGpuInstance(device, 0, &instance);  // Of the whole GPU.
  }
}

// Everything that can be different is: faults, processes, settings, time.
void ChangeEverything(const control::Node& node) {
  const NvmlFunctions& nvml = NvmlFunctions::Get();
  EXPECT_THAT(node.HoldClock(), assay::testing::IsOk());
  EXPECT_THAT(node.StepClock(std::chrono::seconds(1000)), assay::testing::IsOk());
  for (const char* fault :
       {"ecc=corrected,count=3", "ecc=uncorrected", "ecc=uncorrected,memory=sram", "thermal=95",
        "power-brake", "nvlink=0", "nvlink-errors=0,counter=replay", "pcie-replays=2", "xid=48",
        "xid=63", "xid=64"}) {
    const Result<control::Fault> parsed = control::ParseFault(fault);
    ASSERT_THAT(parsed, assay::testing::IsOk());
    (void)node.Inject("all", *parsed);  // Not every board has ECC, or NVLinks.
  }
  unsigned int count = 0;
  ASSERT_EQ(nvml.nvmlDeviceGetCount_v2(&count), NVML_SUCCESS);
  for (unsigned int i = 0; i < count; ++i) {
    nvmlDevice_t device = nullptr;
    ASSERT_EQ(nvml.nvmlDeviceGetHandleByIndex_v2(i, &device), NVML_SUCCESS);
    SetEverything(device, i % 3 != 2);
    const std::string gpu = std::to_string(i);
    // Where MIG is on they need an instance.
    (void)node.StartProcess(gpu, {.pid = 1, .name = "train", .memory_bytes = 1 << 30}, 60);
    (void)node.EndProcess(gpu, 1);
    for (const std::uint32_t encoder_percent : {0U, 20U}) {  // Not every board has encoders.
      for (const auto type : {control::ProcessType::kCompute, control::ProcessType::kGraphics,
                              control::ProcessType::kMps}) {
        const auto pid = 77 + encoder_percent + static_cast<std::uint32_t>(type);
        (void)node.StartProcess(gpu,
                                {.pid = pid,
                                 .name = "train",
                                 .memory_bytes = 1 << 30,
                                 .type = type,
                                 .encoder_percent = encoder_percent,
                                 .decoder_percent = 10,
                                 .jpeg_percent = 10,
                                 .ofa_percent = 10},
                                60);
      }
    }
  }
  EXPECT_THAT(node.StepClock(std::chrono::seconds(20)), assay::testing::IsOk());
}

// The node's file; of one of them, a copy with another driver and a board that a user has changed.
std::filesystem::path NodeFile(const std::string& name, const std::filesystem::path& dir) {
  const std::filesystem::path file = "fixtures/nodes/" + name + ".yaml";
  if (name != "mixed") {
    return file;
  }
  const std::string profiles = std::filesystem::current_path() / "fixtures/profiles";
  EXPECT_THAT(WriteFileAtomically(dir / "own.yaml", "extends: " + profiles +
                                                        "/nvidia/l40s.yaml\nname: own\n"
                                                        "fans: 2\npci: {width: 8}\n"),
              assay::testing::IsOk());
  std::string text = ReadFile(file).value_or("");
  text = std::regex_replace(text, std::regex("version: [0-9.]+"), "version: 575.57.08");
  text = std::regex_replace(text, std::regex("r580_00"), "r575_00");
  text = std::regex_replace(text, std::regex("cuda: \"[0-9.]+\""), "cuda: \"12.9\"");
  text = std::regex_replace(text, std::regex("\\.\\./profiles/nvidia/l40s.yaml"), "own.yaml");
  text = std::regex_replace(text, std::regex("\\.\\./profiles"), profiles);
  const std::filesystem::path copy = dir / "node.yaml";
  EXPECT_THAT(WriteFileAtomically(copy, text), assay::testing::IsOk());
  return copy;
}

Answers AskOfEveryBoard() {
  const NvmlFunctions& nvml = NvmlFunctions::Get();
  Answers answers;
  // Those with boards of every kind, of other nodes two.
  const std::map<std::string, unsigned int> nodes = {
      {"mig-boards", 9}, {"mixed", 9}, {"dgx-h100", 2}, {"gb200-nvl72", 2}, {"a30-pairs", 2}};
  for (const auto& [file, boards] : nodes) {
    const Result<TempDir> dir = TempDir::Create("constants-test");
    EXPECT_THAT(dir, assay::testing::IsOk());
    const std::filesystem::path state = *dir / "state";
    const Result<control::Node> node = control::Node::Create(state, NodeFile(file, dir->path()));
    EXPECT_THAT(node, assay::testing::IsOk());
    setenv("ASSAY_FAKEGPU_STATE", state.c_str(), 1);
    unsetenv("ASSAY_FAKEGPU_DEV");
    EXPECT_EQ(nvml.nvmlInit_v2(), NVML_SUCCESS);
    AskEverything(boards, answers);
    ChangeEverything(*node);
    AskEverything(boards, answers);
    EXPECT_EQ(nvml.nvmlShutdown(), NVML_SUCCESS);
  }
  return answers;
}

TEST(ConstantsTest, ListIsWhatNeverDiffers) {
  if (geteuid() != 0) {
    GTEST_SKIP() << "setters are root's";
  }
  std::map<std::string, bool> differs;  // Of those that answered.
  for (const auto& [key, written] : AskOfEveryBoard()) {
    differs[key.first] |= written.size() > 1;
  }
  std::set<std::string> listed;
#define NVML_CONSTANT(name, reason) listed.insert(#name);
#include "fakegpu/nvml/constants.def"
#undef NVML_CONSTANT
  std::string wrongly_listed;
  std::string missing;
  for (const auto& [name, differed] : differs) {
    if (differed && listed.contains(name)) {
      wrongly_listed += name + "\n";
    } else if (!differed && !listed.contains(name)) {
      missing += name + "\n";
    }
    listed.erase(name);
  }
  EXPECT_EQ(wrongly_listed, "") << "their answers differ";
  EXPECT_EQ(missing, "") << "their answers never differ: in constants.def say why";
  EXPECT_THAT(listed, IsEmpty()) << "were not asked";
  EXPECT_GT(differs.size(), 150U) << "most of the getters answer here";
}

}  // namespace
}  // namespace assay::fakegpu::nvml
