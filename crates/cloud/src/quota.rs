//! How much a project may have, and has.

use crate::capacity::Capacity;
use crate::instance::Instance;

/// What a project may have at most.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quota {
    /// Instances.
    pub instances: u32,
    /// Their capacities together, in GB.
    pub memory_gb: u32,
}

/// What a project has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Instances, but for those that failed to be created.
    pub instances: u32,
    /// Their capacities together, in MB.
    pub memory_mb: u64,
}

/// Which quota is exceeded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exceeded {
    /// The number of instances.
    Instances,
    /// Their memory.
    Memory,
}

impl Default for Quota {
    /// Far more than one machine holds, so that a quota is met only where one was set.
    fn default() -> Self {
        Quota { instances: 10_000, memory_gb: 1_000_000 }
    }
}

impl Usage {
    /// What `instances` take.
    pub fn of<'a>(instances: impl Iterator<Item = &'a Instance>) -> Self {
        instances.filter(|instance| instance.counts()).fold(Usage::default(), |usage, instance| Usage {
            instances: usage.instances + 1,
            memory_mb: usage.memory_mb + u64::from(instance.capacity.mb()),
        })
    }

    /// The memory in whole GB, a started one counting as one.
    pub fn memory_gb(&self) -> u64 {
        self.memory_mb.div_ceil(1024)
    }

    /// Whether one more instance of `capacity` fits into `quota`.
    pub fn admits(&self, capacity: Capacity, quota: &Quota) -> Result<(), Exceeded> {
        if self.instances >= quota.instances {
            return Err(Exceeded::Instances);
        }
        if self.memory_mb + u64::from(capacity.mb()) > u64::from(quota.memory_gb) * 1024 {
            return Err(Exceeded::Memory);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn either_limit_stops_one_more() {
        let quota = Quota { instances: 2, memory_gb: 4 };
        let usage = Usage { instances: 1, memory_mb: 2048 };
        assert_eq!(usage.admits(Capacity::of_gb(2), &quota), Ok(()));
        assert_eq!(usage.admits(Capacity::of_mb(2049), &quota), Err(Exceeded::Memory));
        let full = Usage { instances: 2, memory_mb: 0 };
        assert_eq!(full.admits(Capacity::of_mb(128), &quota), Err(Exceeded::Instances));
    }

    #[test]
    fn a_started_gigabyte_counts() {
        assert_eq!(Usage { instances: 1, memory_mb: 128 }.memory_gb(), 1);
        assert_eq!(Usage { instances: 1, memory_mb: 2048 }.memory_gb(), 2);
    }
}
