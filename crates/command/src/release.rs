//! Releases of Redis, and the versions at which things came and went.

use std::fmt;
use std::str::FromStr;

/// A version of Redis: major, minor, patch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Version(pub u8, pub u8, pub u8);

/// The version `major.minor.patch`.
pub const fn v(major: u8, minor: u8, patch: u8) -> Version {
    Version(major, minor, patch)
}

impl Version {
    /// Whether this version is older than `other`.
    pub const fn is_before(self, other: Version) -> bool {
        let (Version(a, b, c), Version(x, y, z)) = (self, other);
        a < x || a == x && (b < y || b == y && c < z)
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.0, self.1, self.2)
    }
}

/// A release that a node can imitate.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Release {
    /// 3.0.7
    V3_0,
    /// 4.0.14
    V4_0,
    /// 5.0.14
    V5_0,
    /// 6.2.14
    V6_2,
    /// 7.0.15
    V7_0,
    /// 7.4.1
    #[default]
    V7_4,
}

/// Not a release that a node can imitate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownRelease(String);

impl fmt::Display for UnknownRelease {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "unknown release '{}': allowed are 3.0, 4.0, 5.0, 6.2, 7.0 and 7.4", self.0)
    }
}

impl std::error::Error for UnknownRelease {}

impl Release {
    /// All releases, oldest first.
    pub const ALL: [Release; 6] =
        [Release::V3_0, Release::V4_0, Release::V5_0, Release::V6_2, Release::V7_0, Release::V7_4];

    /// The version that a node of this release says it is.
    pub const fn version(self) -> Version {
        match self {
            Release::V3_0 => v(3, 0, 7),
            Release::V4_0 => v(4, 0, 14),
            Release::V5_0 => v(5, 0, 14),
            Release::V6_2 => v(6, 2, 14),
            Release::V7_0 => v(7, 0, 15),
            Release::V7_4 => v(7, 4, 1),
        }
    }

    /// Whether what came with `version` is in this release.
    pub const fn has(self, version: Version) -> bool {
        !self.version().is_before(version)
    }
}

impl fmt::Display for Release {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Version(major, minor, _) = self.version();
        write!(f, "{major}.{minor}")
    }
}

impl FromStr for Release {
    type Err = UnknownRelease;

    fn from_str(text: &str) -> Result<Self, UnknownRelease> {
        Release::ALL
            .into_iter()
            .find(|release| release.to_string() == text || release.version().to_string() == text)
            .ok_or_else(|| UnknownRelease(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn releases_have_what_came_before_them() {
        assert!(Release::V4_0.has(v(3, 2, 0)) && !Release::V3_0.has(v(3, 2, 0)));
        assert!(Release::V7_4.has(v(7, 4, 0)) && !Release::V7_0.has(v(7, 2, 0)));
        assert!(v(6, 2, 0).is_before(v(7, 0, 0)) && !v(6, 2, 0).is_before(v(6, 2, 0)));
    }

    #[test]
    fn releases_are_named_with_and_without_patch() {
        for release in Release::ALL {
            assert_eq!(release.to_string().parse(), Ok(release));
            assert_eq!(release.version().to_string().parse(), Ok(release));
        }
        let error = "6.0".parse::<Release>().unwrap_err();
        assert!(error.to_string().contains("allowed are 3.0, 4.0"));
    }
}
