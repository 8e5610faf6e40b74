//! What the system says of a process.

use anyhow::{Context, Result};
use std::fs;
use std::path::Path;
use std::time::Instant;

/// The processor time that a process has taken, in nanoseconds: user and system time of all its threads.
pub fn cpu_ns(id: u32) -> Result<u64> {
    let mut sum = 0;
    for thread in fs::read_dir(format!("/proc/{id}/task")).context("the process has ended")? {
        sum += thread_cpu_ns(&thread?.path())?;
    }
    Ok(sum)
}

/// The processor time that this thread has taken, in nanoseconds.
pub fn own_cpu_ns() -> Result<u64> {
    thread_cpu_ns(Path::new("/proc/thread-self"))
}

fn thread_cpu_ns(folder: &Path) -> Result<u64> {
    let text = fs::read_to_string(folder.join("schedstat"))?;
    text.split(' ').next().and_then(|ns| ns.parse().ok()).context("schedstat begins with a time")
}

/// The memory of a process that is resident, in bytes.
pub fn resident_bytes(id: u32) -> Result<u64> {
    let text = fs::read_to_string(format!("/proc/{id}/smaps_rollup")).context("the process has ended")?;
    let line =
        text.lines().find_map(|line| line.strip_prefix("Rss:")).context("smaps_rollup has such a line")?;
    let kib: u64 = line.trim().trim_end_matches(" kB").parse().context("sizes are in kB")?;
    Ok(kib * 1024)
}

/// The machine in one line.
pub fn machine() -> String {
    let cpu = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model =
        cpu.lines().find_map(|line| line.strip_prefix("model name").and_then(|rest| rest.split(": ").nth(1)));
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let processors = std::thread::available_parallelism().map_or(1, usize::from);
    format!("{}, {processors} processors, Linux {}", model.unwrap_or(std::env::consts::ARCH), kernel.trim())
}

/// The time, for durations: programs that measure read the system's clock.
#[allow(clippy::disallowed_methods, reason = "what is measured is real time")]
pub fn now() -> Instant {
    Instant::now()
}
