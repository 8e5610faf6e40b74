//! Where a client on this machine reaches what listens on an address.

use std::net::SocketAddr;

/// The address itself, or the local one if it stands for all.
pub(crate) fn reachable(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(engine::master::reachable(address.ip()), address.port())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_addresses_are_reached_by_the_local_one() {
        let reached = |address: &str| reachable(address.parse().unwrap()).to_string();
        assert_eq!(reached("0.0.0.0:8400"), "127.0.0.1:8400");
        assert_eq!(reached("[::]:8400"), "[::1]:8400");
        assert_eq!(reached("192.0.2.1:8400"), "192.0.2.1:8400");
    }
}
