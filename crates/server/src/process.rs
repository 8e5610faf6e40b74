//! What the system tells of this process. Where it tells nothing, as on systems without `/proc`, numbers are zero.

use engine::host::Process;
use std::fs::read_to_string;

/// Microseconds of the unit in which the system tells processor time: a hundredth of a second, whatever its clock does.
const TICK_US: u64 = 10_000;

/// Asks the system; what memory the process has is told only if it is `alone`, that is, one node's.
pub(crate) fn read(alone: bool) -> Process {
    let (user_us, system_us) = processor_us();
    let version = read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let executable =
        std::env::current_exe().map_or_else(|_| String::new(), |path| path.display().to_string());
    Process {
        id: std::process::id(),
        executable,
        system: format!("Linux {} {}", version.trim_end(), std::env::consts::ARCH),
        resident_bytes: alone.then(|| kilobytes("/proc/self/status", "VmRSS:") << 10),
        machine_bytes: kilobytes("/proc/meminfo", "MemTotal:") << 10,
        user_us,
        system_us,
    }
}

/// The processor time of the process in microseconds: in programs and in the system.
pub(crate) fn processor_us() -> (u64, u64) {
    let stat = read_to_string("/proc/self/stat").unwrap_or_default();
    // The second field is the program's name in parentheses, which may hold anything.
    let fields: Vec<&str> = stat.rsplit_once(')').map_or("", |(_, rest)| rest).split_whitespace().collect();
    let ticks =
        |field: usize| fields.get(field - 3).and_then(|text| text.parse().ok()).unwrap_or(0) * TICK_US;
    (ticks(14), ticks(15))
}

/// The number of kilobytes that a file of the system has after a word at the beginning of a line.
fn kilobytes(file: &str, word: &str) -> u64 {
    let text = read_to_string(file).unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix(word));
    line.and_then(|line| line.split_whitespace().next()?.parse().ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_system_tells_of_the_process() {
        let alone = super::read(true);
        assert_eq!(alone.id, std::process::id());
        assert!(alone.system.starts_with("Linux ") && alone.executable.starts_with('/'));
        let resident = alone.resident_bytes.unwrap_or(0);
        assert!(resident > 1 << 20 && alone.machine_bytes > resident, "{alone:?}");
        assert_eq!(super::read(false).resident_bytes, None);
    }
}
