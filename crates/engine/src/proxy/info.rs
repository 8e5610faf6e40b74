//! `INFO` of a proxy: the text of its own node, with what its shards have and have done added.

use crate::info::human;
use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt::Write;

/// Fields whose values are added up.
static ADDED: &[&str] = &[
    "allocator_active",
    "allocator_allocated",
    "blocked_clients",
    "clients_in_timeout_table",
    "dump_payload_sanitizations",
    "evicted_keys",
    "expired_keys",
    "expired_subkeys",
    "instantaneous_ops_per_sec",
    "keyspace_hits",
    "keyspace_misses",
    "lazyfreed_objects",
    "rdb_changes_since_last_save",
    "total_blocking_keys",
    "total_blocking_keys_on_nokey",
    "total_commands_processed",
    "total_error_replies",
    "total_watched_keys",
    "unexpected_error_replies",
    "used_memory",
    "used_memory_dataset",
    "used_memory_overhead",
    "used_memory_peak",
    "used_memory_startup",
];

/// Fields that tell one of those as people like to read it: how they end.
const HUMAN: &str = "_human";

/// Beginnings of lines that every node has as many of as it has databases or commands. What they tell are names and
/// numbers.
static LISTED: &[&str] = &["db", "cmdstat_", "errorstat_"];

/// Whether a line is one of a list; most that begin so are not.
fn is_listed(name: &str, value: &str) -> bool {
    LISTED.iter().any(|begin| name.starts_with(begin)) && value.contains('=')
}

/// The sum of texts; the first is that of the proxy's own node.
pub(super) fn sum(texts: &[Cow<str>]) -> String {
    let Some((front, shards)) = texts.split_first() else { return String::new() };
    let mut added: HashMap<&str, u64> = HashMap::new();
    let mut listed: Vec<(&str, Listed)> = Vec::new();
    for (name, value) in texts.iter().flat_map(|text| text.lines()).filter_map(|line| line.split_once(':')) {
        if is_listed(name, value) {
            match listed.iter_mut().find(|(own, _)| *own == name) {
                Some((_, own)) => own.add(value),
                None => {
                    let mut own = Listed::default();
                    own.add(value);
                    listed.push((name, own));
                }
            }
        } else if ADDED.binary_search(&name).is_ok() {
            *added.entry(name).or_default() += value.parse().unwrap_or(0);
        }
    }
    listed.sort_by(|(one, _), (other, _)| order(one).cmp(&order(other)));
    let mut sum = String::new();
    let section = |title: &str| -> &[&str] {
        match title {
            "# Keyspace" => &LISTED[..1],
            "# Commandstats" => &LISTED[1..2],
            "# Errorstats" => &LISTED[2..],
            _ => &[],
        }
    };
    debug_assert!(shards.iter().all(|text| text.lines().count() > 0 || front.is_empty()));
    for line in front.lines() {
        let Some((name, value)) = line.split_once(':') else {
            let _ = write!(sum, "{line}\r\n");
            let begins = section(line);
            for (name, own) in &listed {
                if begins.iter().any(|begin| name.starts_with(begin)) {
                    let _ = write!(sum, "{name}:{}\r\n", own.show());
                }
            }
            continue;
        };
        if is_listed(name, value) {
            continue;
        }
        let base = name.strip_suffix(HUMAN).and_then(|base| added.get(base));
        let _ = match (added.get(name), base) {
            (Some(value), _) => write!(sum, "{name}:{value}\r\n"),
            (None, Some(bytes)) => write!(sum, "{name}:{}\r\n", human(*bytes)),
            (None, None) => write!(sum, "{name}:{value}\r\n"),
        };
    }
    sum
}

/// Databases go by their numbers, all else by names.
fn order(name: &str) -> (&str, u64, &str) {
    match name.strip_prefix(LISTED[0]).and_then(|number| number.parse().ok()) {
        Some(number) => (LISTED[0], number, ""),
        None => ("", 0, name),
    }
}

/// What a line tells: names and numbers, of which some are means.
#[derive(Debug, Default)]
struct Listed(Vec<(String, f64)>);

/// Means, what they are means of, and the decimals that they are told with.
static MEANS: &[(&str, &str, usize)] = &[("avg_ttl", "expires", 0), ("usec_per_call", "calls", 2)];

impl Listed {
    fn get(&self, name: &str) -> f64 {
        self.0.iter().find(|(own, _)| own == name).map_or(0.0, |(_, value)| *value)
    }

    fn add(&mut self, value: &str) {
        let pairs = value.split(',').filter_map(|pair| pair.split_once('='));
        let other = Listed(pairs.map(|(name, value)| (name.into(), value.parse().unwrap_or(0.0))).collect());
        let before = Listed(self.0.clone());
        for (name, value) in &other.0 {
            let weight = MEANS.iter().find(|(mean, ..)| mean == name).map(|(_, of, _)| *of);
            let sum = match weight {
                Some(of) => {
                    let (one, two) = (before.get(of), other.get(of));
                    let all = before.get(name) * one + value * two;
                    if one + two > 0.0 { all / (one + two) } else { 0.0 }
                }
                None => before.get(name) + value,
            };
            match self.0.iter_mut().find(|(own, _)| own == name) {
                Some((_, own)) => *own = sum,
                None => self.0.push((name.clone(), sum)),
            }
        }
    }

    fn show(&self) -> String {
        let shown = self.0.iter().map(|(name, value)| {
            let decimals = MEANS.iter().find(|(mean, ..)| mean == name).map_or(0, |(.., decimals)| *decimals);
            format!("{name}={value:.decimals$}")
        });
        shown.collect::<Vec<_>>().join(",")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_shards_have_is_added() {
        assert!(ADDED.is_sorted());
        let front = "# Memory\r\nused_memory:1000\r\nused_memory_human:1000B\r\nmaxmemory:5\r\n\r\n# Commandstats\r\ncmdstat_ping:calls=1,usec=3,usec_per_call=3.00\r\n\r\n# Keyspace\r\n";
        let one = "# Memory\r\nused_memory:24\r\nused_memory_human:24B\r\nmaxmemory:2\r\n\r\n# Commandstats\r\ncmdstat_get:calls=1,usec=3,usec_per_call=3.00\r\n\r\n# Keyspace\r\ndb0:keys=1,expires=1,avg_ttl=10\r\n";
        let two = "# Memory\r\nused_memory:1024\r\nused_memory_human:1.00K\r\nmaxmemory:2\r\n\r\n# Commandstats\r\ncmdstat_get:calls=3,usec=13,usec_per_call=4.33\r\n\r\n# Keyspace\r\ndb0:keys=5,expires=3,avg_ttl=20\r\ndb10:keys=1,expires=0,avg_ttl=0\r\n";
        assert_eq!(
            sum(&[front.into(), one.into(), two.into()]),
            "# Memory\r\nused_memory:2048\r\nused_memory_human:2.00K\r\nmaxmemory:5\r\n\r\n# Commandstats\r\ncmdstat_get:calls=4,usec=16,usec_per_call=4.00\r\ncmdstat_ping:calls=1,usec=3,usec_per_call=3.00\r\n\r\n# Keyspace\r\ndb0:keys=6,expires=4,avg_ttl=18\r\ndb10:keys=1,expires=0,avg_ttl=0\r\n"
        );
    }
}
