//! CPU and memory of the process, librdkafka's threads included, under the names that every Prometheus client has.

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::Unit;

use crate::cpu;

/// The process as the kernel sees it; no memory where there is no `/proc`.
#[derive(Debug)]
pub(super) struct Process;

impl Collector for Process {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), std::fmt::Error> {
        let help = "Total user and system CPU time spent in seconds.";
        let unit = Some(&Unit::Seconds);
        let counter = encoder.encode_descriptor("process_cpu", help, unit, MetricType::Counter)?;
        ConstCounter::new(cpu::used().as_secs_f64()).encode(counter)?;
        let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
        for (name, key, help) in [
            ("process_resident_memory", "VmRSS:", "Resident memory size in bytes."),
            ("process_resident_memory_peak", "VmHWM:", "Largest resident memory size so far in bytes."),
        ] {
            let Some(bytes) = kibibytes(&status, key).and_then(|size| size.checked_mul(1024)) else { continue };
            let encoder = encoder.encode_descriptor(name, help, Some(&Unit::Bytes), MetricType::Gauge)?;
            ConstGauge::new(bytes).encode(encoder)?;
        }
        Ok(())
    }
}

fn kibibytes(status: &str, key: &str) -> Option<i64> {
    let line = status.lines().find_map(|line| line.strip_prefix(key))?;
    line.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_read_by_its_key() {
        assert_eq!(kibibytes("VmHWM:\t  2048 kB\nVmRSS:\t  1024 kB\n", "VmRSS:"), Some(1024));
        assert_eq!(kibibytes("Name:\tgristmill\n", "VmRSS:"), None);
    }
}
