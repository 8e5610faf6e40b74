//! The commands of a release, ready to be looked up and run.
//!
//! Records are looked at once a release: what they are like in it, and how their keys are found, stands in an
//! [`Entry`]. Tables live as long as the program. A node adds names of its own ([`Names`]) where commands have been
//! renamed.

use crate::Command;
use crate::commands;
use crate::keys::Plan;
use command::{Flags, Release, Shape};
use std::collections::HashMap;
use std::sync::{Arc, OnceLock};

/// A command as a release has it.
#[derive(Debug)]
pub struct Entry {
    /// The command's record.
    pub record: &'static Command,
    /// What the command is like in the release.
    pub shape: Shape,
    /// Which shards it needs.
    pub plan: Plan,
    /// A number below [`Table::len`], by which statistics are kept.
    pub index: usize,
    /// The name by which statistics and logs call it: that of a subcommand has its container's in front.
    pub full_name: Box<str>,
    /// The command that it is a subcommand of.
    pub container: Option<&'static Command>,
    /// Its subcommands.
    pub subcommands: Vec<&'static Entry>,
}

impl Entry {
    /// Whether the command has a trait in this release.
    #[inline]
    pub fn is(&self, flag: Flags) -> bool {
        self.shape.flags.contains(flag)
    }

    /// The subcommand of this name, in any case.
    pub fn subcommand(&self, name: &[u8]) -> Option<&'static Entry> {
        self.subcommands.iter().find(|sub| sub.record.name.as_bytes().eq_ignore_ascii_case(name)).copied()
    }
}

/// All commands of a release.
#[derive(Debug)]
pub struct Table {
    /// Commands and subcommands, by their numbers.
    entries: Vec<&'static Entry>,
    /// Numbers of commands by their names, in lower case.
    names: Arc<Names>,
}

/// Commands by name, in lower case.
pub type Names = HashMap<Box<[u8]>, &'static Entry, foldhash::fast::RandomState>;

impl Table {
    /// The table of a release.
    pub fn of(release: Release) -> &'static Table {
        static TABLES: [OnceLock<Table>; 6] = [const { OnceLock::new() }; 6];
        TABLES[release as usize].get_or_init(|| Table::new(release))
    }

    fn new(release: Release) -> Table {
        let mut table = Table { entries: Vec::new(), names: Arc::default() };
        let mut names = Names::default();
        for record in commands::all().filter(|record| record.exists_in(release)) {
            let entry = table.add(record, None, release);
            let old = names.insert(record.name.as_bytes().into(), entry);
            assert!(old.is_none(), "two records named {}", record.name);
        }
        table.names = Arc::new(names);
        table
    }

    fn add(
        &mut self,
        record: &'static Command,
        container: Option<&'static Command>,
        release: Release,
    ) -> &'static Entry {
        let shape = record.shape(release);
        let subcommands = record
            .subcommands
            .iter()
            .filter(|sub| sub.exists_in(release))
            .map(|sub| self.add(sub, Some(record), release))
            .collect();
        let full_name = match container {
            // Before 7.0 there was no talk of subcommands.
            Some(container) if release >= Release::V7_0 => {
                format!("{}|{}", container.name, record.name).into()
            }
            Some(container) => container.name.into(),
            None => record.name.into(),
        };
        let plan = Plan::of(record, &shape);
        let entry = Box::leak(Box::new(Entry {
            record,
            shape,
            plan,
            index: self.entries.len(),
            full_name,
            container,
            subcommands,
        }));
        self.entries.push(entry);
        entry
    }

    /// The number of commands and subcommands.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there are no commands; there always are.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The command or subcommand with this number.
    pub fn entry(&self, index: usize) -> &'static Entry {
        self.entries[index]
    }

    /// Commands by their own names.
    pub fn names(&self) -> &Names {
        &self.names
    }

    /// The same, for nodes that rename none.
    pub(crate) fn shared_names(&self) -> &Arc<Names> {
        &self.names
    }
}

/// The command of a name, in any case.
#[inline]
pub fn find(names: &Names, name: &[u8]) -> Option<&'static Entry> {
    // No command's name is longer than this, but clients send what they like.
    let mut lower = [0; 64];
    let lower = lower.get_mut(..name.len())?;
    for (to, from) in lower.iter_mut().zip(name) {
        *to = from.to_ascii_lowercase();
    }
    names.get(&*lower).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_release_has_a_consistent_table() {
        for release in Release::ALL {
            let table = Table::of(release);
            for (index, entry) in (0..table.len()).map(|index| (index, table.entry(index))) {
                let name = &entry.full_name;
                assert_eq!(entry.index, index);
                assert!(!entry.record.summary.is_empty(), "{name} has no summary");
                assert!(entry.record.summary.ends_with('.'), "{name}: a summary is a sentence");
                assert_eq!(entry.record.name, entry.record.name.to_ascii_lowercase());
                let arguments = command::syntax::parse(entry.record.syntax);
                assert!(arguments.is_ok(), "{name}: {arguments:?}");
            }
            assert!(find(table.names(), b"GeT").is_some_and(|entry| entry.record.name == "get"));
            assert!(find(table.names(), &[b'x'; 500]).is_none());
        }
    }
}
