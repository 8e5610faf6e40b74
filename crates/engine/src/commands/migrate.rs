//! `MIGRATE`: keys go to another server. What it does beside parsing is in [`crate::migration`].

use crate::commands::family;
use crate::migration::{Destination, Parcel, Terms};
use crate::{BASE, Command, CommandError, Cx, parse};
use command::{Access, Begin, Category, Find, Flags, Former, Group, KeySpec, Range, Release, Untold, v};
use resp::{Args, Reply};

family!(MIGRATE);

/// What is done with the keys.
const TAKEN: Access = Access::RW.union(Access::ACCESS).union(Access::DELETE);

/// The word before several keys.
const KEYS: &str = "keys";

/// Other options that take arguments, and how many.
const LOGINS: &[(&str, usize)] = &[("auth", 1), ("auth2", 2)];

/// Where options begin.
const OPTIONS: usize = 6;

/// How long the other server may take where the client does not say it, in ms.
const TIMEOUT_MS: i64 = 1000;

/// What a member of a value takes at least, in bytes: so much of a value is as much work as one.
const MEMBER_BYTES: usize = 32;

/// `MIGRATE host port key | "" destination-db timeout [COPY] [REPLACE] [AUTH password | AUTH2 username password]
/// [KEYS key [key ...]]`: OK, or `NOKEY` if there is no such key.
pub static MIGRATE: Command = Command {
    name: "migrate",
    summary: "Moves keys to another server.",
    complexity: "O(N) for values of N members or bytes.",
    since: v(2, 6, 0),
    group: Group::Generic,
    arity: -6,
    syntax: "host port:int key_or_empty_string=(key | empty_string=\"\") destination-db:int timeout:int [COPY]@3.0.0 \
             [REPLACE]@3.0.0 authentication=[[AUTH password]@4.0.7 | [AUTH2 username_password=(username \
             password)]@6.0.0] [KEYS key...]@3.0.6",
    flags: Flags::WRITE.union(Flags::RANDOM).union(Flags::MOVABLEKEYS).union(Flags::MOVES_KEYS),
    categories: Category::KEYSPACE.union(Category::DANGEROUS),
    keys: &[
        KeySpec::at(3, TAKEN).knowing(Untold::UnlessWord(&[KEYS])),
        KeySpec {
            notes: "",
            access: TAKEN.union(Access::INCOMPLETE),
            begin: Begin::Keyword("KEYS", -2),
            find: Find::Range { last: -1, step: 1, limit: 0 },
            untold: Untold::Option { blank: 3, first: OPTIONS, others: LOGINS },
        },
    ],
    range: Range::new(3, 3, 1),
    tips: &["nondeterministic_output"],
    former: &[
        Former::before(Release::V6_2).range(0, 0, 0),
        Former::before(Release::V5_0).without(Flags::RANDOM),
    ],
    handler: migrate,
    ..BASE
};

fn migrate(cx: &mut Cx, args: Args, reply: &mut Reply) -> Result<(), CommandError> {
    let (mut terms, mut login, mut keys) = (Terms::default(), Vec::new(), vec![args.at(3)]);
    let (knows_auth, knows_auth2) = (cx.release().has(v(4, 0, 7)), cx.release().has(v(6, 0, 0)));
    let mut options = args.iter_from(OPTIONS);
    while let Some(option) = options.next() {
        match () {
            () if parse::is_word(option, "copy") => terms.copies = true,
            () if parse::is_word(option, "replace") => terms.replaces = true,
            () if parse::is_word(option, "auth") && knows_auth && options.len() > 0 => {
                login = options.by_ref().take(1).map(Into::into).collect();
            }
            () if parse::is_word(option, "auth2") && knows_auth2 && options.len() > 1 => {
                login = options.by_ref().take(2).map(Into::into).collect();
            }
            () if parse::is_word(option, KEYS) => {
                if !args.at(3).is_empty() {
                    return Err(CommandError::MigrateKeys);
                }
                keys = options.by_ref().collect();
            }
            () => return Err(CommandError::Syntax),
        }
    }
    let (db, timeout_ms) = (parse::integer(args.at(4))?, parse::integer(args.at(5))?);
    let weight = |key: &&[u8]| cx.peek(key).map_or(0, |entry| entry.heap_bytes() / MEMBER_BYTES);
    cx.weigh(keys.iter().map(weight).sum())?;
    if !cx.may_wait {
        return Err(CommandError::MigrateInMulti);
    }
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let destination = Destination {
        host: text(args.at(1)),
        port: text(args.at(2)),
        timeout_ms: if timeout_ms > 0 { timeout_ms } else { TIMEOUT_MS },
        db,
        login,
    };
    cx.repeat_nothing();
    match Parcel::pack(cx, destination, terms, &keys) {
        Some(parcel) => cx.parcel = Some(Box::new(parcel)),
        None => reply.status("NOKEY"),
    }
    Ok(())
}
