//! What a parameter of the configuration is, as data: which values it takes, how they are written, and where they take
//! effect.
//!
//! A [`Parameter`] has the shape of the newest release; what was different before stands in [`Parameter::former`], as
//! with commands. A default is the text in the record and goes the way of every other value, so what a node does
//! without being told follows from the records alone.

use crate::Node;
use crate::error::BadValue;
use command::{Release, Version, v};
use keyspace::{Class, Params};
use structures::number;

/// A parameter.
pub struct Parameter {
    /// Its name, in lower case.
    pub name: &'static str,
    /// The name that it had before, and the version that gave it the new one; from then on both are understood.
    pub renamed: Option<(&'static str, Version)>,
    /// The version that introduced it.
    pub since: Version,
    /// The version that removed it.
    pub until: Option<Version>,
    /// The version from which on patterns do not find it.
    pub unlisted_since: Option<Version>,
    /// Which values it takes.
    pub kind: Kind,
    /// The value that it has when none is given.
    pub default: &'static str,
    /// What differed in earlier releases, newest first.
    pub former: &'static [Former],
    /// When it can be set.
    pub settable: Settable,
    /// Turns a value into the one that the node takes, given the one that it has; refuses what the node cannot do.
    pub adopt: fn(&Value, Value) -> Result<Value, BadValue>,
    /// Puts a value into what the configuration says about keys.
    pub keys: fn(&mut Params, &Value),
    /// Puts a value wherever else it takes effect.
    pub apply: fn(&Node, &Value),
}

/// The parameter on which records are built: a text that is only remembered.
pub const BASE: Parameter = Parameter {
    name: "",
    renamed: None,
    since: v(1, 0, 0),
    until: None,
    unlisted_since: None,
    kind: Kind::Text,
    default: "",
    former: &[],
    settable: Settable::Since(v(1, 0, 0)),
    adopt: |_, value| Ok(value),
    keys: |_, _| {},
    apply: |_, _| {},
};

/// When a parameter can be set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Settable {
    /// Always, from this version on; before it only when the node starts.
    Since(Version),
    /// Only when the node starts.
    Start,
    /// Only when the node starts, and afterwards nobody is told.
    Directive,
    /// As `enable-protected-configs` says, from 7.0 on; before it always.
    Protected,
}

/// A difference of the releases before one.
#[derive(Clone, Copy)]
pub struct Former {
    before: Release,
    default: Option<&'static str>,
    kind: Option<Kind>,
}

impl Former {
    /// No difference.
    pub const fn before(release: Release) -> Former {
        Former { before: release, default: None, kind: None }
    }

    /// With this default.
    pub const fn default(self, default: &'static str) -> Former {
        Former { default: Some(default), ..self }
    }

    /// With these values.
    pub const fn kind(self, kind: Kind) -> Former {
        Former { kind: Some(kind), ..self }
    }
}

/// Which values a parameter takes.
#[derive(Clone, Copy)]
pub enum Kind {
    /// `yes` or `no`.
    Switch,
    /// An integer.
    Integer {
        /// The least.
        min: i64,
        /// The greatest.
        max: i64,
    },
    /// A number of bytes, with a unit if that is shorter.
    Memory {
        /// The least.
        min: u64,
        /// The greatest.
        max: u64,
    },
    /// The same, or a part of `maxmemory` in percent.
    MemoryOrPercent,
    /// Permissions of a file.
    Octal,
    /// One of these words.
    Word(&'static [&'static str]),
    /// Some of these words; none of them is the first.
    Words(&'static [&'static str]),
    /// Any bytes.
    Text,
    /// What a function reads.
    Special(&'static Special),
}

/// Values of a form that one parameter alone has.
pub struct Special {
    /// What is allowed, to go on from "takes".
    pub takes: &'static str,
    /// Reads a value, given the one that the node has.
    pub parse: fn(Release, &Value, &[u8]) -> Result<Value, BadValue>,
    /// Writes a value.
    pub show: fn(&Value) -> String,
}

/// A value.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// Of [`Kind::Switch`].
    Switch(bool),
    /// Of [`Kind::Integer`] and [`Kind::Octal`].
    Integer(i64),
    /// Of [`Kind::Memory`], in bytes.
    Memory(u64),
    /// Of [`Kind::MemoryOrPercent`].
    Percent(u8),
    /// Of [`Kind::Word`].
    Word(&'static str),
    /// Of [`Kind::Words`]: a bit for each, the first the lowest.
    Words(u32),
    /// Of [`Kind::Text`].
    Text(Box<[u8]>),
    /// Numbers whose places say what they are.
    Numbers(Box<[i64]>),
    /// Numbers with fractions.
    Decimals(Box<[f64]>),
    /// Classes of events.
    Events(Class),
    /// Pairs of names.
    Pairs(Box<[(Box<str>, Box<str>)]>),
}

impl Parameter {
    /// Whether a release has this parameter.
    pub fn exists_in(&self, release: Release) -> bool {
        release.has(self.since) && !self.until.is_some_and(|until| release.has(until))
    }

    /// Its names in a release, the one by which errors call it first.
    pub fn names(&self, release: Release) -> impl Iterator<Item = &'static str> {
        let (new, old) = match self.renamed {
            Some((old, version)) if release.has(version) => (Some(self.name), Some(old)),
            Some((old, _)) => (None, Some(old)),
            None => (Some(self.name), None),
        };
        new.into_iter().chain(old)
    }

    /// Whether patterns find it.
    pub fn is_listed(&self, release: Release) -> bool {
        self.is_told() && !self.unlisted_since.is_some_and(|version| release.has(version))
    }

    /// Whether clients see it at all.
    pub fn is_told(&self) -> bool {
        self.settable != Settable::Directive
    }

    /// Which values it takes in a release.
    pub fn kind(&self, release: Release) -> Kind {
        self.formerly(release).filter_map(|former| former.kind).last().unwrap_or(self.kind)
    }

    /// Its default in a release, as text.
    pub fn default(&self, release: Release) -> &'static str {
        self.formerly(release).filter_map(|former| former.default).last().unwrap_or(self.default)
    }

    fn formerly(&self, release: Release) -> impl Iterator<Item = &'static Former> {
        self.former.iter().filter(move |former| release < former.before)
    }
}

impl Kind {
    /// Reads a value, given the one that the node has.
    ///
    /// # Errors
    /// [`BadValue`]
    pub fn parse(self, release: Release, old: &Value, text: &[u8]) -> Result<Value, BadValue> {
        match self {
            Kind::Switch if text.eq_ignore_ascii_case(b"yes") => Ok(Value::Switch(true)),
            Kind::Switch if text.eq_ignore_ascii_case(b"no") => Ok(Value::Switch(false)),
            Kind::Switch => Err(BadValue::NotASwitch),
            Kind::Integer { min, max } => {
                let value = number::parse_i64(text).ok_or(BadValue::NotAnInteger)?;
                between(value, min, max)?;
                Ok(Value::Integer(value))
            }
            Kind::Memory { min, max } => {
                let value = memory(text).ok_or(BadValue::NotMemory)?;
                between(value, min, max)?;
                Ok(Value::Memory(value))
            }
            Kind::MemoryOrPercent => match (memory(text), text.strip_suffix(b"%")) {
                (Some(bytes), _) => {
                    // Percentages are kept below zero, so sizes beyond are taken for some of more than a hundred.
                    if bytes > i64::MAX as u64 {
                        Err(BadValue::TooManyPercent)
                    } else {
                        Ok(Value::Memory(bytes))
                    }
                }
                (None, Some(digits)) => match number::parse_i64(digits) {
                    Some(percent @ 0..=100) => Ok(Value::Percent(percent as u8)),
                    Some(101..) => Err(BadValue::TooManyPercent),
                    _ => Err(BadValue::NotMemoryOrPercent),
                },
                (None, None) => Err(BadValue::NotMemoryOrPercent),
            },
            Kind::Octal => {
                let text = std::str::from_utf8(text).unwrap_or_default();
                let value = i64::from_str_radix(text, 8).map_err(|_| BadValue::NotOctal)?;
                between(value, 0, 0o777)?;
                Ok(Value::Integer(value))
            }
            Kind::Word(words) => match position(words, text) {
                Some(index) => Ok(Value::Word(words[index])),
                None => Err(BadValue::not_one_of(release, words)),
            },
            Kind::Words(words) => {
                let mut bits = 0;
                for word in text.split(|&byte| byte == b' ') {
                    let index = position(words, word).ok_or_else(|| BadValue::not_one_of(release, words))?;
                    bits |= 1 << index;
                }
                Ok(Value::Words(bits & !1))
            }
            Kind::Text => Ok(Value::Text(text.into())),
            Kind::Special(special) => (special.parse)(release, old, text),
        }
    }

    /// Writes a value.
    pub fn show(self, value: &Value) -> Vec<u8> {
        let text = match (self, value) {
            (Kind::Special(special), value) => (special.show)(value),
            (_, Value::Text(text)) => return text.to_vec(),
            (_, Value::Switch(on)) => if *on { "yes" } else { "no" }.into(),
            (Kind::Octal, Value::Integer(number)) => format!("{number:o}"),
            (_, Value::Integer(number)) => number.to_string(),
            (_, Value::Memory(bytes)) => bytes.to_string(),
            (_, Value::Percent(0)) => "0".into(),
            (_, Value::Percent(percent)) => format!("{percent}%"),
            (_, Value::Word(word)) => (*word).into(),
            (Kind::Words(words), Value::Words(0)) => words[0].into(),
            (Kind::Words(words), Value::Words(bits)) => {
                let chosen = words.iter().enumerate().filter(|(index, _)| bits >> index & 1 == 1);
                chosen.map(|(_, word)| *word).collect::<Vec<_>>().join(" ")
            }
            (_, other) => unreachable!("{other:?} is no value of its parameter"),
        };
        text.into_bytes()
    }

    /// What is allowed, to go on from "takes".
    pub fn takes(self) -> String {
        match self {
            Kind::Switch => "yes or no".into(),
            Kind::Integer { min, max } => format!("an integer from {min} to {max}"),
            Kind::Memory { min: 0, .. } => "a number of bytes such as 100mb".into(),
            Kind::Memory { min, .. } => format!("a number of bytes such as 100mb, at least {min}"),
            Kind::MemoryOrPercent => "a number of bytes such as 100mb, or a percentage such as 5%".into(),
            Kind::Octal => "permissions such as 700".into(),
            Kind::Word(words) => format!("one of {}", words.join(", ")),
            Kind::Words(words) => format!("some of {}", words.join(", ")),
            Kind::Text => "a text".into(),
            Kind::Special(special) => special.takes.into(),
        }
    }
}

fn position(words: &[&str], text: &[u8]) -> Option<usize> {
    words.iter().position(|word| text.eq_ignore_ascii_case(word.as_bytes()))
}

fn between<N: Copy + PartialOrd + Into<i128>>(value: N, min: N, max: N) -> Result<(), BadValue> {
    let inside = (min..=max).contains(&value);
    inside.then_some(()).ok_or_else(|| BadValue::OutOfRange(min.into(), max.into()))
}

/// Units of memory, in any case, and what they stand for.
const UNITS: [(&str, u64); 8] = [
    ("", 1),
    ("b", 1),
    ("k", 1000),
    ("kb", 1 << 10),
    ("m", 1_000_000),
    ("mb", 1 << 20),
    ("g", 1_000_000_000),
    ("gb", 1 << 30),
];

/// A number of bytes. As in Redis no digits are zero, too many are the greatest number, and multiplication wraps.
pub(crate) fn memory(text: &[u8]) -> Option<u64> {
    let digits = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let (digits, unit) = text.split_at(digits);
    let (_, factor) = UNITS.iter().find(|(name, _)| unit.eq_ignore_ascii_case(name.as_bytes()))?;
    let number = digits
        .iter()
        .fold(0u64, |number, digit| number.saturating_mul(10).saturating_add(u64::from(digit - b'0')));
    Some(number.wrapping_mul(*factor))
}

/// Has a record whose effect does not fit its kind fail in the first test.
#[cold]
fn misfit(value: &Value) -> ! {
    unreachable!("an effect for another kind of value than {value:?}")
}

impl Value {
    /// An integer.
    pub fn integer(&self) -> i64 {
        match self {
            Value::Integer(number) => *number,
            Value::Memory(bytes) => i64::try_from(*bytes).unwrap_or(i64::MAX),
            other => misfit(other),
        }
    }

    /// A number that is not negative.
    pub fn number(&self) -> u64 {
        match self {
            Value::Integer(number) => u64::try_from(*number).unwrap_or(0),
            Value::Memory(bytes) => *bytes,
            other => misfit(other),
        }
    }

    /// A number that is not negative, as a size in memory.
    pub fn size(&self) -> usize {
        usize::try_from(self.number()).unwrap_or(usize::MAX)
    }

    /// Whether it is `yes`.
    pub fn is_on(&self) -> bool {
        match self {
            Value::Switch(on) => *on,
            other => misfit(other),
        }
    }

    /// A word.
    pub fn word(&self) -> &'static str {
        match self {
            Value::Word(word) => word,
            other => misfit(other),
        }
    }

    /// A text.
    pub fn text(&self) -> &[u8] {
        match self {
            Value::Text(text) => text,
            other => misfit(other),
        }
    }

    /// Numbers whose places say what they are.
    pub fn numbers(&self) -> &[i64] {
        match self {
            Value::Numbers(numbers) => numbers,
            other => misfit(other),
        }
    }

    /// Numbers with fractions.
    pub fn decimals(&self) -> &[f64] {
        match self {
            Value::Decimals(numbers) => numbers,
            other => misfit(other),
        }
    }

    /// Classes of events.
    pub fn events(&self) -> Class {
        match self {
            Value::Events(class) => *class,
            other => misfit(other),
        }
    }

    /// Pairs of names.
    pub fn pairs(&self) -> &[(Box<str>, Box<str>)] {
        match self {
            Value::Pairs(pairs) => pairs,
            other => misfit(other),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NONE: Value = Value::Switch(false);

    fn canonical(kind: Kind, text: &str) -> Result<String, BadValue> {
        let value = kind.parse(Release::V7_0, &NONE, text.as_bytes())?;
        Ok(String::from_utf8(kind.show(&value)).unwrap())
    }

    #[test]
    fn memory_has_units() {
        // Observed on redis-server 7.0.
        for (text, bytes) in [
            ("1k", 1000),
            ("1KB", 1024),
            ("007", 7),
            ("1mB", 1 << 20),
            ("mb", 0),
            ("", 0),
            ("2g", 2_000_000_000),
            ("18446744073709551616", u64::MAX),
            ("9999999999999gb", 1_413_189_099_967_217_664),
        ] {
            assert_eq!(memory(text.as_bytes()), Some(bytes), "{text}");
        }
        for text in ["1.5mb", "1tb", " 1", "1 mb", "-1", "+5", "0x10"] {
            assert_eq!(memory(text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn values_are_written_as_redis_writes_them() {
        const WORDS: Kind = Kind::Words(&["default", "save", "nosave", "now", "force"]);
        let limited = Kind::Memory { min: 1 << 20, max: i64::MAX as u64 };
        for (kind, text, expected) in [
            (Kind::Switch, "YES", Ok("yes")),
            (Kind::Switch, "true", Err(BadValue::NotASwitch)),
            (Kind::Integer { min: -1, max: 5 }, "5", Ok("5")),
            (Kind::Integer { min: -1, max: 5 }, "-2", Err(BadValue::OutOfRange(-1, 5))),
            (Kind::Integer { min: -1, max: 5 }, "+5", Err(BadValue::NotAnInteger)),
            (limited, "1mb", Ok("1048576")),
            (limited, "1k", Err(BadValue::OutOfRange(1 << 20, i64::MAX.into()))),
            (limited, "x", Err(BadValue::NotMemory)),
            (Kind::MemoryOrPercent, "5%", Ok("5%")),
            (Kind::MemoryOrPercent, "0%", Ok("0")),
            (Kind::MemoryOrPercent, "1mb", Ok("1048576")),
            (Kind::MemoryOrPercent, "101%", Err(BadValue::TooManyPercent)),
            (Kind::MemoryOrPercent, "-5%", Err(BadValue::NotMemoryOrPercent)),
            (Kind::MemoryOrPercent, "%", Err(BadValue::NotMemoryOrPercent)),
            (Kind::Octal, "755", Ok("755")),
            (Kind::Octal, "8", Err(BadValue::NotOctal)),
            (Kind::Word(&["a", "b"]), "B", Ok("b")),
            (WORDS, "force SAVE", Ok("save force")),
            (WORDS, "default", Ok("default")),
        ] {
            assert_eq!(canonical(kind, text), expected.map(str::to_owned), "{text}");
        }
    }
}
