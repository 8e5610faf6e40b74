//! How much an instance holds: the capacity that is sold and the memory that it gives.
//!
//! Invariant: a capacity is a whole number of megabytes, so arithmetic on capacities is exact.

use serde::{Deserialize, Serialize};

use crate::engine::{Engine, Release};
use crate::topology::Topology;

/// The capacity of an instance, as sold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Capacity {
    mb: u32,
}

const MB_PER_GB: u32 = 1024;

/// What single-node and master/standby instances of release 3.0 give of their capacity: capacity in GB, and memory
/// in tenths of a GB. The rest is kept for the node itself.
const GIVEN_BY_3_0: [(u32, u64); 6] = [(2, 15), (4, 32), (8, 68), (16, 136), (32, 272), (64, 582)];

impl Capacity {
    /// A capacity of whole gigabytes.
    pub const fn of_gb(gb: u32) -> Self {
        Capacity { mb: gb * MB_PER_GB }
    }

    /// A capacity of whole megabytes.
    pub const fn of_mb(mb: u32) -> Self {
        Capacity { mb }
    }

    /// A capacity from gigabytes with a fraction, such as 0.125; `None` for what is not a whole, positive number of
    /// megabytes.
    pub fn from_gb(gb: f64) -> Option<Self> {
        let mb = gb * f64::from(MB_PER_GB);
        let fits = mb >= 1.0 && mb <= f64::from(u32::MAX) && mb.fract() == 0.0;
        // The range was just checked.
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
        fits.then_some(Capacity { mb: mb as u32 })
    }

    /// In megabytes.
    pub const fn mb(self) -> u32 {
        self.mb
    }

    /// The whole gigabytes: 0 below one.
    pub const fn whole_gb(self) -> u32 {
        self.mb / MB_PER_GB
    }

    /// In gigabytes, with their fraction.
    pub fn gb(self) -> f64 {
        f64::from(self.mb) / f64::from(MB_PER_GB)
    }

    /// The memory that data may take in an instance of this capacity, in bytes.
    pub fn memory_limit_bytes(self, engine: Engine, release: Option<Release>, topology: Topology) -> u64 {
        let keeps_some =
            engine == Engine::Redis && release == Some(Release::V3_0) && topology.has_one_master();
        let given = GIVEN_BY_3_0.iter().find(|(gb, _)| keeps_some && Capacity::of_gb(*gb) == self);
        match given {
            Some((_, tenths)) => tenths * (1 << 30) / 10,
            None => u64::from(self.mb) << 20,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn release_3_0_keeps_some_for_itself() {
        let limit = |gb, release, topology| {
            Capacity::of_gb(gb).memory_limit_bytes(Engine::Redis, Some(release), topology)
        };
        let expected = [(2, 1.5), (4, 3.2), (8, 6.8), (16, 13.6), (32, 27.2), (64, 58.2)];
        for (gb, given) in expected {
            for topology in [Topology::Single, Topology::MasterStandby] {
                let gives = limit(gb, Release::V3_0, topology);
                assert!((gives as f64 / (1u64 << 30) as f64 - given).abs() < 1e-9, "{gb} gives {gives}");
                assert_eq!(limit(gb, Release::V4_0, topology), u64::from(gb) << 30);
            }
        }
        assert_eq!(limit(64, Release::V3_0, Topology::Proxy), 64 << 30);
        let memcached = Capacity::of_gb(2).memory_limit_bytes(Engine::Memcached, None, Topology::Single);
        assert_eq!(memcached, 2 << 30);
    }

    #[test]
    fn fractions_are_exact_or_nothing() {
        let eighth = Capacity::from_gb(0.125).unwrap();
        assert_eq!((eighth.mb(), eighth.whole_gb(), eighth.gb()), (128, 0, 0.125));
        assert_eq!(Capacity::from_gb(1024.0), Some(Capacity::of_gb(1024)));
        for bad in [0.0, -1.0, 0.1, f64::NAN, f64::INFINITY, 1e12] {
            assert_eq!(Capacity::from_gb(bad), None, "{bad}");
        }
    }
}
