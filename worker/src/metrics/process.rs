//! CPU and memory of the process, librdkafka's threads included, under the names that every Prometheus client has.

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::Unit;

/// Ticks a second of the times in `/proc`: Linux has 100 for all programs, whatever its own timer runs at.
const TICKS: f64 = 100.0;

/// The process as the kernel sees it; nothing where there is no `/proc`.
#[derive(Debug)]
pub(super) struct Process;

impl Collector for Process {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), std::fmt::Error> {
        if let Some(seconds) = std::fs::read_to_string("/proc/self/stat").ok().as_deref().and_then(cpu_seconds) {
            let help = "Total user and system CPU time spent in seconds.";
            let unit = Some(&Unit::Seconds);
            ConstCounter::new(seconds).encode(encoder.encode_descriptor(
                "process_cpu",
                help,
                unit,
                MetricType::Counter,
            )?)?;
        }
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

/// User and system time: fields 14 and 15. Field 2 is the name of the program, in parentheses and with any characters.
fn cpu_seconds(stat: &str) -> Option<f64> {
    let (_, fields) = stat.rsplit_once(')')?;
    let mut ticks = fields.split_whitespace().skip(11).map_while(|field| field.parse::<f64>().ok());
    Some((ticks.next()? + ticks.next()?) / TICKS)
}

fn kibibytes(status: &str, key: &str) -> Option<i64> {
    let line = status.lines().find_map(|line| line.strip_prefix(key))?;
    line.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn name_of_the_program_does_not_shift_the_fields() {
        let stat = "7 (a (b) c) R 1 7 7 0 -1 4194304 90 0 0 0 1250 250 0 0 20 0 5 0 100 1000 200";
        assert_eq!(cpu_seconds(stat), Some(15.0));
    }

    #[test]
    fn memory_is_read_by_its_key() {
        assert_eq!(kibibytes("VmHWM:\t  2048 kB\nVmRSS:\t  1024 kB\n", "VmRSS:"), Some(1024));
        assert_eq!(kibibytes("Name:\tgristmill\n", "VmRSS:"), None);
    }
}
