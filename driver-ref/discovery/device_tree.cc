#include "driver-ref/discovery/device_tree.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdint>
#include <string_view>
#include <system_error>
#include <utility>

#include "base/file.h"
#include "driver-ref/discovery/attributes.h"

namespace assay::driver_ref::discovery {
namespace {

namespace fs = std::filesystem;
using api::meta::Quantity;

// More is no tree of devices; a device that nobody made would cost every look at the others.
constexpr std::size_t kMaxDevices = 1024;
constexpr std::uintmax_t kMaxFileBytes = 4096;
constexpr std::size_t kMaxLines = 64;

std::string_view Trim(std::string_view text) {
  constexpr std::string_view kSpace = " \t\r\n";
  const std::size_t begin = text.find_first_not_of(kSpace);
  return begin == std::string_view::npos
             ? std::string_view()
             : text.substr(begin, text.find_last_not_of(kSpace) - begin + 1);
}

std::vector<std::string> Split(std::string_view text, char separator) {
  std::vector<std::string> parts;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find(separator), text.size());
    if (const std::string_view part = Trim(text.substr(0, end)); !part.empty()) {
      parts.emplace_back(part);
    }
    text.remove_prefix(std::min(text.size(), end + 1));
  }
  return parts;
}

std::optional<std::int64_t> ParseNumber(std::string_view text) {
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc() && end == text.data() + text.size() && !text.empty()
             ? std::optional(number)
             : std::nullopt;
}

// "accel0 120:0"
std::optional<DeviceNode> ParseNode(const std::string& line) {
  const std::vector<std::string> words = Split(line, ' ');
  if (words.size() != 2) {
    return std::nullopt;
  }
  const fs::path path(words[0]);
  const bool below = path.is_relative() && std::ranges::none_of(path, [](const fs::path& part) {
                       return part == ".." || part == ".";
                     });
  const std::vector<std::string> numbers = Split(words[1], ':');
  if (!below || numbers.size() != 2) {
    return std::nullopt;
  }
  const std::optional<std::int64_t> major = ParseNumber(numbers[0]);
  const std::optional<std::int64_t> minor = ParseNumber(numbers[1]);
  return major && minor && *major >= 0 && *minor >= 0
             ? std::optional(DeviceNode{.path = words[0], .major = *major, .minor = *minor})
             : std::nullopt;
}

class Reader {
 public:
  Reader(const fs::path& directory, std::vector<std::string>& problems)
      : directory_(directory), problems_(&problems) {}

  std::string Text(const std::string& file) {
    const fs::path path = directory_ / file;
    std::error_code error;
    if (!fs::exists(path, error)) {
      return "";
    }
    if (!fs::is_regular_file(path, error) || fs::file_size(path, error) > kMaxFileBytes || error) {
      Problem(file, "is no file of at most " + std::to_string(kMaxFileBytes) + " bytes");
      return "";
    }
    // One that goes away now is as one that was never there.
    return std::string(Trim(ReadFile(path).value_or("")));
  }

  std::optional<std::int64_t> Number(const std::string& file) {
    const std::string text = Text(file);
    const std::optional<std::int64_t> number = ParseNumber(text);
    if (!text.empty() && !number) {
      Problem(file, "\"" + text + "\" is no number");
    }
    return number;
  }

  std::vector<std::string> Lines(const std::string& file) {
    std::vector<std::string> lines = Split(Text(file), '\n');
    if (lines.size() > kMaxLines) {
      Problem(file, "has more than " + std::to_string(kMaxLines) + " lines");
      lines.clear();
    }
    return lines;
  }

  std::optional<std::array<std::uint32_t, 3>> Position(const std::string& file) {
    const std::string text = Text(file);
    if (text.empty()) {
      return std::nullopt;
    }
    const std::vector<std::string> parts = Split(text, ',');
    std::array<std::uint32_t, 3> position = {};
    for (std::size_t axis = 0; axis < 3 && parts.size() == 3; ++axis) {
      const std::optional<std::int64_t> number = ParseNumber(parts[axis]);
      if (!number || *number < 0 || *number > UINT16_MAX) {
        break;
      }
      position[axis] = static_cast<std::uint32_t>(*number);
      if (axis == 2) {
        return position;
      }
    }
    Problem(file, "\"" + text + "\" is no position such as 0,1,0");
    return std::nullopt;
  }

  std::vector<DeviceNode> Nodes(const std::string& file) {
    std::vector<DeviceNode> nodes;
    for (const std::string& line : Lines(file)) {
      if (std::optional<DeviceNode> node = ParseNode(line)) {
        nodes.push_back(*std::move(node));
      } else {
        Problem(file, "\"" + line + "\" is no device node such as accel0 120:0");
      }
    }
    return nodes;
  }

  std::map<std::string, PlainCapacity> Capacity() {
    std::map<std::string, PlainCapacity> found;
    std::error_code error;
    for (fs::directory_iterator it(directory_ / "capacity", error), end; !error && it != end;
         it.increment(error)) {
      const std::string name = it->path().filename().string();
      const std::string file = "capacity/" + name;
      const std::optional<Quantity> total = Amount(file + "/total");
      if (!IsName(name) || !total) {
        Problem(file, "is no capacity: it needs an identifier as its name, and a total");
        continue;
      }
      PlainCapacity& capacity = found[name];
      capacity.total = *total;
      capacity.step = Amount(file + "/step");
      if (capacity.step && total->Value() % capacity.step->Value() != 0) {
        Problem(file + "/step", "the total is no multiple of it");
        capacity.step.reset();
      }
    }
    return found;
  }

  void Problem(const std::string& file, const std::string& problem) {
    problems_->push_back(directory_.filename().string() + "/" + file + ": " + problem);
  }

 private:
  // The name of a capacity is a C identifier (resource.k8s.io/v1: QualifiedName).
  static bool IsName(std::string_view name) {
    return name.size() <= 32 && !(name.front() >= '0' && name.front() <= '9') &&
           std::ranges::all_of(name, [](char c) {
             return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                    c == '_' || c == '-';
           });
  }

  std::optional<Quantity> Amount(const std::string& file) {
    const std::string text = Text(file);
    if (text.empty()) {
      return std::nullopt;
    }
    Result<Quantity> amount = Quantity::Parse(text);
    if (!amount.ok() || amount->Sign() <= 0 || !amount->IsInteger()) {
      Problem(file, "\"" + text + "\" is no amount such as 40G");
      return std::nullopt;
    }
    return *std::move(amount);
  }

  fs::path directory_;
  std::vector<std::string>* problems_;
};

}  // namespace

std::optional<PlainDevice> ReadDevice(const fs::path& directory,
                                      std::vector<std::string>& problems) {
  Reader reader(directory, problems);
  PlainDevice device;
  device.name = directory.filename().string();
  device.kind = reader.Text("kind");
  if (!IsLabel(device.name) || !IsLabel(device.kind)) {
    reader.Problem("kind", "a device needs a DNS label as its name and its kind");
    return std::nullopt;
  }
  device.vendor = reader.Text("vendor");
  device.model = reader.Text("model");
  device.serial = reader.Text("serial");
  device.pci_bus_id = reader.Text("address");
  device.pcie_root = reader.Text("pcie_root");
  device.numa_node = reader.Number("numa_node");
  device.index = reader.Number("index");
  device.link_domain = reader.Text("link_domain");
  device.clique = reader.Text("clique");
  device.position = reader.Position("position");
  device.links = reader.Lines("links");
  device.interface = reader.Text("interface");
  device.hardware_address = reader.Text("hardware_address");
  device.nodes = reader.Nodes("nodes");
  device.capacity = reader.Capacity();
  if (const std::string health = reader.Text("health"); health != "ok") {
    device.needs = health;
  }
  return device;
}

Result<Inventory> DeviceTree::Discover() {
  std::vector<fs::path> directories;
  std::error_code error;
  for (fs::directory_iterator it(root_, error), end; !error && it != end; it.increment(error)) {
    std::error_code gone;
    if (!it->path().filename().string().starts_with('.') && it->is_directory(gone)) {
      directories.push_back(it->path());
    }
  }
  if (error) {
    return UnavailableError(root_.string() + ": " + error.message());
  }
  if (directories.size() > kMaxDevices) {
    return UnavailableError(root_.string() + ": has more than " + std::to_string(kMaxDevices) +
                            " devices");
  }
  std::ranges::sort(directories);
  Inventory inventory;
  if (others_) {
    ASSAY_ASSIGN_OR_RETURN(inventory, others_->Discover());
  }
  std::vector<std::string> problems;
  for (const fs::path& directory : directories) {
    if (std::optional<PlainDevice> device = ReadDevice(directory, problems)) {
      inventory.devices.push_back(*std::move(device));
    }
  }
  std::set<std::string> now(problems.begin(), problems.end());
  const std::lock_guard<std::mutex> lock(mu_);
  for (const std::string& problem : now) {
    if (!told_.contains(problem)) {
      spdlog::warn("{}/{}", root_.string(), problem);
    }
  }
  told_ = std::move(now);
  return inventory;
}

Result<std::optional<XidEvent>> DeviceTree::WaitForXid(Duration timeout) {
  return others_ ? others_->WaitForXid(timeout)
                 : UnimplementedError("a device tree reports no errors on its own");
}

}  // namespace assay::driver_ref::discovery
