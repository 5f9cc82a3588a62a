// SlicePlan: from the devices that a pool should have and the slices that there are to the writes
// that bring them together. Pure; the rules are those of Kubernetes' helper library
// (dynamic-resource-allocation, resourceslice/resourceslicecontroller.go).
//
// A slice that exists is matched to its part of the pool by the index at the start of its name. One
// changed slice is updated as it is; several changes, or another number of slices, get a new
// generation, so that nobody takes a half-written pool for a whole one.
//
// Counter sets are in slices of their own (Kubernetes 1.35 and later want it so), before those of
// the devices. Devices that consume from one set share a slice where they fit in one: what happens
// to one GPU changes one slice.
//
// Thread-safe: no state.
#ifndef ASSAY_DRIVER_REF_PUBLISH_SLICE_PLAN_H_
#define ASSAY_DRIVER_REF_PUBLISH_SLICE_PLAN_H_

#include <string>
#include <vector>

#include "api/resource/types.h"

namespace assay::driver_ref::publish {

struct PoolIdentity {
  std::string driver_name;
  std::string node_name;  // The pool's name too.
  std::string node_uid;
};

// What a pool has, or one of its slices.
struct SliceContent {
  std::vector<api::resource::CounterSet> counter_sets;
  std::vector<api::resource::Device> devices;

  friend bool operator==(const SliceContent&, const SliceContent&) = default;
};
SliceContent ContentOf(const api::resource::ResourceSlice& slice);

struct SlicePlan {
  // To be done in this order: what is no longer there goes before something new comes.
  std::vector<api::resource::ResourceSlice> remove;
  std::vector<api::resource::ResourceSlice> update;
  std::vector<api::resource::ResourceSlice> create;

  bool empty() const { return remove.empty() && update.empty() && create.empty(); }
};

// `existing`: all slices of the driver on the node. Those of other pools are removed.
SlicePlan PlanSlices(const PoolIdentity& pool, const SliceContent& content,
                     const std::vector<api::resource::ResourceSlice>& existing);

// How many devices fit a slice: 128, or 64 once one has taints or consumes counters
// (resource.k8s.io/v1).
std::size_t DevicesPerSlice(const std::vector<api::resource::Device>& devices);

}  // namespace assay::driver_ref::publish

#endif  // ASSAY_DRIVER_REF_PUBLISH_SLICE_PLAN_H_
