// Quality: how much an allocation strands, as a number.
//
// A block is what a later claim could want whole: a device (of a GPU that is partitioned: the GPU
// and each place of each of its partitions), a topology domain (the devices that share a value of
// an attribute: NUMA node, PCIe root, NVLink domain), the node. A claim holds a block up if it has
// a device of it, or one that excludes a device of it because the counters do not suffice for both.
//
//   stranded = sum over all blocks: weight * H(n)    n: claims that hold the block up
//   H(n) = 1 + 1/2 + ... + 1/n
//
// Claims that end independently of one another, at one rate, have all ended after H(n) mean lives:
// stranded is how long the blocks will be missing, weighted. So what breaks up a whole GPU is dear,
// and one claim more where many are already is cheap: small claims gather where they are in
// nobody's way, and fragments of one GPU are used before the next is opened.
//
// weight = size^2 for a device, kDomainShare * size^2 for domains and the node, size in whole
// devices: a device that consumes counters is as large as its mean share of the largest counters of
// those names among the driver's devices; another, as its mean share of their largest capacities.
// The square is because large blocks are what fragmentation destroys. A smaller device that
// suffices is therefore always the better one.
//
// Measured, not derived: kDomainShare and the square were chosen on simulated churn of whole GPUs
// and of MIG devices at 90 % load, where H serves about 1 % more than the best function of the free
// devices alone.
//
// Thread-safe: values and pure functions.
#ifndef ASSAY_ALLOCATOR_POLICY_QUALITY_H_
#define ASSAY_ALLOCATOR_POLICY_QUALITY_H_

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "allocator/inventory/amount.h"
#include "api/resource/types.h"

namespace assay::allocator::policy {

using inventory::Amount;

inline constexpr double kDomainShare = 0.25;

// The largest counters and capacities of each driver: what sizes are measured by. Of the whole
// fleet, if nodes are to be compared.
class Scale {
 public:
  void Add(const api::resource::ResourceSlice& slice);

  // 0: no such counter, or none that is not zero.
  double LargestCounter(const std::string& driver, const std::string& name) const;
  double LargestCapacity(const std::string& driver, const std::string& name) const;

 private:
  using Key = std::pair<std::string, std::string>;  // driver, name
  std::map<Key, double> counters_;
  std::map<Key, double> capacity_;
};

// A node's devices, as far as quality asks.
struct QualityDevice {
  double size = 1;  // see SizeOf
  struct Take {
    std::uint32_t counter;
    Amount amount;
  };
  std::vector<Take> takes;
};
struct QualityNode {
  std::vector<QualityDevice> devices;
  std::vector<Amount> counters;  // what there is of each when nothing is in use
  // The devices of each topology domain, by number.
  std::vector<std::vector<std::uint32_t>> domains;
};

// In whole devices. `set_counters`: how many counters that are not zero the sets have that it
// consumes of.
double SizeOf(const std::string& driver, const api::resource::Device& device,
              std::size_t set_counters, const Scale& scale);

// The blocks of a node.
class Blocks {
 public:
  explicit Blocks(const QualityNode& node);

  std::size_t size() const { return weights_.size(); }
  // Of the node, in whole devices.
  double total_size() const { return total_size_; }
  double weight(std::uint32_t block) const { return weights_[block]; }
  // Those that a claim with this device holds up.
  std::span<const std::uint32_t> Of(std::uint32_t device) const { return of_device_[device]; }
  // The device itself, among them: no two devices that can be in use together hold up each other's.
  std::uint32_t Own(std::uint32_t device) const { return own_[device]; }

 private:
  void AddBlock(std::vector<std::uint32_t> members, double weight, std::uint32_t* own);

  double total_size_ = 0;
  std::vector<double> weights_;
  std::map<std::vector<std::uint32_t>, std::uint32_t> by_members_;
  std::vector<std::vector<std::uint32_t>> of_device_;
  std::vector<std::uint32_t> own_;
};

// Which blocks are held up, and by how many claims.
class Holders {
 public:
  explicit Holders(const Blocks& blocks) : blocks_(&blocks), claims_(blocks.size(), 0) {}

  // A claim with these devices.
  void Add(std::span<const std::uint32_t> devices);
  std::uint32_t claims(std::uint32_t block) const { return claims_[block]; }
  // What one claim more strands.
  double Cost(std::uint32_t block) const {
    return blocks_->weight(block) / (static_cast<double>(claims_[block]) + 1);
  }
  double Cost(std::span<const std::uint32_t> devices) const;
  // The sum over all blocks.
  double Stranded() const;

 private:
  std::vector<std::uint32_t> BlocksOf(std::span<const std::uint32_t> devices) const;

  const Blocks* blocks_;
  std::vector<std::uint32_t> claims_;
};

}  // namespace assay::allocator::policy

#endif  // ASSAY_ALLOCATOR_POLICY_QUALITY_H_
