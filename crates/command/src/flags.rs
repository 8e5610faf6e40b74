//! The traits of a command.

use crate::Release;

bitflags::bitflags! {
    /// The traits of a command. Those that `COMMAND` lists are [`Flags::LISTED`]; the others steer execution.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub struct Flags: u64 {
        /// May change keys.
        const WRITE = 1 << 0;
        /// Only reads keys.
        const READONLY = 1 << 1;
        /// Refused when memory is short.
        const DENYOOM = 1 << 2;
        /// Administers the server.
        const ADMIN = 1 << 3;
        /// Belongs to publish/subscribe.
        const PUBSUB = 1 << 4;
        /// Not allowed in scripts.
        const NOSCRIPT = 1 << 5;
        /// Its reply is not a function of the keys (listed up to 6.2).
        const RANDOM = 1 << 6;
        /// Its reply is sorted for scripts (listed up to 6.2).
        const SORT_FOR_SCRIPT = 1 << 7;
        /// May block its client.
        const BLOCKING = 1 << 8;
        /// Allowed while data is loaded.
        const LOADING = 1 << 9;
        /// Allowed on a replica without its master.
        const STALE = 1 << 10;
        /// Not shown by `MONITOR`.
        const SKIP_MONITOR = 1 << 11;
        /// Not in the slow log.
        const SKIP_SLOWLOG = 1 << 12;
        /// Follows an `ASK` redirection by itself.
        const ASKING = 1 << 13;
        /// Constant or logarithmic time.
        const FAST = 1 << 14;
        /// Allowed before the client has logged in (listed from 6.2 on).
        const NO_AUTH = 1 << 15;
        /// May be sent to replicas though it does not write (listed up to 6.2).
        const MAY_REPLICATE = 1 << 16;
        /// Its keys cannot be told from `first`, `last` and `step` alone.
        const MOVABLEKEYS = 1 << 17;
        /// Not allowed while data is loaded in the background.
        const NO_ASYNC_LOADING = 1 << 18;
        /// Not allowed in a transaction.
        const NO_MULTI = 1 << 19;
        /// May come without any key.
        const NO_MANDATORY_KEYS = 1 << 20;
        /// Allowed while a script is busy.
        const ALLOW_BUSY = 1 << 21;

        // Not listed: how the command is run.

        /// Works on the whole keyspace: all shards are held.
        const KEYSPACE = 1 << 40;
        /// May take long: with many keys or members it runs where other connections do not wait for it.
        const SLOW = 1 << 41;
        /// Run at once inside `MULTI` instead of being queued.
        const NOT_QUEUED = 1 << 42;
        /// Allowed to a RESP2 client that has subscribed to channels.
        const SUBSCRIBED = 1 << 43;
        /// Only a container of subcommands.
        const CONTAINER = 1 << 45;
        /// Ends the session's watches: the shards of the watched keys are held.
        const UNWATCHES = 1 << 46;
        /// Works without being listed.
        const HIDDEN = 1 << 48;
        /// Refused while keys cannot be saved, though it does not write.
        const NEEDS_DISK = 1 << 49;
        /// Runs the commands that were queued: the shards of their keys are held.
        const RUNS_QUEUE = 1 << 47;
        /// Sends keys to another node: works on a slot that moves, whether its keys are there or not.
        const MOVES_KEYS = 1 << 49;
    }
}

impl Flags {
    /// The flags that `COMMAND` can list.
    pub const LISTED: Flags = Flags::from_bits_truncate((1 << 22) - 1);

    /// The names of the listed flags, in the order in which a release lists them.
    pub fn names(self, release: Release) -> impl Iterator<Item = &'static str> {
        let before_7 = release < Release::V7_0;
        let order: &[(Flags, &'static str)] = &[
            (Flags::WRITE, "write"),
            (Flags::READONLY, "readonly"),
            (Flags::DENYOOM, "denyoom"),
            (Flags::ADMIN, "admin"),
            (Flags::PUBSUB, "pubsub"),
            (Flags::NOSCRIPT, "noscript"),
            (Flags::RANDOM, "random"),
            (Flags::SORT_FOR_SCRIPT, "sort_for_script"),
            (Flags::BLOCKING, "blocking"),
            (Flags::LOADING, "loading"),
            (Flags::STALE, "stale"),
            (Flags::SKIP_MONITOR, "skip_monitor"),
            (Flags::SKIP_SLOWLOG, "skip_slowlog"),
            (Flags::ASKING, "asking"),
            (Flags::FAST, "fast"),
            (Flags::NO_AUTH, "no_auth"),
            (Flags::MAY_REPLICATE, "may_replicate"),
            (Flags::NO_MANDATORY_KEYS, "no_mandatory_keys"),
            (Flags::NO_ASYNC_LOADING, "no_async_loading"),
            (Flags::NO_MULTI, "no_multi"),
            (Flags::MOVABLEKEYS, "movablekeys"),
            (Flags::ALLOW_BUSY, "allow_busy"),
        ];
        let mut untold = Flags::empty();
        untold.set(Flags::RANDOM | Flags::SORT_FOR_SCRIPT | Flags::MAY_REPLICATE, !before_7);
        untold.set(Flags::NO_AUTH, release < Release::V6_2);
        order
            .iter()
            .filter(move |(flag, _)| self.contains(*flag) && !untold.contains(*flag))
            .map(|(_, name)| *name)
    }
}
