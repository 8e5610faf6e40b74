//! What is remembered of a map when its nodes end: a line for each node, with its id, the id of its master or a dash, its
//! epoch, and the ranges of its slots.
//!
//! What moves is not remembered: a slot is where it was last said to be.

use super::ClusterMap;
use super::map::{Groups, NodeNumber, Role};
use keyspace::slots::SLOTS;
use std::fmt::Write;

impl ClusterMap {
    /// What there is to remember.
    pub fn export(&self) -> String {
        self.look(|groups| {
            let mut text = String::new();
            for (number, node) in groups.all() {
                let master = match node.role {
                    Role::Master => "-",
                    Role::Replica(master) => &groups.node(master).id,
                };
                // Writing to a string does not fail.
                let _ = write!(text, "{} {master} {}", node.id, node.epoch);
                for (first, last, _) in groups.ranges(number).iter().filter(|(.., owner)| *owner == number) {
                    let _ = write!(text, " {first}-{last}");
                }
                text.push('\n');
            }
            text
        })
    }

    /// Puts back what was remembered of the nodes that are there. Whether it makes sense; what does not, is passed over.
    pub fn import(&self, text: &str) -> bool {
        self.change(|groups| {
            let mut all = true;
            let mut last = None;
            for line in text.lines() {
                let remembered = import_line(groups, line);
                all &= remembered.is_some();
                last = remembered.or(last);
            }
            if let Some(number) = last {
                groups.rejoin(number);
            }
            all && last.is_some()
        })
    }
}

fn import_line(groups: &mut Groups, line: &str) -> Option<NodeNumber> {
    let mut words = line.split(' ');
    let id = words.next()?;
    let find =
        |groups: &Groups, id: &str| groups.all().find(|(_, node)| node.id == id).map(|(number, _)| number);
    let number = find(groups, id)?;
    let master = match words.next()? {
        "-" => None,
        id => Some(find(groups, id)?),
    };
    let epoch = words.next()?.parse().ok()?;
    groups.restore_epoch(number, epoch);
    if let Some(master) = master {
        groups.follow(number, master);
    }
    for range in words {
        let (first, last) = range.split_once('-')?;
        let (first, last): (u16, u16) = (first.parse().ok()?, last.parse().ok()?);
        groups.assign_all(first..=last.min(SLOTS - 1), number);
    }
    Some(number)
}
