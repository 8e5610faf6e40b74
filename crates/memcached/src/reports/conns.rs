//! `stats conns`: the connections, and the socket that listens for them.

use std::net::SocketAddr;
use std::sync::atomic::Ordering::Relaxed;

use super::{Line, line};
use crate::clock::{BEGIN, Now};
use crate::node::Node;

/// The report. The socket has a number that no connection has; it has said something when the node began.
pub(super) fn lines(node: &Node, now: Now) -> Vec<Line> {
    let began_s = now.second.saturating_sub(BEGIN);
    let mut lines = vec![
        line("0:addr", told(node.host().surroundings().address)),
        line("0:state", "conn_listening"),
        line("0:secs_since_last_cmd", began_s),
    ];
    for client in node.clients.all() {
        let id = client.id;
        let silent_ms = now.ms - client.active_ms.load(Relaxed);
        lines.push(line(&format!("{id}:addr"), told(client.peer)));
        lines.push(line(&format!("{id}:listen_addr"), told(client.local)));
        // Who has been heard at this very moment is being served; that is so for whoever asks.
        let state = match silent_ms {
            _ if client.is_watching.load(Relaxed) => "conn_watch",
            ..=0 => "conn_parse_cmd",
            _ => "conn_read",
        };
        lines.push(line(&format!("{id}:state"), state));
        lines.push(line(&format!("{id}:secs_since_last_cmd"), silent_ms.max(0) / 1000));
    }
    lines
}

/// An address with its protocol.
fn told(address: SocketAddr) -> String {
    format!("{}:{address}", if address.is_ipv6() { "tcp6" } else { "tcp" })
}

#[cfg(test)]
mod tests {
    use super::told;

    /// Observed on 1.6.18.
    #[test]
    fn protocols_of_addresses_are_told() {
        for want in ["tcp:127.0.0.1:11211", "tcp6:[::1]:11211"] {
            let (_, address) = want.split_once(':').unwrap();
            assert_eq!(told(address.parse().unwrap()), want);
        }
    }
}
