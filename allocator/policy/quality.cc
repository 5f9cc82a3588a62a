#include "allocator/policy/quality.h"

#include <algorithm>
#include <set>

namespace assay::allocator::policy {
namespace {

double ShareOf(double part, double whole) { return whole > 0 ? part / whole : 0; }

double Find(const std::map<std::pair<std::string, std::string>, double>& values,
            const std::string& driver, const std::string& name) {
  const auto it = values.find({driver, name});
  return it == values.end() ? 0 : it->second;
}

// Devices that cannot be in use together with each, itself included, ascending.
std::vector<std::vector<std::uint32_t>> FindExcluded(const QualityNode& node) {
  std::vector<std::set<std::uint32_t>> excluded(node.devices.size());
  std::vector<std::vector<std::pair<std::uint32_t, Amount>>> takers(node.counters.size());
  for (std::uint32_t device = 0; device < node.devices.size(); ++device) {
    excluded[device].insert(device);
    for (const QualityDevice::Take& take : node.devices[device].takes) {
      if (take.amount > 0) {
        takers[take.counter].emplace_back(device, take.amount);
      }
    }
  }
  for (std::size_t counter = 0; counter < takers.size(); ++counter) {
    for (const auto& [a, amount_a] : takers[counter]) {
      for (const auto& [b, amount_b] : takers[counter]) {
        if (amount_a + amount_b > node.counters[counter]) {
          excluded[a].insert(b);
        }
      }
    }
  }
  std::vector<std::vector<std::uint32_t>> lists;
  for (const auto& set : excluded) {
    lists.emplace_back(set.begin(), set.end());
  }
  return lists;
}

// How many whole devices some devices make: what excludes one another counts once, as the largest.
double SizeOfAll(const QualityNode& node, const std::vector<std::vector<std::uint32_t>>& excluded,
                 const std::vector<std::uint32_t>& devices) {
  std::set<std::uint32_t> left(devices.begin(), devices.end());
  double size = 0;
  while (!left.empty()) {
    double largest = 0;
    double sum = 0;
    std::vector<std::uint32_t> reached = {*left.begin()};
    left.erase(left.begin());
    while (!reached.empty()) {
      const std::uint32_t device = reached.back();
      reached.pop_back();
      largest = std::max(largest, node.devices[device].size);
      sum += node.devices[device].size;
      for (std::uint32_t other : excluded[device]) {
        if (left.erase(other) > 0) {
          reached.push_back(other);
        }
      }
    }
    size += std::max(largest, std::min(1.0, sum));
  }
  return size;
}

}  // namespace

void Scale::Add(const api::resource::ResourceSlice& slice) {
  const auto raise = [&](std::map<Key, double>& values, const std::string& name,
                         const api::meta::Quantity& quantity) {
    double& largest = values[{slice.spec.driver, name}];
    largest = std::max(largest, quantity.AsApproximateDouble());
  };
  for (const auto& set : slice.spec.shared_counters) {
    for (const auto& [name, counter] : set.counters) {
      raise(counters_, name, counter.value);
    }
  }
  for (const auto& device : slice.spec.devices) {
    for (const auto& [name, capacity] : device.capacity) {
      raise(capacity_, name, capacity.value);
    }
  }
}

double Scale::LargestCounter(const std::string& driver, const std::string& name) const {
  return Find(counters_, driver, name);
}
double Scale::LargestCapacity(const std::string& driver, const std::string& name) const {
  return Find(capacity_, driver, name);
}

double SizeOf(const std::string& driver, const api::resource::Device& device,
              std::size_t set_counters, const Scale& scale) {
  double sum = 0;
  if (!device.consumes_counters.empty() && set_counters > 0) {
    for (const auto& consumption : device.consumes_counters) {
      for (const auto& [name, counter] : consumption.counters) {
        sum += ShareOf(counter.value.AsApproximateDouble(), scale.LargestCounter(driver, name));
      }
    }
    // Its sets are a device together, one each.
    return sum / static_cast<double>(set_counters) *
           static_cast<double>(device.consumes_counters.size());
  }
  std::size_t known = 0;
  for (const auto& [name, capacity] : device.capacity) {
    const double largest = scale.LargestCapacity(driver, name);
    known += largest > 0 ? 1 : 0;
    sum += ShareOf(capacity.value.AsApproximateDouble(), largest);
  }
  return known == 0 ? 1 : sum / static_cast<double>(known);
}

Blocks::Blocks(const QualityNode& node) : of_device_(node.devices.size()) {
  own_.resize(node.devices.size());
  const std::vector<std::vector<std::uint32_t>> excluded = FindExcluded(node);
  for (std::uint32_t device = 0; device < node.devices.size(); ++device) {
    const double size = node.devices[device].size;
    AddBlock(excluded[device], size * size, &own_[device]);
  }
  const auto add_domain = [&](const std::vector<std::uint32_t>& members) {
    const double size = SizeOfAll(node, excluded, members);
    AddBlock(members, kDomainShare * size * size, nullptr);
  };
  for (const std::vector<std::uint32_t>& domain : node.domains) {
    add_domain(domain);
  }
  std::vector<std::uint32_t> all(node.devices.size());
  for (std::uint32_t device = 0; device < all.size(); ++device) {
    all[device] = device;
  }
  add_domain(all);
  total_size_ = SizeOfAll(node, excluded, all);
}

void Blocks::AddBlock(std::vector<std::uint32_t> members, double weight, std::uint32_t* own) {
  std::sort(members.begin(), members.end());
  const auto [it, added] =
      by_members_.emplace(std::move(members), static_cast<std::uint32_t>(weights_.size()));
  if (added) {
    weights_.push_back(weight);
    for (std::uint32_t device : it->first) {
      of_device_[device].push_back(it->second);
    }
  } else {
    // What is held up by the same claims is one block.
    weights_[it->second] = std::max(weights_[it->second], weight);
  }
  if (own != nullptr) {
    *own = it->second;
  }
}

std::vector<std::uint32_t> Holders::BlocksOf(std::span<const std::uint32_t> devices) const {
  std::vector<std::uint32_t> blocks;
  for (std::uint32_t device : devices) {
    const auto own = blocks_->Of(device);
    blocks.insert(blocks.end(), own.begin(), own.end());
  }
  std::sort(blocks.begin(), blocks.end());
  blocks.erase(std::unique(blocks.begin(), blocks.end()), blocks.end());
  return blocks;
}

void Holders::Add(std::span<const std::uint32_t> devices) {
  for (std::uint32_t block : BlocksOf(devices)) {
    ++claims_[block];
  }
}

double Holders::Cost(std::span<const std::uint32_t> devices) const {
  double cost = 0;
  for (std::uint32_t block : BlocksOf(devices)) {
    cost += Cost(block);
  }
  return cost;
}

double Holders::Stranded() const {
  double stranded = 0;
  for (std::uint32_t block = 0; block < claims_.size(); ++block) {
    for (std::uint32_t n = 1; n <= claims_[block]; ++n) {
      stranded += blocks_->weight(block) / n;
    }
  }
  return stranded;
}

}  // namespace assay::allocator::policy
