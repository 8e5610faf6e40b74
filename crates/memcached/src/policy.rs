//! Which items go when there is no room for others.
//!
//! memcached itself has the first and the last of these; the others are those of the cloud's parameter
//! `maxmemory-policy`.

use std::str::FromStr;
use std::sync::atomic::{AtomicU8, Ordering::Relaxed};

/// Which items go.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Policy {
    /// Those that were used longest ago, sooner if they are large or were used once.
    #[default]
    AllKeysLru,
    /// Any.
    AllKeysRandom,
    /// As [`Policy::AllKeysLru`], of those that expire.
    VolatileLru,
    /// Any of those that expire.
    VolatileRandom,
    /// Those that expire first.
    VolatileTtl,
    /// None: what does not fit is refused.
    NoEviction,
}

const ALL: [(&str, Policy); 6] = [
    ("allkeys-lru", Policy::AllKeysLru),
    ("allkeys-random", Policy::AllKeysRandom),
    ("volatile-lru", Policy::VolatileLru),
    ("volatile-random", Policy::VolatileRandom),
    ("volatile-ttl", Policy::VolatileTtl),
    ("noeviction", Policy::NoEviction),
];

impl FromStr for Policy {
    type Err = ();

    fn from_str(name: &str) -> Result<Policy, ()> {
        ALL.iter().find(|(own, _)| *own == name).map(|(_, policy)| *policy).ok_or(())
    }
}

impl Policy {
    /// Whether only items that expire go.
    pub(crate) fn is_volatile(self) -> bool {
        matches!(self, Policy::VolatileLru | Policy::VolatileRandom | Policy::VolatileTtl)
    }
}

/// A policy that can be changed while a node runs.
#[derive(Debug, Default)]
pub struct AtomicPolicy(AtomicU8);

impl From<Policy> for AtomicPolicy {
    fn from(policy: Policy) -> Self {
        AtomicPolicy(AtomicU8::new(policy as u8))
    }
}

impl AtomicPolicy {
    /// What it is now.
    pub fn load(&self) -> Policy {
        let number = self.0.load(Relaxed);
        ALL.iter().map(|(_, policy)| *policy).find(|policy| *policy as u8 == number).unwrap_or_default()
    }

    /// What it is from now on.
    pub fn store(&self, policy: Policy) {
        self.0.store(policy as u8, Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_numbers_read_back() {
        let own = AtomicPolicy::default();
        assert_eq!(own.load(), Policy::AllKeysLru);
        for (name, policy) in ALL {
            assert_eq!(name.parse(), Ok(policy));
            own.store(policy);
            assert_eq!(own.load(), policy);
            assert_eq!(policy.is_volatile(), name.starts_with("volatile"));
        }
        assert_eq!("allkeys-lfu".parse::<Policy>(), Err(()));
    }
}
