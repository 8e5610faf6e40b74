//! Access categories: how access control lists name groups of commands.

#![allow(missing_docs, reason = "the names of categories say what they are")]

use crate::Flags;

bitflags::bitflags! {
    /// Access categories.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub struct Category: u32 {
        const KEYSPACE = 1 << 0;
        const READ = 1 << 1;
        const WRITE = 1 << 2;
        const SET = 1 << 3;
        const SORTEDSET = 1 << 4;
        const LIST = 1 << 5;
        const HASH = 1 << 6;
        const STRING = 1 << 7;
        const BITMAP = 1 << 8;
        const HYPERLOGLOG = 1 << 9;
        const GEO = 1 << 10;
        const STREAM = 1 << 11;
        const PUBSUB = 1 << 12;
        const ADMIN = 1 << 13;
        const FAST = 1 << 14;
        const SLOW = 1 << 15;
        const BLOCKING = 1 << 16;
        const DANGEROUS = 1 << 17;
        const CONNECTION = 1 << 18;
        const TRANSACTION = 1 << 19;
        const SCRIPTING = 1 << 20;
    }
}

impl Category {
    /// All categories with their names, in the order in which they are listed.
    pub const NAMES: [(Category, &'static str); 21] = [
        (Category::KEYSPACE, "keyspace"),
        (Category::READ, "read"),
        (Category::WRITE, "write"),
        (Category::SET, "set"),
        (Category::SORTEDSET, "sortedset"),
        (Category::LIST, "list"),
        (Category::HASH, "hash"),
        (Category::STRING, "string"),
        (Category::BITMAP, "bitmap"),
        (Category::HYPERLOGLOG, "hyperloglog"),
        (Category::GEO, "geo"),
        (Category::STREAM, "stream"),
        (Category::PUBSUB, "pubsub"),
        (Category::ADMIN, "admin"),
        (Category::FAST, "fast"),
        (Category::SLOW, "slow"),
        (Category::BLOCKING, "blocking"),
        (Category::DANGEROUS, "dangerous"),
        (Category::CONNECTION, "connection"),
        (Category::TRANSACTION, "transaction"),
        (Category::SCRIPTING, "scripting"),
    ];

    /// The categories that follow from a command's flags, with those that its record adds.
    pub const fn with_implied(self, flags: Flags) -> Category {
        let mut all = self;
        if flags.contains(Flags::WRITE) {
            all = all.union(Category::WRITE);
        }
        if flags.contains(Flags::READONLY) && !self.contains(Category::SCRIPTING) {
            all = all.union(Category::READ);
        }
        if flags.contains(Flags::ADMIN) {
            all = all.union(Category::ADMIN).union(Category::DANGEROUS);
        }
        if flags.contains(Flags::PUBSUB) {
            all = all.union(Category::PUBSUB);
        }
        if flags.contains(Flags::BLOCKING) {
            all = all.union(Category::BLOCKING);
        }
        all.union(if flags.contains(Flags::FAST) { Category::FAST } else { Category::SLOW })
    }

    /// The names of the categories, in the order in which they are listed.
    pub fn names(self) -> impl Iterator<Item = &'static str> {
        Category::NAMES.iter().filter(move |(category, _)| self.contains(*category)).map(|(_, name)| *name)
    }
}
