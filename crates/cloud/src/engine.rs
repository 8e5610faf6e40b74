//! Which cache an instance is: the engine and the release of it.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The kinds of cache.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Engine {
    /// Redis.
    Redis,
    /// Memcached.
    Memcached,
}

/// The releases of Redis that a node can imitate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Release {
    /// Redis 3.0.
    #[serde(rename = "3.0")]
    V3_0,
    /// Redis 4.0.
    #[serde(rename = "4.0")]
    V4_0,
    /// Redis 5.0.
    #[serde(rename = "5.0")]
    V5_0,
    /// Redis 6.2.
    #[serde(rename = "6.2")]
    V6_2,
    /// Redis 7.0.
    #[serde(rename = "7.0")]
    V7_0,
    /// Redis 7.4.
    #[serde(rename = "7.4")]
    V7_4,
}

impl Engine {
    /// The engine's name as interfaces write it.
    pub const fn name(self) -> &'static str {
        match self {
            Engine::Redis => "Redis",
            Engine::Memcached => "Memcached",
        }
    }
}

impl FromStr for Engine {
    type Err = ();

    /// Reads the name in any case, since catalogues and documents differ in it.
    fn from_str(name: &str) -> Result<Self, ()> {
        [Engine::Redis, Engine::Memcached]
            .into_iter()
            .find(|engine| engine.name().eq_ignore_ascii_case(name))
            .ok_or(())
    }
}

impl Release {
    /// Every release, oldest first.
    pub const ALL: [Release; 6] =
        [Release::V3_0, Release::V4_0, Release::V5_0, Release::V6_2, Release::V7_0, Release::V7_4];

    /// The release as people write it, such as `5.0`.
    pub const fn name(self) -> &'static str {
        match self {
            Release::V3_0 => "3.0",
            Release::V4_0 => "4.0",
            Release::V5_0 => "5.0",
            Release::V6_2 => "6.2",
            Release::V7_0 => "7.0",
            Release::V7_4 => "7.4",
        }
    }
}

impl FromStr for Release {
    type Err = ();

    fn from_str(name: &str) -> Result<Self, ()> {
        Release::ALL.into_iter().find(|release| release.name() == name).ok_or(())
    }
}

impl fmt::Display for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl fmt::Display for Release {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_read_back() {
        for release in Release::ALL {
            assert_eq!(release.name().parse(), Ok(release));
            assert_eq!(serde_json::to_value(release).unwrap(), release.name());
        }
        assert_eq!("redis".parse(), Ok(Engine::Redis));
        assert_eq!("Memcached".parse(), Ok(Engine::Memcached));
        assert_eq!("".parse::<Engine>(), Err(()));
        assert_eq!("3".parse::<Release>(), Err(()));
    }
}
