//! From where an instance may be reached, and changing that.
//!
//! Invariants:
//! - A list that is off, or that names no address, keeps nobody out, as the documents have it.
//! - What was answered is in the store and holds: whoever it keeps out is not connected.

use std::net::IpAddr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::cloud::{Cloud, TaskError};
use crate::task;

/// From where an instance may be reached.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Whitelist {
    /// Whether it keeps anybody out.
    pub is_enabled: bool,
    /// The addresses, in groups.
    pub groups: Vec<Group>,
}

/// Addresses under one name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Group {
    /// The name, unique in its list.
    pub name: String,
    /// The addresses and networks, as they were given.
    pub networks: Vec<Network>,
}

/// An address, or all that begin like it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Network {
    /// As it was given.
    text: String,
    address: IpAddr,
    /// How many leading bits count.
    bits: u32,
}

impl Whitelist {
    /// Whether clients from this address may connect.
    pub fn admits(&self, address: IpAddr) -> bool {
        let mut networks = self.groups.iter().flat_map(|group| &group.networks).peekable();
        !self.is_enabled || networks.peek().is_none() || networks.any(|network| network.contains(address))
    }
}

impl Network {
    /// Reads `192.168.0.1`, `192.168.0.0/24` and the like. `0.0.0.0` and networks that begin there stand for anybody and
    /// are none.
    pub fn parse(text: &str) -> Option<Self> {
        let (address, bits) = match text.split_once('/') {
            Some((address, bits)) => (address, Some(bits)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().ok()?;
        let all = if address.is_ipv4() { 32 } else { 128 };
        let bits = match bits {
            Some(bits) if bits.bytes().all(|byte| byte.is_ascii_digit()) => bits.parse().ok()?,
            Some(_) => return None,
            None => all,
        };
        let is_known = bits <= all && !address.is_unspecified();
        is_known.then(|| Network { text: text.to_owned(), address, bits })
    }

    /// As it was given.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Whether an address is one of it. IPv4 addresses are the same when they come in the form of IPv6.
    pub fn contains(&self, address: IpAddr) -> bool {
        let same =
            |own: u128, other: u128, all: u32| self.bits == 0 || (own ^ other) >> (all - self.bits) == 0;
        match (self.address.to_canonical(), address.to_canonical()) {
            (IpAddr::V4(own), IpAddr::V4(other)) => same(
                u32::from(own).into(),
                u32::from(other).into(),
                if self.address.is_ipv4() { 32 } else { 128 },
            ),
            (IpAddr::V6(own), IpAddr::V6(other)) => same(own.into(), other.into(), 128),
            _ => false,
        }
    }
}

impl Serialize for Network {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.text)
    }
}

impl<'de> Deserialize<'de> for Network {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Network::parse(&text).ok_or_else(|| serde::de::Error::custom("no address or network"))
    }
}

impl Cloud {
    /// Changes from where an instance may be reached; answers the task that does so. Under the instant profile whoever may
    /// not any more is cut off when this returns.
    ///
    /// # Errors
    /// [`TaskError`]
    pub async fn set_whitelist(
        self: &Arc<Self>,
        project_id: &str,
        id: &str,
        whitelist: Whitelist,
    ) -> Result<String, TaskError> {
        let details = task::Details { whitelist: Some(whitelist), ..task::Details::default() };
        Ok(self.carry_out(project_id, id, task::Kind::Admit, details).await?.id.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(is_enabled: bool, networks: &[&str]) -> Whitelist {
        let networks = networks.iter().map(|text| Network::parse(text).unwrap()).collect();
        Whitelist { is_enabled, groups: vec![Group { name: "g".to_owned(), networks }] }
    }

    fn admits(whitelist: &Whitelist, address: &str) -> bool {
        whitelist.admits(address.parse().unwrap())
    }

    #[test]
    fn a_list_keeps_out_whom_it_does_not_name() {
        let own = list(true, &["192.168.1.7", "10.0.0.0/8", "2001:db8::/32"]);
        for (address, expected) in [
            ("192.168.1.7", true),
            ("192.168.1.8", false),
            ("::ffff:192.168.1.7", true),
            ("10.255.0.1", true),
            ("11.0.0.1", false),
            ("2001:db8:1::5", true),
            ("2001:db9::5", false),
            ("::1", false),
        ] {
            assert_eq!(admits(&own, address), expected, "{address}");
        }
    }

    #[test]
    fn a_list_that_is_off_or_empty_keeps_nobody_out() {
        for open in [list(false, &["10.0.0.1"]), list(true, &[]), Whitelist::default()] {
            assert!(admits(&open, "192.0.2.1"));
        }
    }

    #[test]
    fn what_is_no_network_is_refused() {
        for good in ["1.2.3.4", "1.2.3.4/32", "1.0.0.0/8", "::1", "fe80::/10"] {
            assert_eq!(Network::parse(good).unwrap().text(), good);
        }
        for bad in [
            "",
            "x",
            "1.2.3",
            "1.2.3.4/33",
            "1.2.3.4/",
            "1.2.3.4/+8",
            "0.0.0.0",
            "0.0.0.0/0",
            "::/0",
            "1.2.3.4/8/8",
        ] {
            assert!(Network::parse(bad).is_none(), "{bad}");
        }
        assert!(Network::parse("1.2.3.4/0").unwrap().contains("9.9.9.9".parse().unwrap()));
    }

    #[test]
    fn a_list_survives_the_store_form() {
        let own = list(true, &["10.0.0.0/8"]);
        let stored = serde_json::to_string(&own).unwrap();
        assert_eq!(serde_json::from_str::<Whitelist>(&stored).unwrap(), own);
    }
}
