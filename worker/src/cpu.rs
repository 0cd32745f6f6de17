//! The CPU of the process: how much it may use, and how much it has used.

use std::io::ErrorKind;
use std::num::NonZero;
use std::path::PathBuf;
use std::thread;
use std::time::Duration;

use gristmill_crds::Quantity;
use rustix::time::{ClockId, clock_gettime};

/// More threads than that bring nothing, since one thread encodes what all of them have decoded; each has buffers of its
/// own.
const MOST_THREADS: usize = 16;

/// Where it stands how much CPU the process may use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cpu {
    /// In its quota, or else it may use every processor.
    OfProcess,
    /// In a file, as a quantity such as 750m. A request that was changed in place shows nowhere in a process, so a pod is
    /// told by an annotation. As [`Self::OfProcess`] while there is no file or nothing in it.
    File(PathBuf),
    /// Enough for so many threads, whatever the machine.
    Threads(NonZero<usize>),
}

/// Text that is no amount of CPU.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{path} says {text:?}, which is no amount of CPU; expected cores such as 2 or 1.5, or thousandths such as 750m"
)]
pub struct InvalidCpu {
    path: String,
    text: String,
}

impl Cpu {
    /// Threads that use the CPU up: one for each core of the file that is begun, or for each whole one of a quota.
    ///
    /// # Errors
    /// The file holds something else.
    pub fn threads(&self) -> Result<usize, InvalidCpu> {
        let of_process = || thread::available_parallelism().map_or(1, NonZero::get);
        let threads = match self {
            Self::OfProcess => of_process(),
            Self::Threads(threads) => threads.get(),
            Self::File(path) => {
                let text = match std::fs::read_to_string(path) {
                    Err(error) if error.kind() == ErrorKind::NotFound => String::new(),
                    // Not taken for a file that is not there: all processors of a node may be 64.
                    Err(error) => return Err(InvalidCpu { path: path.display().to_string(), text: error.to_string() }),
                    Ok(text) => text,
                };
                match text.trim() {
                    "" => of_process(),
                    text => {
                        let millicores = Quantity(text.to_owned()).to_millicores();
                        let invalid = |_| InvalidCpu { path: path.display().to_string(), text: text.to_owned() };
                        millicores.map_err(invalid)?.div_ceil(1000) as usize
                    }
                }
            }
        };
        Ok(threads.clamp(1, MOST_THREADS))
    }
}

/// CPU time of all threads of the process so far, those that have ended included.
pub fn used() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    Duration::new(u64::try_from(time.tv_sec).unwrap_or(0), u32::try_from(time.tv_nsec).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn file_that_changes_changes_the_threads_and_an_empty_one_leaves_it_to_the_process() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("cpu");
        let cpu = Cpu::File(path.clone());
        assert_eq!(cpu.threads(), Cpu::OfProcess.threads());
        // The API server writes a thousand cores as 1k.
        let begun = [("50m", 1), ("1000m", 1), ("1001m", 2), ("1.5", 2), ("2500m\n", 3), ("1k", MOST_THREADS)];
        for (text, threads) in begun {
            std::fs::write(&path, text).unwrap();
            assert_eq!(cpu.threads(), Ok(threads), "{text:?}");
        }
        std::fs::write(&path, " \n").unwrap();
        assert_eq!(cpu.threads(), Cpu::OfProcess.threads());
        for text in ["much", "0", "-1", "inf", "m"] {
            std::fs::write(&path, text).unwrap();
            let told = cpu.threads().unwrap_err().to_string();
            assert!(told.contains(&format!("cpu says {text:?}")) && told.contains("750m"), "{told}");
        }
    }

    #[test]
    fn work_uses_cpu() {
        let before = used();
        while used() == before {
            std::hint::spin_loop();
        }
        assert!(used() > before);
    }
}
