//! What a command was like in earlier releases.

use crate::{Category, Command, Flags, KeySpec, Range, Release};

/// A difference of the releases before one; a field that is `None` or empty did not differ.
#[derive(Clone, Copy, Debug)]
pub struct Former {
    /// The first release without the difference.
    pub before: Release,
    /// The arity.
    pub arity: Option<i8>,
    /// Flags that the command had.
    pub with: Flags,
    /// Flags that it did not have.
    pub without: Flags,
    /// Which arguments were keys; execution looks only at those of the newest release.
    pub keys: Option<&'static [KeySpec]>,
    /// Its range of keys.
    pub range: Option<Range>,
    /// Its categories, beside those that followed from the flags.
    pub categories: Option<Category>,
    /// Its tips.
    pub tips: Option<&'static [&'static str]>,
}

impl Former {
    /// No difference.
    pub const fn before(release: Release) -> Former {
        Former {
            before: release,
            arity: None,
            with: Flags::empty(),
            without: Flags::empty(),
            keys: None,
            range: None,
            categories: None,
            tips: None,
        }
    }

    /// With this arity.
    pub const fn arity(self, arity: i8) -> Former {
        Former { arity: Some(arity), ..self }
    }

    /// With these flags beside the others.
    pub const fn with(self, flags: Flags) -> Former {
        Former { with: flags, ..self }
    }

    /// Without these flags.
    pub const fn without(self, flags: Flags) -> Former {
        Former { without: flags, ..self }
    }

    /// With these arguments as keys.
    pub const fn keys(self, keys: &'static [KeySpec]) -> Former {
        Former { keys: Some(keys), ..self }
    }

    /// With this range of keys.
    pub const fn range(self, first: i8, last: i8, step: i8) -> Former {
        Former { range: Some(Range::new(first, last, step)), ..self }
    }

    /// With these categories beside those that followed from the flags.
    pub const fn categories(self, categories: Category) -> Former {
        Former { categories: Some(categories), ..self }
    }

    /// With these tips.
    pub const fn tips(self, tips: &'static [&'static str]) -> Former {
        Former { tips: Some(tips), ..self }
    }
}

/// What a command is like in one release.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shape {
    /// Number of arguments; negative for "at least", zero for any.
    pub arity: i8,
    /// Its traits.
    pub flags: Flags,
    /// Which arguments are keys.
    pub keys: &'static [KeySpec],
    /// The range of its keys.
    pub range: Range,
    /// All its access categories.
    pub categories: Category,
    /// Hints for clients and proxies.
    pub tips: &'static [&'static str],
}

impl Shape {
    /// Whether a request of so many arguments, the name included, is allowed.
    #[inline]
    pub fn allows(&self, arguments: usize) -> bool {
        if self.arity <= 0 {
            arguments >= usize::from(self.arity.unsigned_abs())
        } else {
            arguments == usize::from(self.arity.unsigned_abs())
        }
    }
}

impl<H> Command<H> {
    /// What the command is like in a release.
    pub fn shape(&self, release: Release) -> Shape {
        let mut shape = Shape {
            arity: self.arity,
            flags: self.flags,
            keys: self.keys,
            range: self.range,
            categories: self.categories,
            tips: self.tips,
        };
        for former in self.former.iter().filter(|former| release < former.before) {
            shape.arity = former.arity.unwrap_or(shape.arity);
            shape.flags = (shape.flags | former.with) - former.without;
            shape.keys = former.keys.unwrap_or(shape.keys);
            shape.range = former.range.unwrap_or(shape.range);
            shape.categories = former.categories.unwrap_or(shape.categories);
            shape.tips = former.tips.unwrap_or(shape.tips);
        }
        shape.categories = shape.categories.with_implied(shape.flags);
        shape
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn differences_add_up_from_the_newest_back() {
        static COMMAND: Command<()> = Command {
            name: "x",
            arity: -3,
            flags: Flags::WRITE.union(Flags::FAST),
            former: &[
                Former::before(Release::V7_0).arity(3).with(Flags::RANDOM),
                Former::before(Release::V5_0).without(Flags::FAST).range(1, 1, 1),
            ],
            ..Command::base(())
        };
        const { COMMAND.check() };
        assert_eq!(COMMAND.shape(Release::V7_4).arity, -3);
        assert_eq!(COMMAND.shape(Release::V6_2).flags, Flags::WRITE | Flags::FAST | Flags::RANDOM);
        let oldest = COMMAND.shape(Release::V3_0);
        assert_eq!((oldest.arity, oldest.flags, oldest.range), (3, Flags::WRITE | Flags::RANDOM, Range::ONE));
        assert_eq!(oldest.categories, Category::WRITE | Category::SLOW);
        assert!(oldest.allows(3) && !oldest.allows(4) && COMMAND.shape(Release::V7_0).allows(4));
    }
}
