#include "fakegpu/profile/profile.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <cstdio>
#include <limits>
#include <map>
#include <string>

#include "base/yaml/yaml.h"

namespace assay::fakegpu::profile {
namespace {

using yaml::Node;

constexpr std::uint32_t kNvidia = 0x10de;
constexpr std::uint64_t kMebibyte = 1024 * 1024;
constexpr std::uint32_t kMilli = 1000;

// A required number in [min, max].
Result<std::uint32_t> Number(const Node& node, std::string_view key, std::uint64_t min,
                             std::uint64_t max) {
  ASSAY_ASSIGN_OR_RETURN(const Node* value, node.Require(key));
  ASSAY_ASSIGN_OR_RETURN(const std::uint64_t number, value->AsUint64());
  if (number < min || number > max) {
    return value->Error("expected a number from " + std::to_string(min) + " to " +
                        std::to_string(max) + ", found " + std::to_string(number));
  }
  return static_cast<std::uint32_t>(number);
}

// Reads `key` into a field; the macro names both once.
#define ASSAY_READ(node, key, min, max, field)                                           \
  do {                                                                                   \
    ASSAY_ASSIGN_OR_RETURN(const std::uint32_t read_value, Number(node, key, min, max)); \
    field = read_value;                                                                  \
  } while (false)

template <std::size_t N>
Status ReadText(const Node& node, std::string_view key, char (&field)[N]) {
  ASSAY_ASSIGN_OR_RETURN(const Node* value, node.Require(key));
  ASSAY_ASSIGN_OR_RETURN(const std::string text, value->AsString());
  const Status status = model::SetText(text, field);
  return status.ok() ? status : value->Error("expected " + status.message());
}

// A required value out of a list of words.
Result<std::uint32_t> Word(const Node& node, std::string_view key,
                           const std::map<std::string, std::uint32_t, std::less<>>& words) {
  ASSAY_ASSIGN_OR_RETURN(const Node* value, node.Require(key));
  ASSAY_ASSIGN_OR_RETURN(const std::string text, value->AsString());
  const auto found = words.find(text);
  if (found != words.end()) {
    return found->second;
  }
  std::string expected;
  for (const auto& [word, number] : words) {
    expected += (expected.empty() ? "" : ", ") + word;
  }
  return value->Error("expected one of " + expected + ", found \"" + text + "\"");
}

// "9.0" as {9, 0}.
Result<std::pair<std::uint32_t, std::uint32_t>> Dotted(const Node& node, std::string_view key) {
  ASSAY_ASSIGN_OR_RETURN(const Node* value, node.Require(key));
  ASSAY_ASSIGN_OR_RETURN(const std::string text, value->AsString());
  unsigned major = 0;
  unsigned minor = 0;
  char after = '\0';
  if (std::sscanf(text.c_str(), "%3u.%3u%c", &major, &minor, &after) != 2) {
    return value->Error("expected two numbers and a point, as in \"9.0\", found \"" + text + "\"");
  }
  return std::pair(major, minor);
}

Result<layout::PciAddress> PciAddress(const Node& value) {
  ASSAY_ASSIGN_OR_RETURN(const std::string text, value.AsString());
  layout::PciAddress pci{};
  char after = '\0';
  if (std::sscanf(text.c_str(), "%8x:%2x:%2x.%1x%c", &pci.domain, &pci.bus, &pci.device,
                  &pci.function, &after) != 4 ||
      pci.device > 31 || pci.function > 7) {
    return value.Error("expected a PCI address, as in \"0000:1b:00.0\", found \"" + text + "\"");
  }
  return pci;
}

Result<layout::CpuRange> CpuRange(const Node& value) {
  ASSAY_ASSIGN_OR_RETURN(const std::string text, value.AsString());
  unsigned first = 0;
  unsigned last = 0;
  char after = '\0';
  if (std::sscanf(text.c_str(), "%5u-%5u%c", &first, &last, &after) != 2 || last < first) {
    return value.Error("expected a range of CPUs, as in 0-55, found \"" + text + "\"");
  }
  return layout::CpuRange{first, last - first + 1};
}

// The items of a required sequence, of at most `limit`.
Result<const std::vector<Node>*> Items(const Node& node, std::string_view key, std::size_t limit) {
  ASSAY_ASSIGN_OR_RETURN(const Node* value, node.Require(key));
  if (!value->IsSequence()) {
    return value->Error("expected a sequence");
  }
  if (value->items().size() > limit) {
    return value->Error("expected at most " + std::to_string(limit) + " entries");
  }
  return &value->items();
}

Status ReadPci(const Node& node, layout::Identity& identity) {
  ASSAY_RETURN_IF_ERROR(node.CheckKeys({"device_id", "subsystem_id", "generation", "width"}));
  std::uint32_t device = 0;
  std::uint32_t subsystem = 0;
  ASSAY_READ(node, "device_id", 0, 0xffff, device);
  ASSAY_READ(node, "subsystem_id", 0, 0xffff, subsystem);
  ASSAY_READ(node, "generation", 1, 6, identity.max_pcie_generation);
  ASSAY_READ(node, "width", 1, 16, identity.max_pcie_width);
  identity.pci_device_id = device << 16 | kNvidia;
  identity.pci_subsystem_id = subsystem << 16 | kNvidia;
  return OkStatus();
}

Status ReadMemory(const Node& node, layout::Identity& identity) {
  ASSAY_RETURN_IF_ERROR(node.CheckKeys({"total_mib", "reserved_mib", "bus_bits", "bar1_mib"}));
  constexpr std::uint64_t kMost = 4 * 1024 * 1024;
  std::uint64_t total = 0;
  std::uint64_t reserved = 0;
  std::uint64_t bar1 = 0;
  ASSAY_READ(node, "total_mib", 1, kMost, total);
  ASSAY_READ(node, "reserved_mib", 0, total, reserved);
  ASSAY_READ(node, "bar1_mib", 1, kMost, bar1);
  ASSAY_READ(node, "bus_bits", 1, 65536, identity.memory_bus_bits);
  identity.memory_total_bytes = total * kMebibyte;
  identity.memory_reserved_bytes = reserved * kMebibyte;
  identity.bar1_total_bytes = bar1 * kMebibyte;
  return OkStatus();
}

Status ReadClocks(const Node& node, layout::Limits& limits) {
  ASSAY_RETURN_IF_ERROR(node.CheckKeys({"graphics_max_mhz", "graphics_min_mhz", "graphics_idle_mhz",
                                        "graphics_step_mhz", "video_max_mhz", "memory_mhz",
                                        "application_graphics_mhz", "application_memory_mhz"}));
  constexpr std::uint32_t kMost = 100'000;
  ASSAY_READ(node, "graphics_max_mhz", 1, kMost, limits.clock_graphics_max_mhz);
  ASSAY_READ(node, "graphics_min_mhz", 1, limits.clock_graphics_max_mhz,
             limits.clock_graphics_min_mhz);
  ASSAY_READ(node, "graphics_idle_mhz", 1, limits.clock_graphics_max_mhz,
             limits.clock_graphics_idle_mhz);
  ASSAY_READ(node, "graphics_step_mhz", 1, kMost, limits.clock_graphics_step_mhz);
  ASSAY_READ(node, "video_max_mhz", 1, kMost, limits.clock_video_max_mhz);
  ASSAY_READ(node, "application_graphics_mhz", 1, limits.clock_graphics_max_mhz,
             limits.clock_application_graphics_mhz);
  ASSAY_READ(node, "application_memory_mhz", 1, kMost, limits.clock_application_memory_mhz);
  ASSAY_ASSIGN_OR_RETURN(const auto* clocks, Items(node, "memory_mhz", layout::kMaxMemoryClocks));
  for (std::size_t i = 0; i < clocks->size(); ++i) {
    ASSAY_ASSIGN_OR_RETURN(const std::uint64_t mhz, (*clocks)[i].AsUint64());
    if (mhz == 0 || mhz > kMost || (i > 0 && mhz >= limits.clock_memory_mhz[i - 1])) {
      return (*clocks)[i].Error("expected clocks in MHz, the highest first");
    }
    limits.clock_memory_mhz[i] = static_cast<std::uint32_t>(mhz);
  }
  return clocks->empty() ? node.Error("memory_mhz: expected at least one clock") : OkStatus();
}

Status ReadPower(const Node& node, layout::Limits& limits) {
  ASSAY_RETURN_IF_ERROR(node.CheckKeys({"min_w", "default_w", "max_w", "idle_w"}));
  constexpr std::uint32_t kMost = 100'000;
  std::uint32_t least = 0;
  std::uint32_t usual = 0;
  std::uint32_t most = 0;
  std::uint32_t idle = 0;
  ASSAY_READ(node, "max_w", 1, kMost, most);
  ASSAY_READ(node, "min_w", 1, most, least);
  ASSAY_READ(node, "default_w", least, most, usual);
  ASSAY_READ(node, "idle_w", 1, usual, idle);
  limits.power_min_mw = least * kMilli;
  limits.power_default_mw = usual * kMilli;
  limits.power_max_mw = most * kMilli;
  limits.power_idle_mw = idle * kMilli;
  return OkStatus();
}

Status ReadTemperature(const Node& node, layout::Limits& limits) {
  ASSAY_RETURN_IF_ERROR(node.CheckKeys(
      {"idle_c", "load_c", "gpu_max_c", "slowdown_c", "shutdown_c", "memory_max_c"}));
  constexpr std::uint32_t kMost = 200;
  ASSAY_READ(node, "shutdown_c", 1, kMost, limits.temperature_shutdown_c);
  ASSAY_READ(node, "slowdown_c", 1, limits.temperature_shutdown_c, limits.temperature_slowdown_c);
  ASSAY_READ(node, "gpu_max_c", 1, limits.temperature_shutdown_c, limits.temperature_gpu_max_c);
  ASSAY_READ(node, "load_c", 1, limits.temperature_slowdown_c, limits.temperature_load_c);
  ASSAY_READ(node, "idle_c", 1, limits.temperature_load_c, limits.temperature_idle_c);
  ASSAY_READ(node, "memory_max_c", 1, kMost, limits.temperature_memory_max_c);
  return OkStatus();
}

Status ReadFirmware(const Node& node, layout::Identity& identity) {
  ASSAY_RETURN_IF_ERROR(
      node.CheckKeys({"part_number", "vbios", "inforom_image", "inforom_oem", "inforom_ecc"}));
  ASSAY_RETURN_IF_ERROR(ReadText(node, "part_number", identity.part_number));
  ASSAY_RETURN_IF_ERROR(ReadText(node, "vbios", identity.vbios));
  ASSAY_RETURN_IF_ERROR(ReadText(node, "inforom_image", identity.inforom_image));
  ASSAY_RETURN_IF_ERROR(ReadText(node, "inforom_oem", identity.inforom_oem));
  return ReadText(node, "inforom_ecc", identity.inforom_ecc);
}

Status ReadNvLink(const Node& node, Board& board) {
  ASSAY_RETURN_IF_ERROR(node.CheckKeys({"version", "links", "mbps"}));
  ASSAY_READ(node, "version", 1, 10, board.state.nvlink_version);
  ASSAY_READ(node, "links", 1, layout::kMaxLinks, board.nvlinks);
  ASSAY_READ(node, "mbps", 1, 10'000'000, board.state.nvlink_mbps);
  return OkStatus();
}

Status ReadC2c(const Node& node, layout::Identity& identity) {
  ASSAY_RETURN_IF_ERROR(node.CheckKeys({"links", "mbps"}));
  ASSAY_READ(node, "links", 1, 64, identity.c2c_links);
  ASSAY_READ(node, "mbps", 1, 10'000'000, identity.c2c_mbps);
  return OkStatus();
}

Status ReadPowerProfile(const Node& node, layout::PowerProfiles& profiles) {
  ASSAY_RETURN_IF_ERROR(node.CheckKeys({"id", "priority", "conflicts"}));
  std::uint32_t id = 0;
  ASSAY_READ(node, "id", 0, layout::kMaxPowerProfiles - 1, id);
  if ((profiles.offered >> id & 1) != 0) {
    return node.Error("expected an id of its own");
  }
  profiles.offered |= 1U << id;
  ASSAY_READ(node, "priority", 0, 255, profiles.profiles[id].priority);
  ASSAY_ASSIGN_OR_RETURN(const auto* conflicts,
                         Items(node, "conflicts", layout::kMaxPowerProfiles));
  for (const Node& conflict : *conflicts) {
    ASSAY_ASSIGN_OR_RETURN(const std::uint64_t other, conflict.AsUint64());
    if (other == id || other >= layout::kMaxPowerProfiles) {
      return conflict.Error("expected the id of another profile, found " + std::to_string(other));
    }
    profiles.profiles[id].conflicts |= 1U << other;
    profiles.profiles[other].conflicts |= 1U << id;
  }
  return OkStatus();
}

Result<layout::MigProfile> ReadMigProfile(const Node& node, std::uint32_t memory_slices) {
  ASSAY_RETURN_IF_ERROR(node.CheckKeys(
      {"index", "id", "slices", "instances", "memory_gib", "multiprocessors", "copy_engines",
       "decoders", "encoders", "jpeg_engines", "ofa_engines", "size", "starts", "attribute"}));
  constexpr std::uint32_t kMostEngines = 64;
  layout::MigProfile profile{};
  profile.valid = 1;
  ASSAY_READ(node, "index", 0, layout::kMaxMigProfiles - 1, profile.index);
  ASSAY_READ(node, "id", 0, 255, profile.id);
  ASSAY_READ(node, "slices", 1, 8, profile.slices);
  ASSAY_READ(node, "instances", 1, layout::kMaxGpuInstances, profile.instances);
  ASSAY_READ(node, "multiprocessors", 1, 1024, profile.multiprocessors);
  ASSAY_READ(node, "copy_engines", 0, kMostEngines, profile.copy_engines);
  ASSAY_READ(node, "decoders", 0, kMostEngines, profile.decoders);
  ASSAY_READ(node, "jpeg_engines", 0, kMostEngines, profile.jpeg_engines);
  ASSAY_READ(node, "ofa_engines", 0, kMostEngines, profile.ofa_engines);
  ASSAY_READ(node, "size", 1, memory_slices, profile.placement_size);
  ASSAY_ASSIGN_OR_RETURN(const std::uint64_t encoders, node.GetUint64Or("encoders", 0));
  profile.encoders = static_cast<std::uint32_t>(encoders);
  ASSAY_ASSIGN_OR_RETURN(const double gibibytes, node.GetDoubleOr("memory_gib", 0));
  if (!(gibibytes > 0 && gibibytes < 4096)) {
    return node.Error("memory_gib: expected a size from 0 to 4096");
  }
  profile.memory_mib = static_cast<std::uint64_t>(gibibytes * 1024);
  if (node.Find("attribute") != nullptr) {
    ASSAY_ASSIGN_OR_RETURN(profile.attribute, Word(node, "attribute",
                                                   {{"+me", layout::kMigMedia},
                                                    {"+gfx", layout::kMigGraphics},
                                                    {"+me.all", layout::kMigAllMedia},
                                                    {"-me", layout::kMigNoMedia}}));
  }
  ASSAY_ASSIGN_OR_RETURN(const auto* starts, Items(node, "starts", 8));
  for (const Node& start : *starts) {
    ASSAY_ASSIGN_OR_RETURN(const std::uint64_t slice, start.AsUint64());
    if (slice + profile.placement_size > memory_slices) {
      return start.Error("expected a memory slice from which " +
                         std::to_string(profile.placement_size) + " of " +
                         std::to_string(memory_slices) + " are left");
    }
    profile.placements |= 1U << slice;
  }
  return profile;
}

Status ReadMig(const Node& node, layout::GpuState& gpu) {
  ASSAY_RETURN_IF_ERROR(node.CheckKeys({"memory_slices", "profiles"}));
  ASSAY_READ(node, "memory_slices", 1, 8, gpu.mig_memory_slices);
  ASSAY_ASSIGN_OR_RETURN(const auto* profiles, Items(node, "profiles", layout::kMaxMigProfiles));
  for (std::size_t i = 0; i < profiles->size(); ++i) {
    ASSAY_ASSIGN_OR_RETURN(gpu.mig_profiles[i],
                           ReadMigProfile((*profiles)[i], gpu.mig_memory_slices));
    for (std::size_t j = 0; j < i; ++j) {
      if (gpu.mig_profiles[j].id == gpu.mig_profiles[i].id ||
          gpu.mig_profiles[j].index == gpu.mig_profiles[i].index) {
        return (*profiles)[i].Error("expected an index and an id of its own");
      }
    }
  }
  gpu.mig_supported = 1;
  return OkStatus();
}

// A required mapping, handed to `read`.
template <typename Read>
Status ReadPart(const Node& node, std::string_view key, Read&& read) {
  ASSAY_ASSIGN_OR_RETURN(const Node* part, node.Require(key));
  return read(*part);
}

// A board's file laid on the one that it extends, if any, and so on.
Result<Node> LoadWithBases(const std::filesystem::path& path, int depth) {
  constexpr int kMostBases = 8;
  ASSAY_ASSIGN_OR_RETURN(Node root, yaml::ParseFile(path));
  const Node* extends = root.Find("extends");
  if (extends == nullptr) {
    return root;
  }
  ASSAY_ASSIGN_OR_RETURN(const std::string file, extends->AsString());
  if (depth == kMostBases) {
    return extends->Error("boards extend each other in a ring, or more than " +
                          std::to_string(kMostBases) + " deep");
  }
  Result<Node> base = LoadWithBases(path.parent_path() / file, depth + 1);
  if (base.status().code() == StatusCode::kNotFound) {
    return extends->Error("expected a board's file; " + base.status().message());
  }
  ASSAY_RETURN_IF_ERROR(base.status());
  return yaml::Overlay(*base, root);
}

Result<Board> ReadBoard(const Node& node) {
  ASSAY_RETURN_IF_ERROR(node.CheckKeys({"extends",      "name",
                                        "product",      "brand",
                                        "architecture", "compute_capability",
                                        "cores",        "multiprocessors",
                                        "fans",         "encoders",
                                        "ecc",          "memory_repair",
                                        "pci",          "memory",
                                        "clocks",       "power",
                                        "temperature",  "firmware",
                                        "nvlink",       "c2c",
                                        "mig",          "power_profiles"}));
  Board board;
  layout::Identity& identity = board.state.identity;
  layout::Limits& limits = board.state.limits;
  ASSAY_ASSIGN_OR_RETURN(const std::string name, node.GetString("name"));
  ASSAY_RETURN_IF_ERROR(ReadText(node, "product", identity.name));
  // The numbers of nvmlBrandType_t and NVML_DEVICE_ARCH_*.
  ASSAY_ASSIGN_OR_RETURN(
      identity.brand,
      Word(node, "brand",
           {{"tesla", 2}, {"nvidia", 14}, {"nvidia-rtx", 13}, {"geforce", 5}, {"quadro", 1}}));
  ASSAY_ASSIGN_OR_RETURN(
      identity.architecture,
      Word(node, "architecture",
           {{"turing", 6}, {"ampere", 7}, {"ada", 8}, {"hopper", 9}, {"blackwell", 10}}));
  ASSAY_ASSIGN_OR_RETURN(const auto capability, Dotted(node, "compute_capability"));
  identity.compute_major = capability.first;
  identity.compute_minor = capability.second;
  ASSAY_READ(node, "cores", 1, 1'000'000, identity.cores);
  ASSAY_READ(node, "multiprocessors", 1, 1024, identity.multiprocessors);
  ASSAY_ASSIGN_OR_RETURN(const std::uint64_t fans, node.GetUint64Or("fans", 0));
  identity.fans = static_cast<std::uint32_t>(std::min<std::uint64_t>(fans, 8));
  ASSAY_ASSIGN_OR_RETURN(const std::uint64_t encoders, node.GetUint64Or("encoders", 0));
  identity.encoders = static_cast<std::uint32_t>(std::min<std::uint64_t>(encoders, 8));
  ASSAY_RETURN_IF_ERROR(
      ReadPart(node, "pci", [&](const Node& part) { return ReadPci(part, identity); }));
  ASSAY_RETURN_IF_ERROR(
      ReadPart(node, "memory", [&](const Node& part) { return ReadMemory(part, identity); }));
  ASSAY_RETURN_IF_ERROR(
      ReadPart(node, "clocks", [&](const Node& part) { return ReadClocks(part, limits); }));
  ASSAY_RETURN_IF_ERROR(
      ReadPart(node, "power", [&](const Node& part) { return ReadPower(part, limits); }));
  ASSAY_RETURN_IF_ERROR(ReadPart(node, "temperature",
                                 [&](const Node& part) { return ReadTemperature(part, limits); }));
  ASSAY_RETURN_IF_ERROR(
      ReadPart(node, "firmware", [&](const Node& part) { return ReadFirmware(part, identity); }));
  if (const Node* nvlink = node.Find("nvlink"); nvlink != nullptr) {
    ASSAY_RETURN_IF_ERROR(ReadNvLink(*nvlink, board));
  }
  if (const Node* c2c = node.Find("c2c"); c2c != nullptr) {
    ASSAY_RETURN_IF_ERROR(ReadC2c(*c2c, identity));
  }
  if (const Node* mig = node.Find("mig"); mig != nullptr) {
    ASSAY_RETURN_IF_ERROR(ReadMig(*mig, board.state));
  }
  if (node.Find("power_profiles") != nullptr) {
    ASSAY_ASSIGN_OR_RETURN(const auto* profiles,
                           Items(node, "power_profiles", layout::kMaxPowerProfiles));
    for (const Node& profile : *profiles) {
      ASSAY_RETURN_IF_ERROR(ReadPowerProfile(profile, board.state.power_profiles));
    }
  }
  if (node.Find("memory_repair") != nullptr) {
    ASSAY_ASSIGN_OR_RETURN(identity.retires_pages,
                           Word(node, "memory_repair", {{"remap-rows", 0}, {"retire-pages", 1}}));
  }
  // As data-centre boards are delivered, unless said.
  ASSAY_ASSIGN_OR_RETURN(const bool ecc, node.GetBoolOr("ecc", true));
  board.state.settings.ecc_current = ecc ? 1 : 0;
  board.state.settings.ecc_pending = ecc ? 1 : 0;
  board.state.settings.persistence = 1;
  return board;
}

// What grows from one of a run of equal GPUs to the next.
struct Step {
  std::uint32_t domain = 0;
  std::uint32_t bus = 0;
  std::uint32_t root_bus = 0;
  std::uint32_t switch_number = 0;
  std::uint32_t module_id = 0;
};
Result<Step> ReadStep(const Node& node) {
  ASSAY_RETURN_IF_ERROR(node.CheckKeys({"domain", "bus", "root_bus", "switch", "module_id"}));
  Step step;
  const auto read = [&node](const char* key, std::uint32_t& field) -> Status {
    if (node.Find(key) != nullptr) {
      ASSAY_READ(node, key, 0, 0xffff, field);
    }
    return OkStatus();
  };
  ASSAY_RETURN_IF_ERROR(read("domain", step.domain));
  ASSAY_RETURN_IF_ERROR(read("bus", step.bus));
  ASSAY_RETURN_IF_ERROR(read("root_bus", step.root_bus));
  ASSAY_RETURN_IF_ERROR(read("switch", step.switch_number));
  ASSAY_RETURN_IF_ERROR(read("module_id", step.module_id));
  return step;
}

Result<model::PlacedGpu> ReadPlacedGpu(const Node& node, const Board& board) {
  model::PlacedGpu placed;
  placed.board = board.state;
  placed.nvlinks = board.nvlinks;
  ASSAY_ASSIGN_OR_RETURN(const Node* pci, node.Require("pci"));
  ASSAY_ASSIGN_OR_RETURN(placed.pci, PciAddress(*pci));
  ASSAY_READ(node, "root_bus", 0, 255, placed.pci_root_bus);
  ASSAY_READ(node, "numa_node", 0, 1023, placed.numa_node);
  ASSAY_READ(node, "module_id", 0, 255, placed.module_id);
  ASSAY_ASSIGN_OR_RETURN(const std::uint64_t switch_number, node.GetUint64Or("switch", 0));
  placed.pci_switch = static_cast<std::uint32_t>(switch_number);
  if (node.Find("minor") != nullptr) {
    ASSAY_READ(node, "minor", 0, layout::kMaxGpus - 1, placed.minor.emplace());
  }
  const auto read_text = [&node](const char* key, std::optional<std::string>& text) -> Status {
    if (node.Find(key) != nullptr) {
      ASSAY_ASSIGN_OR_RETURN(text.emplace(), node.GetString(key));
    }
    return OkStatus();
  };
  ASSAY_RETURN_IF_ERROR(read_text("uuid", placed.uuid));
  ASSAY_RETURN_IF_ERROR(read_text("serial", placed.serial));
  ASSAY_ASSIGN_OR_RETURN(const auto* cpus, Items(node, "cpus", layout::kMaxCpuRanges));
  for (const Node& range : *cpus) {
    ASSAY_ASSIGN_OR_RETURN(placed.cpus.emplace_back(), CpuRange(range));
  }
  return placed;
}

// The GPUs of an entry: one, or `count` in a run.
Status ReadPlacedGpus(const Node& node, const Board& board, std::vector<model::PlacedGpu>& gpus) {
  ASSAY_ASSIGN_OR_RETURN(model::PlacedGpu placed, ReadPlacedGpu(node, board));
  std::uint32_t count = 1;
  Step step;
  if (node.Find("count") != nullptr) {
    ASSAY_READ(node, "count", 1, layout::kMaxGpus, count);
    if (placed.minor.has_value() || placed.uuid.has_value() || placed.serial.has_value()) {
      return node.Error("minor, uuid and serial: they belong to one GPU, but count is given");
    }
    ASSAY_ASSIGN_OR_RETURN(const Node* step_node, node.Require("step"));
    ASSAY_ASSIGN_OR_RETURN(step, ReadStep(*step_node));
  } else if (const Node* step_node = node.Find("step"); step_node != nullptr) {
    return step_node->Error("expected a count beside it");
  }
  for (std::uint32_t i = 0; i < count; ++i) {
    if (placed.pci.bus > 255 || placed.pci_root_bus > 255 || gpus.size() == layout::kMaxGpus) {
      return node.Error("count: GPU " + std::to_string(i) +
                        " of it has no place: a PCI domain has " + "256 buses, a node " +
                        std::to_string(layout::kMaxGpus) + " GPUs");
    }
    gpus.push_back(placed);
    placed.pci.domain += step.domain;
    placed.pci.bus += step.bus;
    placed.pci_root_bus += step.root_bus;
    placed.pci_switch += step.switch_number;
    placed.module_id += step.module_id;
  }
  return OkStatus();
}

// NVLink bridges: pairs of GPUs whose links join each other.
Status ReadBridges(const std::vector<Node>& bridges, model::NodeSpec& spec) {
  for (const Node& bridge : bridges) {
    ASSAY_RETURN_IF_ERROR(bridge.CheckKeys({"gpus"}));
    ASSAY_ASSIGN_OR_RETURN(const auto* gpus, Items(bridge, "gpus", 2));
    std::vector<std::size_t> pair;
    for (const Node& gpu : *gpus) {
      ASSAY_ASSIGN_OR_RETURN(const std::uint64_t index, gpu.AsUint64());
      if (index >= spec.gpus.size() || spec.gpus[index].nvlinks == 0 ||
          spec.gpus[index].bridged_to.has_value() || (!pair.empty() && pair[0] == index)) {
        return gpu.Error("expected the index of a GPU with NVLinks that no bridge has yet");
      }
      pair.push_back(index);
    }
    if (pair.size() != 2) {
      return bridge.Error("gpus: expected two");
    }
    spec.gpus[pair[0]].bridged_to = pair[1];
    spec.gpus[pair[1]].bridged_to = pair[0];
  }
  return OkStatus();
}

// 16 bytes, as a UUID is written.
Result<std::array<std::uint8_t, 16>> UuidBytes(const Node& node, std::string_view key) {
  ASSAY_ASSIGN_OR_RETURN(const Node* value, node.Require(key));
  ASSAY_ASSIGN_OR_RETURN(const std::string text, value->AsString());
  std::array<std::uint8_t, 16> bytes{};
  std::size_t digits = 0;
  for (const char c : text) {
    if (c == '-') {
      continue;
    }
    const int digit = std::isdigit(static_cast<unsigned char>(c)) != 0 ? c - '0'
                      : c >= 'a' && c <= 'f'                           ? c - 'a' + 10
                                                                       : -1;
    if (digit < 0 || digits == 32) {
      digits = 0;
      break;
    }
    bytes[digits / 2] = static_cast<std::uint8_t>(bytes[digits / 2] << 4 | digit);
    ++digits;
  }
  if (digits != 32) {
    return value->Error("expected a UUID in lower case, found \"" + text + "\"");
  }
  return bytes;
}

Status ReadFabric(const Node& node, model::NodeSpec& spec) {
  ASSAY_RETURN_IF_ERROR(node.CheckKeys({"cluster_uuid", "clique"}));
  ASSAY_ASSIGN_OR_RETURN(spec.fabric_cluster, UuidBytes(node, "cluster_uuid"));
  ASSAY_READ(node, "clique", 0, 0xffff'ffff, spec.fabric_clique);
  return OkStatus();
}

Status ReadPlatform(const Node& node, layout::Platform& platform) {
  ASSAY_RETURN_IF_ERROR(node.CheckKeys({"chassis_serial", "slot", "tray", "host", "switched"}));
  ASSAY_ASSIGN_OR_RETURN(const Node* serial, node.Require("chassis_serial"));
  ASSAY_ASSIGN_OR_RETURN(const std::string text, serial->AsString());
  if (text.empty() || text.size() > sizeof(platform.chassis_serial)) {
    return serial->Error("expected 1 to 16 characters");
  }
  std::copy(text.begin(), text.end(), platform.chassis_serial);
  ASSAY_READ(node, "slot", 0, 255, platform.slot);
  ASSAY_READ(node, "tray", 0, 255, platform.tray);
  ASSAY_READ(node, "host", 0, 255, platform.host);
  ASSAY_ASSIGN_OR_RETURN(const bool switched, node.GetBoolOr("switched", false));
  platform.switched = switched ? 1 : 0;
  platform.known = 1;
  return OkStatus();
}

Status ReadSwitches(const Node& node, model::NodeSpec& spec) {
  ASSAY_RETURN_IF_ERROR(node.CheckKeys({"device_id", "addresses"}));
  ASSAY_READ(node, "device_id", 0, 0xffff, spec.nvswitch_device_id);
  ASSAY_ASSIGN_OR_RETURN(const auto* addresses, Items(node, "addresses", 64));
  for (const Node& address : *addresses) {
    ASSAY_ASSIGN_OR_RETURN(spec.nvswitches.emplace_back(), PciAddress(address));
  }
  return OkStatus();
}

Status ReadDriver(const Node& node, model::NodeSpec& spec) {
  ASSAY_RETURN_IF_ERROR(node.CheckKeys({"version", "branch", "cuda"}));
  ASSAY_ASSIGN_OR_RETURN(spec.driver_version, node.GetString("version"));
  ASSAY_ASSIGN_OR_RETURN(spec.driver_branch, node.GetString("branch"));
  ASSAY_ASSIGN_OR_RETURN(const auto cuda, Dotted(node, "cuda"));
  spec.cuda_version = cuda.first * 1000 + cuda.second * 10;
  return OkStatus();
}

#undef ASSAY_READ

}  // namespace

Result<Board> LoadBoard(const std::filesystem::path& path) {
  ASSAY_ASSIGN_OR_RETURN(const Node root, LoadWithBases(path, 0));
  return ReadBoard(root);
}

Result<model::NodeSpec> LoadNode(const std::filesystem::path& path) {
  ASSAY_ASSIGN_OR_RETURN(const Node root, yaml::ParseFile(path));
  ASSAY_RETURN_IF_ERROR(root.CheckKeys(
      {"name", "seed", "driver", "nvswitch", "nvlink_bridges", "fabric", "platform", "gpus"}));
  model::NodeSpec spec;
  ASSAY_ASSIGN_OR_RETURN(spec.name, root.GetString("name"));
  ASSAY_ASSIGN_OR_RETURN(spec.seed, root.GetUint64Or("seed", 1));
  ASSAY_RETURN_IF_ERROR(
      ReadPart(root, "driver", [&](const Node& part) { return ReadDriver(part, spec); }));
  if (const Node* nvswitch = root.Find("nvswitch"); nvswitch != nullptr) {
    ASSAY_RETURN_IF_ERROR(ReadSwitches(*nvswitch, spec));
  }
  if (const Node* fabric = root.Find("fabric"); fabric != nullptr) {
    ASSAY_RETURN_IF_ERROR(ReadFabric(*fabric, spec));
  }
  layout::Platform platform{};
  if (const Node* node = root.Find("platform"); node != nullptr) {
    ASSAY_RETURN_IF_ERROR(ReadPlatform(*node, platform));
  }
  ASSAY_ASSIGN_OR_RETURN(const auto* gpus, Items(root, "gpus", layout::kMaxGpus));
  std::map<std::string, Board> boards;  // By the path as written.
  for (const Node& gpu : *gpus) {
    ASSAY_RETURN_IF_ERROR(
        gpu.CheckKeys({"profile", "pci", "root_bus", "switch", "numa_node", "cpus", "module_id",
                       "minor", "uuid", "serial", "count", "step"}));
    ASSAY_ASSIGN_OR_RETURN(const Node* profile, gpu.Require("profile"));
    ASSAY_ASSIGN_OR_RETURN(const std::string file, profile->AsString());
    if (!boards.contains(file)) {
      Result<Board> board = LoadBoard(path.parent_path() / file);
      if (board.status().code() == StatusCode::kNotFound) {
        return profile->Error("expected a profile's file; " + board.status().message());
      }
      ASSAY_RETURN_IF_ERROR(board.status());
      // The driver brings the firmware of the GPU's system processor.
      ASSAY_RETURN_IF_ERROR(
          model::SetText(spec.driver_version, board->state.identity.gsp_firmware));
      board->state.identity.platform = platform;
      boards.emplace(file, *board);
    }
    ASSAY_RETURN_IF_ERROR(ReadPlacedGpus(gpu, boards.at(file), spec.gpus));
  }
  if (root.Find("nvlink_bridges") != nullptr) {
    ASSAY_ASSIGN_OR_RETURN(const auto* bridges, Items(root, "nvlink_bridges", layout::kMaxGpus));
    ASSAY_RETURN_IF_ERROR(ReadBridges(*bridges, spec));
  }
  return spec;
}

}  // namespace assay::fakegpu::profile
