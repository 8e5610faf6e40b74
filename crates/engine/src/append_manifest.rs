//! Which files an append-only file consists of, from release 7.0 on: a base that holds the keys as they were when it was
//! written, and increments of the commands that have run since.
//!
//! Text of the manifest and names of the files are those of redis-server 7.0: `file <name> seq <number> type <b|h|i>`,
//! with names in quotes that have something else than printable characters in them, or spaces.
//!
//! Not here: reading and writing files.

use std::fmt::Write as _;

/// What a file is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// The keys as they were when it was written.
    Base,
    /// Commands that have run since.
    Increment,
    /// Neither any more; it is to be deleted.
    History,
}

/// A file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// Its name, without a folder.
    pub name: String,
    /// Its number among those of its role.
    pub number: u64,
    /// What it is for.
    pub role: Role,
}

/// The files, in the order in which they are loaded.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Manifest {
    /// At most one base, first.
    pub base: Option<Part>,
    /// Increments in ascending order.
    pub increments: Vec<Part>,
    /// What is to be deleted.
    pub history: Vec<Part>,
}

/// A manifest that makes no sense.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line} of the manifest {problem}")]
pub struct BadManifest {
    /// The line, counted from one.
    line: usize,
    /// What is wrong with it.
    problem: &'static str,
}

impl Manifest {
    /// Reads a manifest.
    ///
    /// # Errors
    /// [`BadManifest`]
    pub fn parse(text: &str) -> Result<Manifest, BadManifest> {
        let mut manifest = Manifest::default();
        for (index, line) in text.lines().enumerate() {
            if line.starts_with('#') {
                continue;
            }
            let bad = |problem| BadManifest { line: index + 1, problem };
            let part = parse_line(line).ok_or(bad("is not 'file <name> seq <number> type <b|h|i>'"))?;
            if part.name.contains('/') {
                return Err(bad("names a file in another folder"));
            }
            match part.role {
                Role::Base if manifest.base.is_some() => return Err(bad("names a second base")),
                Role::Base => manifest.base = Some(part),
                Role::History => manifest.history.push(part),
                Role::Increment => {
                    if manifest.increments.last().is_some_and(|last| last.number >= part.number) {
                        return Err(bad("names an increment that should come earlier"));
                    }
                    manifest.increments.push(part);
                }
            }
        }
        if manifest.base.is_none() && manifest.increments.is_empty() && manifest.history.is_empty() {
            return Err(BadManifest { line: 1, problem: "names no file" });
        }
        Ok(manifest)
    }

    /// Its text.
    pub fn text(&self) -> String {
        let mut text = String::new();
        for Part { name, number, role } in self.base.iter().chain(&self.history).chain(&self.increments) {
            let letter = match role {
                Role::Base => 'b',
                Role::Increment => 'i',
                Role::History => 'h',
            };
            let is_plain = |byte: u8| byte.is_ascii_graphic() && !matches!(byte, b'"' | b'\'' | b'\\');
            let _ = if name.bytes().all(is_plain) {
                writeln!(text, "file {name} seq {number} type {letter}")
            } else {
                writeln!(text, "file \"{}\" seq {number} type {letter}", escaped(name))
            };
        }
        text
    }

    /// The files to load, in their order.
    pub fn parts(&self) -> impl Iterator<Item = &Part> {
        self.base.iter().chain(&self.increments)
    }

    /// The next increment of a file of this name; it is not added yet.
    pub fn next_increment(&self, name: &str) -> Part {
        let number = self.increments.last().map_or(1, |last| last.number + 1);
        Part { name: format!("{name}.{number}.incr.aof"), number, role: Role::Increment }
    }

    /// The next base of a file of this name, keys or commands; it is not added yet.
    pub fn next_base(&self, name: &str, holds_keys: bool) -> Part {
        let number = self.base.as_ref().map_or(1, |last| last.number + 1);
        let kind = if holds_keys { "rdb" } else { "aof" };
        Part { name: format!("{name}.{number}.base.{kind}"), number, role: Role::Base }
    }

    /// What it is after a rewrite: the new base, and increments from this number on. The others are history.
    pub fn rewritten(&self, base: Part, first: u64) -> Manifest {
        let (increments, old): (Vec<_>, Vec<_>) =
            self.increments.iter().cloned().partition(|part| part.number >= first);
        let old = self.base.iter().cloned().chain(old);
        let history =
            self.history.iter().cloned().chain(old.map(|part| Part { role: Role::History, ..part }));
        Manifest { base: Some(base), increments, history: history.collect() }
    }
}

fn parse_line(line: &str) -> Option<Part> {
    let words: Vec<Vec<u8>> = resp::inline::split_words(line.as_bytes())?;
    let words: Option<Vec<&str>> = words.iter().map(|word| std::str::from_utf8(word).ok()).collect();
    let ["file", name, "seq", number, "type", letter] = words?[..] else { return None };
    let role = match letter {
        "b" => Role::Base,
        "i" => Role::Increment,
        "h" => Role::History,
        _ => return None,
    };
    Some(Part { name: name.to_owned(), number: number.parse().ok()?, role })
}

/// A name as it stands between quotes.
fn escaped(name: &str) -> String {
    let mut text = String::new();
    for byte in name.bytes() {
        let _ = match byte {
            b'"' | b'\\' => write!(text, "\\{}", byte as char),
            b' '..=b'~' => write!(text, "{}", byte as char),
            _ => write!(text, "\\x{byte:02x}"),
        };
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_manifest_is_what_was_written() {
        let mut manifest = Manifest::default();
        manifest.base = Some(manifest.next_base("a.aof", true));
        for _ in 0..2 {
            let next = manifest.next_increment("a.aof");
            manifest.increments.push(next);
        }
        let text = "file a.aof.1.base.rdb seq 1 type b\nfile a.aof.1.incr.aof seq 1 type i\n\
                    file a.aof.2.incr.aof seq 2 type i\n";
        assert_eq!(manifest.text(), text);
        assert_eq!(Manifest::parse(text), Ok(manifest.clone()));
        let rewritten = manifest.rewritten(manifest.next_base("a.aof", false), 2);
        let text = "file a.aof.2.base.aof seq 2 type b\nfile a.aof.1.base.rdb seq 1 type h\n\
                    file a.aof.1.incr.aof seq 1 type h\nfile a.aof.2.incr.aof seq 2 type i\n";
        assert_eq!(rewritten.text(), text);
        assert_eq!(Manifest::parse(text), Ok(rewritten));
    }

    #[test]
    fn names_may_have_anything_in_them() {
        for (name, shown) in [
            ("plain.aof", "plain.aof"),
            ("two words", "\"two words\""),
            ("a\"b\\c", "\"a\\\"b\\\\c\""),
            ("it's", "\"it's\""),
            ("k\u{e4}se", "\"k\\xc3\\xa4se\""),
        ] {
            let part = Part { name: name.to_owned(), number: 1, role: Role::Increment };
            let manifest = Manifest { increments: vec![part], ..Manifest::default() };
            assert_eq!(manifest.text(), format!("file {shown} seq 1 type i\n"));
            assert_eq!(Manifest::parse(&manifest.text()), Ok(manifest));
        }
    }

    #[test]
    fn what_makes_no_sense_is_refused_with_its_line() {
        for (text, line) in [
            ("", 1),
            ("file a seq 1 type b\nfile b seq 2 type b", 2),
            ("file ../a seq 1 type b", 1),
            ("# a note\nfile a seq 1 type x", 2),
            ("file a seq 2 type i\nfile b seq 1 type i", 2),
            ("file a seq one type b", 1),
        ] {
            assert_eq!(Manifest::parse(text).map_err(|bad| bad.line), Err(line), "{text:?}");
        }
    }
}
