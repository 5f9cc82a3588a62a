//! Reads and sets a node of fake GPUs through the crate nvml-wrapper, as Rust's monitors do.
//!
//! usage: nvml-wrapper-peer FAKEGPUCTL
//!
//! Prints a line a call: its name, and its answer or NVML's refusal. Exit code 1 where what was set
//! does not read back, or an event does not come.

use nvml_wrapper::bitmasks::event::EventTypes;
use nvml_wrapper::enum_wrappers::device::*;
use nvml_wrapper::enums::device::GpuLockedClocksSetting;
use nvml_wrapper::enums::event::XidError;
use nvml_wrapper::error::NvmlError;
use nvml_wrapper::{Device, Nvml};
use std::error::Error;
use std::fmt::Debug;
use std::process::Command;

fn print<T: Debug>(name: &str, answer: Result<T, NvmlError>) {
    match answer {
        Ok(value) => println!("{name}: {value:?}"),
        Err(error) => println!("{name}: refused, {error:?}"),
    }
}

/// show!(device, name(), clock_info(Clock::SM)): calls each and prints what it answers.
macro_rules! show {
    ($of:expr, $($function:ident($($argument:expr),*)),+ $(,)?) => {
        // What stringify! spaces is not the compiler's promise.
        $(print(&stringify!($function($($argument),*)).split_whitespace().collect::<String>(),
                $of.$function($($argument),*));)+
    };
}

fn show_node(nvml: &Nvml) {
    show!(
        nvml,
        device_count(),
        sys_driver_version(),
        sys_nvml_version(),
        sys_cuda_driver_version(),
        unit_count(),
        hic_count(),
        excluded_device_count(),
    );
    print("device_by_uuid(none)", nvml.device_by_uuid("GPU-none").map(|_| ()));
    print("device_by_index(99)", nvml.device_by_index(99).map(|_| ()));
}

fn show_identity(gpu: &Device) {
    show!(
        gpu,
        index(),
        name(),
        uuid(),
        serial(),
        board_id(),
        board_part_number(),
        brand(),
        architecture(),
        cuda_compute_capability(),
        num_cores(),
        minor_number(),
        numa_node_id(),
        bus_type(),
        pci_info(),
        vbios_version(),
        gsp_firmware_mode(),
        gsp_firmware_version(),
        info_rom_image_version(),
        info_rom_version(InfoRom::ECC),
        config_checksum(),
        is_multi_gpu_board(),
        is_display_active(),
        is_display_connected(),
        memory_bus_width(),
        irq_num(),
        cpu_affinity(4),
        current_pcie_link_gen(),
        current_pcie_link_width(),
        max_pcie_link_gen(),
        max_pcie_link_width(),
        max_pcie_link_speed(),
        pcie_link_speed(),
        virtualization_mode(),
        bridge_chip_info(),
    );
}

fn show_readings(gpu: &Device) {
    show!(
        gpu,
        memory_info(),
        bar1_memory_info(),
        utilization_rates(),
        encoder_utilization(),
        decoder_utilization(),
        encoder_stats(),
        fbc_stats(),
        temperature(TemperatureSensor::Gpu),
        temperature_threshold(TemperatureThreshold::Shutdown),
        temperature_threshold(TemperatureThreshold::Slowdown),
        fan_speed(0),
        num_fans(),
        power_usage(),
        power_source(),
        power_management_limit(),
        power_management_limit_default(),
        power_management_limit_constraints(),
        enforced_power_limit(),
        clock_info(Clock::Graphics),
        clock_info(Clock::SM),
        clock_info(Clock::Memory),
        clock_info(Clock::Video),
        max_clock_info(Clock::SM),
        max_customer_boost_clock(Clock::Graphics),
        clock(Clock::Graphics, ClockId::Current),
        applications_clock(Clock::Graphics),
        default_applications_clock(Clock::Memory),
        supported_memory_clocks(),
        auto_boosted_clocks_enabled(),
        performance_state(),
        supported_performance_states(),
        current_throttle_reasons_strict(),
        supported_throttle_reasons_strict(),
        pcie_replay_counter(),
        running_compute_processes(),
        running_compute_processes_count(),
        running_graphics_processes(),
        mps_running_compute_processes(),
    );
    // Of these a part depends on how long ago the node was made.
    print("total_energy_consumption()", gpu.total_energy_consumption().map(|_| ()));
    print(
        "violation_status(PerformancePolicy::Power)",
        gpu.violation_status(PerformancePolicy::Power).map(|status| status.violation_time),
    );
}

fn show_health_and_modes(gpu: &Device) {
    show!(
        gpu,
        is_ecc_enabled(),
        total_ecc_errors(MemoryError::Corrected, EccCounter::Volatile),
        memory_error_counter(MemoryError::Corrected, EccCounter::Volatile, MemoryLocation::Device),
        retired_pages(RetirementCause::DoubleBitEccError),
        are_pages_pending_retired(),
        validate_info_rom(),
        is_in_persistent_mode(),
        compute_mode(),
        is_accounting_enabled(),
        accounting_buffer_size(),
        accounting_pids(),
        is_api_restricted(Api::ApplicationClocks),
        gpu_operation_mode(),
        is_drain_enabled(None),
        is_cc_enabled(),
        // Not strict: the crate does not know the latest types.
        supported_event_types(),
        mig_mode(),
        mig_device_count(),
        mig_is_mig_device_handle(),
        profile_info(0),
        gpm_support(),
        active_vgpus(),
    );
    let link = gpu.link_wrapper_for(0);
    show!(link, is_active(), version(), remote_pci_info());
}

fn expect<T: Debug + PartialEq>(what: &str, found: T, expected: T) -> Result<(), Box<dyn Error>> {
    if found == expected {
        return Ok(());
    }
    Err(format!("{what}: found {found:?}, expected {expected:?}").into())
}

fn set_and_read(nvml: &Nvml, gpu: &mut Device) -> Result<(), Box<dyn Error>> {
    gpu.set_persistent(false)?;
    expect("persistence", gpu.is_in_persistent_mode()?, false)?;
    gpu.set_power_management_limit(400_000)?;
    expect("power limit", gpu.power_management_limit()?, 400_000)?;
    gpu.set_compute_mode(ComputeMode::ExclusiveProcess)?;
    expect("compute mode", gpu.compute_mode()?, ComputeMode::ExclusiveProcess)?;
    gpu.set_accounting(true)?;
    expect("accounting", gpu.is_accounting_enabled()?, true)?;
    gpu.set_ecc(false)?;
    expect("ECC, pending", gpu.is_ecc_enabled()?.pending_enabled, false)?;
    gpu.set_gpu_locked_clocks(GpuLockedClocksSetting::Numeric {
        min_clock_mhz: 990,
        max_clock_mhz: 990,
    })?;
    expect("locked clock", gpu.clock_info(Clock::SM)?, 990)?;
    gpu.reset_gpu_locked_clocks()?;
    // A process holds the GPU, so the mode waits for a reset.
    gpu.set_mig_mode(true)?;
    expect("MIG mode of a busy GPU", gpu.mig_mode()?.current, 0)?;
    expect("MIG mode of a busy GPU, pending", gpu.mig_mode()?.pending, 1)?;
    let idle = nvml.device_by_index(1)?;
    idle.set_mig_mode(true)?;
    expect("MIG mode", idle.mig_mode()?.current, 1)
}

fn await_event(nvml: &Nvml, gpu: &Device, fakegpuctl: &str) -> Result<(), Box<dyn Error>> {
    let types = EventTypes::CRITICAL_XID_ERROR;
    let events =
        gpu.register_events(types, nvml.create_event_set()?).map_err(|error| error.error)?;
    expect(
        "an event before the fault",
        events.wait(0).err().map(|e| e.to_string()),
        Some(NvmlError::Timeout.to_string()),
    )?;
    let injected = Command::new(fakegpuctl).args(["inject", "0", "xid=79"]).status()?;
    expect("fakegpuctl inject", injected.success(), true)?;
    let event = events.wait(20_000)?;
    match event.event_data {
        Some(XidError::Value(79)) => {}
        other => return Err(format!("event: found {other:?}, expected XID 79").into()),
    }
    print("temperature of a lost GPU", gpu.temperature(TemperatureSensor::Gpu));
    print("uuid of a lost GPU", gpu.uuid());
    Ok(())
}

fn main() -> Result<(), Box<dyn Error>> {
    let fakegpuctl = std::env::args().nth(1).ok_or("usage: nvml-wrapper-peer FAKEGPUCTL")?;
    let nvml = Nvml::init()?;
    show_node(&nvml);
    let mut gpu = nvml.device_by_index(0)?;
    show_identity(&gpu);
    show_readings(&gpu);
    show_health_and_modes(&gpu);
    let other = nvml.device_by_index(1)?;
    print("p2p_status(1, NVLink)", gpu.p2p_status(&other, P2pCapabilitiesIndex::NvLink));
    print("topology_common_ancestor(1)", gpu.topology_common_ancestor(other));
    set_and_read(&nvml, &mut gpu)?;
    await_event(&nvml, &gpu, &fakegpuctl)?;
    nvml.shutdown()?;
    Ok(())
}
