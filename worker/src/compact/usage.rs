//! What a run takes of its machine, as Linux counts it.

use std::fs;

use gristmill_core::log::RunCost;

/// Linux tells processes their times in hundredths of a second, whatever the kernel counts in.
const MILLISECONDS_A_TICK: u64 = 10;

/// CPU time of the process when a run began.
#[derive(Debug, Clone, Copy)]
pub(super) struct Usage {
    begun: u64,
}

impl Usage {
    /// Begins to count; nothing is counted where there is no /proc.
    pub(super) fn begin() -> Option<Self> {
        Some(Self { begun: cpu_milliseconds(&fs::read_to_string("/proc/self/stat").ok()?)? })
    }

    /// What the process took since; its memory is the most that it ever had.
    pub(super) fn cost(&self, delta_bytes: u64) -> Option<RunCost> {
        let now = cpu_milliseconds(&fs::read_to_string("/proc/self/stat").ok()?)?;
        let peak_memory = peak_memory(&fs::read_to_string("/proc/self/status").ok()?)?;
        Some(RunCost { delta_bytes, cpu_milliseconds: now.saturating_sub(self.begun), peak_memory })
    }
}

/// utime and stime, fields 14 and 15 of proc_pid_stat(5), of all threads. The name before them may hold anything.
fn cpu_milliseconds(stat: &str) -> Option<u64> {
    let (_, after_name) = stat.rsplit_once(')')?;
    let mut times = after_name.split_whitespace().skip(11).map(str::parse::<u64>);
    let (user, system) = (times.next()?.ok()?, times.next()?.ok()?);
    Some((user + system) * MILLISECONDS_A_TICK)
}

/// VmHWM, in bytes.
fn peak_memory(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    Some(line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()? << 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_found_behind_any_name() {
        let stat = "7 (a) b (c) S 1 7 7 0 -1 4194304 100 0 0 0 250 50 0 0 20 0 8 0 100 1 2";
        assert_eq!(cpu_milliseconds(stat), Some(3000));
        assert_eq!(cpu_milliseconds("7 (a"), None);
    }

    #[test]
    fn most_memory_is_told_in_bytes() {
        assert_eq!(peak_memory("VmPeak:\t 9 kB\nVmHWM:\t  12 kB\nVmRSS:\t 5 kB\n"), Some(12 << 10));
    }

    #[test]
    fn this_process_has_taken_something() {
        let cost = Usage::begin().unwrap().cost(1000).unwrap();
        assert!(cost.peak_memory > 1 << 20, "{cost:?}");
        assert_eq!(cost.delta_bytes, 1000);
    }
}
