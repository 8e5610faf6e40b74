//! A node's configuration: which parameters its release has, and the values that they have now.
//!
//! Only what differs from the defaults is kept, so that a thousand nodes do not keep them a thousand times.
//!
//! Invariant: a value is in force, where it takes effect, from the moment at which [`Node::configure`] returns; it holds
//! all shards, so no command sees a part of a change.

use crate::Node;
use crate::error::BadValue;
use crate::parameter::{Kind, Parameter, Settable, Value};
use crate::parameters::RECORDS;
use command::Release;
use keyspace::{Locked, Params};
use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};
use structures::ranked::RwLock;

/// A parameter as a release has it.
pub struct Row {
    /// The parameter's record.
    pub parameter: &'static Parameter,
    /// Which values it takes.
    pub kind: Kind,
    /// The value that it has when none is given.
    pub default: Value,
}

/// The parameters of a release.
pub struct Parameters {
    release: Release,
    rows: Vec<Row>,
    /// Names and the numbers of their rows, in the order of the names.
    names: Vec<(&'static str, usize)>,
}

impl Parameters {
    /// Those of a release; they live as long as the program.
    pub fn of(release: Release) -> &'static Parameters {
        static TABLES: [OnceLock<Parameters>; 6] = [const { OnceLock::new() }; 6];
        TABLES[release as usize].get_or_init(|| Parameters::new(release))
    }

    fn new(release: Release) -> Parameters {
        let mut table = Parameters { release, rows: Vec::new(), names: Vec::new() };
        for parameter in RECORDS.iter().filter(|parameter| parameter.exists_in(release)) {
            let kind = parameter.kind(release);
            let nothing = Value::Text(Box::default());
            let default = kind.parse(release, &nothing, parameter.default(release).as_bytes());
            let default = default.unwrap_or_else(|error| unreachable!("{}: {error}", parameter.name));
            table.names.extend(parameter.names(release).map(|name| (name, table.rows.len())));
            table.rows.push(Row { parameter, kind, default });
        }
        table.names.sort_unstable_by_key(|(name, _)| *name);
        table
    }

    /// All names with the numbers of their rows, in alphabetical order.
    pub fn names(&self) -> impl Iterator<Item = (&'static str, usize)> {
        self.names.iter().copied()
    }

    /// The number of the row of a name, in any case, and the name as it is written.
    pub fn find(&self, name: &[u8]) -> Option<(&'static str, usize)> {
        let name = name.to_ascii_lowercase();
        let found = self.names.binary_search_by(|(own, _)| own.as_bytes().cmp(&name));
        found.ok().map(|index| self.names[index])
    }

    /// A row.
    pub fn row(&self, number: usize) -> &Row {
        &self.rows[number]
    }
}

/// Values that differ from the defaults, by the numbers of their rows.
type Changed = BTreeMap<usize, Value>;

/// The values of a node's parameters.
pub struct Configuration {
    parameters: &'static Parameters,
    changed: RwLock<Changed>,
}

/// Why a node cannot start with its configuration.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{name} {reason}")]
pub struct BadParameter {
    /// The parameter.
    pub name: String,
    /// What is wrong, to go on from its name.
    pub reason: String,
}

impl Configuration {
    /// The configuration of a node that starts: what it knows of itself, and what it was given.
    ///
    /// # Errors
    /// [`BadParameter`]
    pub fn new(
        release: Release,
        known: &[(&str, &str)],
        given: &[(String, String)],
    ) -> Result<Configuration, BadParameter> {
        let parameters = Parameters::of(release);
        let mut changed = Changed::new();
        for (name, text) in known {
            let (_, number) = parameters.find(name.as_bytes()).expect("a node knows its own parameters");
            let value = parameters.row(number).kind.parse(release, &Value::Switch(false), text.as_bytes());
            changed.insert(number, value.expect("a node knows its own values"));
        }
        let mut draft = Draft { parameters, changed };
        for (name, text) in given {
            let bad = |reason: String| BadParameter { name: name.clone(), reason };
            let Some((_, number)) = parameters.find(name.as_bytes()) else {
                return Err(bad(format!("is no parameter of release {release}; CONFIG GET * lists them")));
            };
            let kind = parameters.row(number).kind;
            draft.set(number, text.as_bytes()).map_err(|error| {
                bad(match error {
                    error if error.is_inability() => format!("cannot be {text:?}: {error}"),
                    _ => format!("takes {}, not {text:?}", kind.takes()),
                })
            })?;
        }
        Ok(Configuration { parameters, changed: RwLock::new(draft.changed) })
    }

    /// The parameters that there are.
    pub fn parameters(&self) -> &'static Parameters {
        self.parameters
    }

    /// The value of a parameter, by the number of its row.
    pub fn value(&self, number: usize) -> Value {
        self.changed.read().get(&number).unwrap_or(&self.parameters.row(number).default).clone()
    }

    /// The value of a parameter as it is written.
    pub fn show(&self, number: usize) -> Vec<u8> {
        let row = self.parameters.row(number);
        row.kind.show(self.changed.read().get(&number).unwrap_or(&row.default))
    }

    /// The value of a parameter that this release has.
    pub fn named(&self, name: &str) -> Option<Value> {
        self.parameters.find(name.as_bytes()).map(|(_, number)| self.value(number))
    }

    /// The number of the row of a parameter, by the name of its record, whatever the release calls it; nothing if it does
    /// not have it.
    pub(crate) fn row_of(&self, name: &str) -> Option<usize> {
        self.parameters.rows.iter().position(|row| row.parameter.name == name)
    }

    /// The value of a parameter, by the name of its record, whatever the release calls it.
    pub fn recorded(&self, name: &str) -> Option<Value> {
        self.row_of(name).map(|number| self.value(number))
    }

    /// Changes that are not in force yet.
    pub fn draft(&self) -> Draft {
        Draft { parameters: self.parameters, changed: self.changed.read().clone() }
    }

    /// What the configuration says about keys.
    pub fn params(&self, seed: u64) -> Params {
        let release = self.parameters.release;
        let mut params = Params::new(seed);
        // What no parameter says, or not in this release.
        params.list_narrows = release >= Release::V7_4;
        params.zset.packed_minus_zero = release < Release::V7_0;
        if release < Release::V7_4 {
            params.set.packed_entries = 0;
        }
        for (number, row) in self.parameters.rows.iter().enumerate() {
            (row.parameter.keys)(&mut params, &self.value(number));
        }
        params
    }

    /// Puts all values where they take effect, but for keys.
    pub(crate) fn apply(&self, node: &Node) {
        for (number, row) in self.parameters.rows.iter().enumerate() {
            (row.parameter.apply)(node, &self.value(number));
        }
    }
}

/// Values that are to come into force together.
pub struct Draft {
    parameters: &'static Parameters,
    changed: Changed,
}

impl Draft {
    /// Changes the value of a parameter, by the number of its row.
    ///
    /// # Errors
    /// [`BadValue`]
    pub fn set(&mut self, number: usize, text: &[u8]) -> Result<(), BadValue> {
        let row = self.parameters.row(number);
        let old = self.changed.get(&number).unwrap_or(&row.default);
        let value = row.kind.parse(self.parameters.release, old, text)?;
        let value = (row.parameter.adopt)(old, value)?;
        if value == row.default {
            self.changed.remove(&number);
        } else {
            self.changed.insert(number, value);
        }
        Ok(())
    }
}

impl Node {
    /// Brings into force what another node of the same release has been configured to, as far as that can be set while a
    /// node runs; where files lie is said by other means. All shards are held.
    pub fn configure_as(&self, locked: &mut Locked, other: &Node) {
        debug_assert!(self.release == other.release);
        let theirs = other.configuration.changed.read().clone();
        let (mut draft, mut differs) = (self.configuration.draft(), Vec::new());
        for (number, row) in self.configuration.parameters.rows.iter().enumerate() {
            let is_settable = match row.parameter.settable {
                Settable::Since(version) => self.release.has(version),
                Settable::Protected => row.parameter.name != "dir",
                Settable::Start | Settable::Directive => false,
            };
            if !is_settable || draft.changed.get(&number) == theirs.get(&number) {
                continue;
            }
            match theirs.get(&number) {
                Some(value) => draft.changed.insert(number, value.clone()),
                None => draft.changed.remove(&number),
            };
            differs.push(number);
        }
        if !differs.is_empty() {
            self.configure(locked, draft, &differs);
        }
    }

    /// Brings a draft into force: the values of these rows, whose effects are to be seen. All shards are held.
    pub fn configure(&self, locked: &mut Locked, draft: Draft, rows: &[usize]) {
        debug_assert!(locked.holds_all());
        *self.configuration.changed.write() = draft.changed;
        let params = locked.iter().next().map(|shard| shard.params().clone());
        if let Some(mut params) = params {
            for &number in rows {
                let parameter = self.configuration.parameters.row(number).parameter;
                (parameter.keys)(&mut params, &self.configuration.value(number));
            }
            let params = Arc::new(params);
            locked.iter_mut().for_each(|shard| shard.set_params(Arc::clone(&params)));
        }
        for &number in rows {
            let parameter = self.configuration.parameters.row(number).parameter;
            (parameter.apply)(self, &self.configuration.value(number));
        }
    }
}
