//! What a Redis command is, as data.
//!
//! A [`Command`] is declared once, as a `static` over [`Command::BASE`], in the file of its family, beside the
//! function that runs it; this crate says which fields there are and what they mean. Nothing here runs anything:
//! the type of the function is a parameter.
//!
//! A record has the shape of the newest release. What was different before stands in [`Command::former`]; what
//! came or went with a release stands in `since` and `until`.

mod category;
mod flags;
mod former;
mod keys;
mod release;
mod secrets;
pub mod syntax;

pub use category::Category;
pub use flags::Flags;
pub use former::{Former, Shape};
pub use keys::{Access, Begin, Find, KeySpec, Range, Untold};
pub use release::{Release, UnknownRelease, Version, v};
pub use secrets::Secrets;

/// A command or subcommand. `H` is what runs it.
#[derive(Debug)]
pub struct Command<H: 'static> {
    /// The name in lower case; of a subcommand, the part after the bar.
    pub name: &'static str,
    /// What it does, in a sentence of our own.
    pub summary: &'static str,
    /// How its work grows.
    pub complexity: &'static str,
    /// The version that introduced it.
    pub since: Version,
    /// The version that removed it.
    pub until: Option<Version>,
    /// The version that deprecated it, and what to use instead.
    pub deprecated: Option<(Version, &'static str)>,
    /// The group under which it is documented.
    pub group: Group,
    /// Number of arguments, the name (and subcommand) included; negative for "at least".
    pub arity: i8,
    /// Its arguments, as a line of [`syntax`].
    pub syntax: &'static str,
    /// Its traits.
    pub flags: Flags,
    /// Access categories beside those that follow from the flags.
    pub categories: Category,
    /// Which arguments are keys.
    pub keys: &'static [KeySpec],
    /// The first, last and step of its key arguments, as `COMMAND` gives them.
    pub range: Range,
    /// Hints for clients and proxies.
    pub tips: &'static [&'static str],
    /// Which of its arguments logs do not show.
    pub secrets: Secrets,
    /// What differed in earlier releases, newest first.
    pub former: &'static [Former],
    /// Its subcommands, in the order in which they are listed.
    pub subcommands: &'static [&'static Command<H>],
    /// How it words its refusal of a subcommand that it does not have, in the releases before each of these; the last
    /// that fits counts.
    pub refusals: &'static [(Release, Refusal)],
    /// What runs it.
    pub handler: H,
}

/// How a container words its refusal of a subcommand that it does not have, or not with so many arguments.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// It quotes the subcommand and points to its help.
    Quoted,
    /// The same without a point at the end.
    QuotedOpen,
    /// The same, with the help in lower case.
    QuotedLower,
    /// It names the container and quotes the subcommand.
    Named,
    /// It names the container, and says this after it.
    Hash(&'static str),
    /// It quotes nothing.
    Plain,
    /// It calls it a syntax error and says nothing more.
    Bare,
    /// It calls it a syntax error and points to its help.
    Syntax,
    /// It calls it a syntax error and lists this.
    List(&'static str),
    /// The same as two sentences.
    Lists(&'static str),
    /// It lists these subcommands; where only the number of arguments is wrong, it says so.
    OneOf(&'static str),
    /// It names the container, and calls subcommand or number wrong.
    Wrong,
}

/// The group under which a command is documented.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names say it")]
pub enum Group {
    Bitmap,
    Cluster,
    Connection,
    Generic,
    Geo,
    Hash,
    HyperLogLog,
    List,
    PubSub,
    Scripting,
    Server,
    Set,
    SortedSet,
    Stream,
    String,
    Transactions,
}

impl Group {
    /// The group as `COMMAND DOCS` names it.
    pub fn name(self) -> &'static str {
        match self {
            Group::Bitmap => "bitmap",
            Group::Cluster => "cluster",
            Group::Connection => "connection",
            Group::Generic => "generic",
            Group::Geo => "geo",
            Group::Hash => "hash",
            Group::HyperLogLog => "hyperloglog",
            Group::List => "list",
            Group::PubSub => "pubsub",
            Group::Scripting => "scripting",
            Group::Server => "server",
            Group::Set => "set",
            Group::SortedSet => "sorted-set",
            Group::Stream => "stream",
            Group::String => "string",
            Group::Transactions => "transactions",
        }
    }
}

impl<H: Copy> Command<H> {
    /// A command without name, keys or traits, on which records are built.
    pub const fn base(handler: H) -> Self {
        Command {
            name: "",
            summary: "",
            complexity: "O(1)",
            since: v(1, 0, 0),
            until: None,
            deprecated: None,
            group: Group::Generic,
            arity: 0,
            syntax: "",
            flags: Flags::empty(),
            categories: Category::empty(),
            keys: &[],
            range: Range::NONE,
            tips: &[],
            secrets: Secrets::None,
            former: &[],
            subcommands: &[],
            refusals: &[],
            handler,
        }
    }

    /// Stops compilation where a record contradicts itself.
    pub const fn check(&self) {
        assert!(!self.name.is_empty(), "a command has a name");
        assert!(self.arity != 0, "a command has an arity");
        let flags = self.flags;
        assert!(
            !(flags.contains(Flags::WRITE) && flags.contains(Flags::READONLY)),
            "a command writes or only reads"
        );
        assert!(
            !flags.contains(Flags::DENYOOM) || flags.contains(Flags::WRITE),
            "only writes are denied when memory is short"
        );
        assert!(self.range.first == 0 || self.range.step > 0, "keys that begin somewhere have a step");
        if let Some(until) = self.until {
            assert!(self.since.is_before(until), "a command goes after it came");
        }
        let mut index = 0;
        while index < self.subcommands.len() {
            self.subcommands[index].check();
            index += 1;
        }
    }
}

impl<H> Command<H> {
    /// Whether a release has this command.
    pub fn exists_in(&self, release: Release) -> bool {
        release.has(self.since) && !self.until.is_some_and(|until| release.has(until))
    }

    /// How it words its refusal of a subcommand that it does not have, in a release before 7.0.
    pub fn refusal(&self, release: Release) -> Refusal {
        let own = self.refusals.iter().rev().find(|(before, _)| release < *before);
        match own {
            Some((_, refusal)) => *refusal,
            None if release < Release::V6_2 => Refusal::QuotedOpen,
            None => Refusal::Quoted,
        }
    }

    /// The subcommand of this name, in any case.
    pub fn subcommand(&self, name: &[u8], release: Release) -> Option<&'static Command<H>> {
        self.subcommands
            .iter()
            .find(|sub| sub.name.as_bytes().eq_ignore_ascii_case(name) && sub.exists_in(release))
            .copied()
    }
}
