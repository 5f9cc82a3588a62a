// What faults do to the state of a GPU, and what healing undoes.
//
// Thread-safe: functions of a transaction that the caller owns.
#ifndef ASSAY_FAKEGPU_MODEL_FAULT_EFFECTS_H_
#define ASSAY_FAKEGPU_MODEL_FAULT_EFFECTS_H_

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"
#include "fakegpu/layout/transaction.h"
#include "fakegpu/model/fault.h"

namespace assay::fakegpu::model {

// kInvalidArgument where the GPU has no such part (a link), kResourceExhausted where no more return
// faults fit, kFailedPrecondition where the GPU is unplugged.
Status ApplyFault(layout::Transaction& transaction, std::uint32_t slot, const Fault& fault);

// A reset: every fault ends, and settings that waited for one (ECC mode, MIG mode) come into force.
void HealGpu(layout::Transaction& transaction, std::uint32_t slot);

// The GPU leaves its slot, with its processes and MIG instances, or comes back.
// kFailedPrecondition if it is out (or in) already.
Status UnplugGpu(layout::Transaction& transaction, std::uint32_t slot);
Status ReplugGpu(layout::Transaction& transaction, std::uint32_t slot);

// The driver goes, and with it processes and MIG instances; and comes again, with what was pending.
// MIG mode is in the board's InfoROM up to Ampere; since Hopper it is off again.
Status UnloadDriver(layout::Transaction& transaction);
Status LoadDriver(layout::Transaction& transaction);

// What is wrong with a GPU, as fakegpuctl shows it: "lost", "xid 79", "nvlink 3 down"...
std::vector<std::string> DescribeFaults(const layout::NodeState& node, const layout::GpuState& gpu,
                                        std::uint32_t slot);

}  // namespace assay::fakegpu::model

#endif  // ASSAY_FAKEGPU_MODEL_FAULT_EFFECTS_H_
