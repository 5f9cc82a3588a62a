// Explanation: why claims do not fit on a node, counted by cause.
//
// Thread-safe: values.
#ifndef ASSAY_ALLOCATOR_EXPLAIN_EXPLANATION_H_
#define ASSAY_ALLOCATOR_EXPLAIN_EXPLANATION_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace assay::allocator {

// One reason why devices cannot serve a request, with how many it hits.
struct Cause {
  enum class Kind : std::uint8_t {
    kNoSuchDevices,    // no pool offers devices on this node
    kAllocated,        // in use by another claim
    kTainted,          // a taint is not tolerated
    kClassSelector,    // the class' selector does not match
    kRequestSelector,  // the request's selector does not match
    kSelectorError,    // a selector failed
    kNodeSelection,    // the device is for other nodes
    kCapacity,         // not enough of a capacity left
    kCounters,         // not enough of a shared counter left
    kIncompletePool,   // a slice of the pool is missing
    kInvalidPool,      // the pool contradicts itself
    kDisabledFeature,  // needs a feature that is off
    kConstraint,       // the usable devices do not have enough with values as a constraint needs
    kNotAtOnce,        // each request has devices, but not all requests at once
  };
  Kind kind = Kind::kNoSuchDevices;
  // "nvidia.com/xid=79:NoExecute", "selector #0: memory 40Gi < 80Gi", the pool.
  std::string detail;
  int devices = 0;
};

// How texts name the kind: "allocated", "tainted", "failing".
std::string_view CauseName(Cause::Kind kind);
// How JSON does: "Allocated", "Tainted", "RequestSelector".
std::string_view CauseId(Cause::Kind kind);

struct DeviceId {
  std::string driver;
  std::string pool;
  std::string device;
};

// Why one request of one claim cannot be served on a node, or that it can by itself.
struct RequestExplanation {
  std::string claim;    // "namespace/name"
  std::string request;  // "request" or "request/subrequest"
  std::string device_class;
  int wanted = 0;             // devices; 0: all
  int devices = 0;            // on this node
  int usable = 0;             // of these, by this request alone
  std::vector<Cause> causes;  // of those not usable, most frequent first
  // Devices in use without which it would have more: those that it could have itself, and those
  // that take counters which these lack.
  std::vector<DeviceId> in_use;
};

struct Explanation {
  bool fits = false;
  std::string error;  // a fatal error's message; empty if none
  std::vector<RequestExplanation> requests;
  // For people, one line a request:
  // "claim default/c, request gpu: 4 wanted of 8 devices: 5 allocated, 2 tainted
  // nvidia.com/xid=79:NoExecute, 1 failing selector #0: memory 40Gi < 80Gi".
  std::string ToString() const;
};

}  // namespace assay::allocator

#endif  // ASSAY_ALLOCATOR_EXPLAIN_EXPLANATION_H_
