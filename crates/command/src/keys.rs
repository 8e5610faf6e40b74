//! Which arguments of a command are keys, and what it does with them.

/// The first and last key argument and the step between two, as `COMMAND` gives them; a negative last counts from
/// the end. Zeros where there are none, or none that could be told this way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Range {
    /// Number of the first key argument.
    pub first: i8,
    /// Number of the last.
    pub last: i8,
    /// From one to the next.
    pub step: i8,
}

impl Range {
    /// No keys.
    pub const NONE: Range = Range { first: 0, last: 0, step: 0 };
    /// The first argument.
    pub const ONE: Range = Range { first: 1, last: 1, step: 1 };
    /// All arguments.
    pub const ALL: Range = Range { first: 1, last: -1, step: 1 };

    /// The keys `first` to `last`.
    pub const fn new(first: i8, last: i8, step: i8) -> Range {
        Range { first, last, step }
    }
}

bitflags::bitflags! {
    /// What a command does with a key.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub struct Access: u16 {
        /// Reads the value.
        const RO = 1 << 0;
        /// Reads and writes the value.
        const RW = 1 << 1;
        /// Overwrites the value.
        const OW = 1 << 2;
        /// Deletes the key.
        const RM = 1 << 3;
        /// Gives back, copies or uses what is in the value.
        const ACCESS = 1 << 4;
        /// Changes what is in the value.
        const UPDATE = 1 << 5;
        /// Adds to the value.
        const INSERT = 1 << 6;
        /// Takes from the value.
        const DELETE = 1 << 7;
        /// Not a key, but routed like one.
        const NOT_KEY = 1 << 8;
        /// The specification misses some keys.
        const INCOMPLETE = 1 << 9;
        /// The access depends on other arguments.
        const VARIABLE_FLAGS = 1 << 10;
    }
}

impl Access {
    /// The names, in the order in which `COMMAND` lists them.
    pub fn names(self) -> impl Iterator<Item = &'static str> {
        const NAMES: [(Access, &str); 11] = [
            (Access::RO, "RO"),
            (Access::RW, "RW"),
            (Access::OW, "OW"),
            (Access::RM, "RM"),
            (Access::ACCESS, "access"),
            (Access::UPDATE, "update"),
            (Access::INSERT, "insert"),
            (Access::DELETE, "delete"),
            (Access::NOT_KEY, "not_key"),
            (Access::INCOMPLETE, "incomplete"),
            (Access::VARIABLE_FLAGS, "variable_flags"),
        ];
        NAMES.iter().filter(move |(access, _)| self.contains(*access)).map(|(_, name)| *name)
    }
}

/// Where the search for keys begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Begin {
    /// At this argument.
    Index(i8),
    /// After this word, searched from the given argument on; from the end if negative.
    Keyword(&'static str, i8),
    /// Only the command itself can tell.
    Unknown,
}

/// How keys are found from where the search begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Find {
    /// Up to the argument `last` after the first (from the end if negative), every `step`-th; with a limit of `n`, only
    /// the first `n`-th part of the arguments left.
    Range {
        /// The last key, relative to the first; from the end if negative.
        last: i8,
        /// From one key to the next.
        step: i8,
        /// Divides what is left.
        limit: i8,
    },
    /// As many as the argument `count` says, from the argument `first` on; both relative to the beginning.
    Count {
        /// Where the number of keys stands.
        count: i8,
        /// Where the first key stands.
        first: i8,
        /// From one key to the next.
        step: i8,
    },
    /// Only the command itself can tell.
    Unknown,
}

/// What is known of keys beyond what a specification tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Untold {
    /// Nothing: where only the command itself can find them, they may be any.
    Nothing,
    /// A request has none of them unless one of these words follows its first key.
    Words(&'static [&'static str]),
    /// There is one, after the last of this word that follows the first key.
    After(&'static str),
    /// There is none where one of these words follows.
    UnlessWord(&'static [&'static str]),
    /// The keyword is an option, and there are none unless an argument is empty.
    Option {
        /// The argument that is empty then.
        blank: usize,
        /// Where options begin.
        first: usize,
        /// Other options that take arguments, and how many.
        others: &'static [(&'static str, usize)],
    },
    /// This is what the command does with them in a request without any of these words after its first key.
    Without(&'static [&'static str], Access),
}

/// Some of the keys of a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeySpec {
    /// A remark that `COMMAND` gives along.
    pub notes: &'static str,
    /// What the command does with these keys.
    pub access: Access,
    /// Where they begin.
    pub begin: Begin,
    /// How they are found from there.
    pub find: Find,
    /// What is known beyond that.
    pub untold: Untold,
}

impl KeySpec {
    /// The one key at argument `index`.
    pub const fn at(index: i8, access: Access) -> KeySpec {
        KeySpec::range(index, 0, 1, access)
    }

    /// The keys from argument `index` on, up to `last` after it (from the end if negative), every `step`-th.
    pub const fn range(index: i8, last: i8, step: i8, access: Access) -> KeySpec {
        KeySpec {
            notes: "",
            access,
            begin: Begin::Index(index),
            find: Find::Range { last, step, limit: 0 },
            untold: Untold::Nothing,
        }
    }

    /// The keys after the argument `index`, which says how many they are.
    pub const fn counted(index: i8, access: Access) -> KeySpec {
        KeySpec {
            notes: "",
            access,
            begin: Begin::Index(index),
            find: Find::Count { count: 0, first: 1, step: 1 },
            untold: Untold::Nothing,
        }
    }

    /// The key after a word.
    pub const fn after(keyword: &'static str, from: i8, access: Access) -> KeySpec {
        KeySpec {
            notes: "",
            access,
            begin: Begin::Keyword(keyword, from),
            find: Find::Range { last: 0, step: 1, limit: 0 },
            untold: Untold::Nothing,
        }
    }

    /// Keys that only the command itself can find.
    pub const fn unknown(access: Access) -> KeySpec {
        KeySpec { notes: "", access, begin: Begin::Unknown, find: Find::Unknown, untold: Untold::Nothing }
    }

    /// The same with what else is known.
    pub const fn knowing(self, untold: Untold) -> KeySpec {
        KeySpec { untold, ..self }
    }

    /// The same with a remark.
    pub const fn noted(self, notes: &'static str) -> KeySpec {
        KeySpec { notes, ..self }
    }
}
