//! A Redis node of the control plane: its settings as parameters, and what its servers have and have done.

use cloud::data_plane::{NodeSpec, Statistics};
use cloud::engine::Release;
use cloud::instance::Access;
use cloud::topology::Topology;
use engine::table::{self, Table};

/// How many servers share what the data of a node may take, each with a limit of its own.
pub(crate) fn parts(node: &NodeSpec) -> u64 {
    if node.topology == Topology::Cluster { u64::from(node.shards.max(1)) } else { 1 }
}

/// How clients prove who they are, as parameters. Servers of a cluster are clients of each other; elsewhere standbys know
/// what their master wants.
pub(crate) fn passwords(access: &Access, is_cluster: bool) -> Vec<(String, String)> {
    let password = match access {
        Access::Open => "",
        Access::Password(password) => password.reveal(),
    };
    let names: &[&str] = if is_cluster { &["requirepass", "masterauth"] } else { &["requirepass"] };
    names.iter().map(|name| ((*name).to_owned(), password.to_owned())).collect()
}

/// A node's settings as the parameters of its engine. What it is told last counts.
pub(crate) fn config(node: &NodeSpec) -> Vec<(String, String)> {
    let mut config = vec![
        ("databases".to_owned(), node.databases.to_string()),
        ("maxmemory".to_owned(), (node.memory_limit_bytes / parts(node)).to_string()),
    ];
    config.extend(passwords(&node.access, node.topology == Topology::Cluster));
    let renamed = node.renamed_commands.iter();
    config.extend(renamed.map(|(command, name)| ("rename-command".to_owned(), format!("{command} {name}"))));
    config.extend(node.parameters.iter().cloned());
    config
}

/// The release that its engine imitates.
pub(crate) fn release_of(release: Release) -> command::Release {
    match release {
        Release::V3_0 => command::Release::V3_0,
        Release::V4_0 => command::Release::V4_0,
        Release::V5_0 => command::Release::V5_0,
        Release::V6_2 => command::Release::V6_2,
        Release::V7_0 => command::Release::V7_0,
        Release::V7_4 => command::Release::V7_4,
    }
}

/// What one server has and has done.
pub(crate) fn statistics(node: &engine::Node) -> Statistics {
    let table = Table::of(node.release);
    let calls = |name: &[u8]| {
        let entry = table::find(table.names(), name);
        entry.map_or(0, |entry| node.stats.all_command_sums(entry.index).calls)
    };
    let ticks: u64 = (0..table.len()).map(|index| node.stats.all_command_sums(index).ticks).sum();
    let now_us = node.host.wall_us();
    let rates = node.stats.rates(now_us.div_euclid(1000), (now_us - node.started_us) / 1000);
    Statistics {
        used_memory_bytes: node.keyspace.used_bytes() as u64,
        clients: node.clients.len() as u64,
        commands: node.stats.sum(|worker| &worker.commands),
        gets: calls(b"get"),
        sets: calls(b"set"),
        input_bytes: node.stats.sum(|worker| &worker.input_bytes),
        output_bytes: node.stats.sum(|worker| &worker.output_bytes),
        input_bytes_per_s: rates.input_bytes as u64,
        output_bytes_per_s: rates.output_bytes as u64,
        busy_us: node.ticks_to_us(ticks).unsigned_abs(),
    }
}
