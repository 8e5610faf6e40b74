//! What a command sees while it runs.

use crate::blocking::Wait;
use crate::error::CommandError;
use crate::execute::Worker;
use crate::feed::Audience;
use crate::migration::Parcel;
use crate::node::Node;
use crate::session::Session;
use crate::table::Entry;
use command::Release;
use keyspace::{Change, Effects, Key, Locked, Moment, Params, Shard, Spot};
use resp::{OwnedArgs, Reply};
use structures::entry::{self, Object};
use structures::packed::Item as Text;
use structures::table::Ref;
use structures::thin::Read;

/// Beyond so many members a command's work is done where no other connection waits for the thread.
const LONG_WORK: usize = 20_000;
/// So many bytes of strings are as much work as a member.
const BYTES_A_MEMBER: usize = 256;

/// Tells long work from short.
#[derive(Clone, Copy, Debug)]
pub struct Scales {
    /// The most members that are looked at here.
    most: usize,
}

impl Scales {
    /// As [`Cx::weigh`].
    ///
    /// # Errors
    /// [`CommandError::Offload`], which ends the command here.
    #[inline]
    pub fn weigh(self, members: usize) -> Result<(), CommandError> {
        if members > self.most { Err(CommandError::Offload) } else { Ok(()) }
    }
}

/// What is done after a command; see [`Cx::after`].
pub(crate) type After = Box<dyn FnOnce(&Node) -> Result<(), CommandError>>;

/// What a command sees while it runs: its node, its session, and the shards of its keys, which are held.
pub struct Cx<'s, 'n> {
    /// The node.
    pub node: &'n Node,
    /// The session.
    pub session: &'s mut Session,
    /// The shards that are held.
    pub locked: Locked<'n>,
    /// The thread that runs it.
    pub(crate) worker: &'s mut Worker,
    /// When it runs.
    pub moment: Moment,
    /// The command.
    pub entry: &'static Entry,
    /// What the command waits for, if it does, and the arguments with which it is served if not its own.
    pub(crate) wait: Option<(Wait, Option<OwnedArgs>)>,
    /// What is done after the command, when its shards have been let go; if it fails, that is the reply.
    pub(crate) after: Option<After>,
    /// Copies of keys that are to be sent to another server.
    pub(crate) parcel: Option<Box<Parcel>>,
    /// Whether the command may wait.
    pub(crate) may_wait: bool,
    /// The key whose hash was needed to find its shard: where its bytes are, and the hash.
    known: (*const u8, usize, u64),
}

impl<'s, 'n> Cx<'s, 'n> {
    /// What a command sees that may not wait.
    #[inline]
    pub(crate) fn new(
        node: &'n Node,
        session: &'s mut Session,
        locked: Locked<'n>,
        worker: &'s mut Worker,
        moment: Moment,
        entry: &'static Entry,
    ) -> Self {
        let known = (std::ptr::null(), 0, 0);
        Cx {
            node,
            session,
            locked,
            worker,
            moment,
            entry,
            wait: None,
            after: None,
            parcel: None,
            may_wait: false,
            known,
        }
    }

    /// What the command brings about beside its reply.
    #[inline]
    pub fn effects(&mut self) -> &mut Effects {
        &mut self.worker.effects
    }

    /// Whether what the command changes is repeated elsewhere.
    #[inline]
    pub fn is_repeated(&self) -> bool {
        self.worker.effects.keep_gone
    }

    /// Whether the command has changed something by now.
    #[inline]
    pub fn has_changed(&self) -> bool {
        self.worker.effects.dirty > 0
    }

    /// Has this repeated elsewhere instead of the command itself; called several times, all of it, in this order.
    pub fn repeat(&mut self, args: &[&[u8]]) {
        self.repeat_for(Audience::all(), args.iter().copied());
    }

    /// As [`Cx::repeat`], but not by everybody.
    pub fn repeat_for<'k>(&mut self, audience: Audience, args: impl ExactSizeIterator<Item = &'k [u8]>) {
        if self.is_repeated() {
            let Worker { effects, pending, .. } = &mut *self.worker;
            pending.add(self.node.release, &mut effects.gone, audience, self.session.db, args);
        }
    }

    /// Has nothing repeated elsewhere, unless by [`Cx::repeat`].
    pub fn repeat_nothing(&mut self) {
        if self.is_repeated() {
            self.worker.pending.say_nothing();
        }
    }

    /// Whether what the command changes is repeated as a part of a transaction.
    pub fn is_repeated_in_transaction(&self) -> bool {
        self.worker.pending.is_in_transaction()
    }

    /// Has what follows repeated as one transaction, until [`Cx::end_transaction`].
    pub(crate) fn begin_transaction(&mut self) {
        if self.is_repeated() {
            self.worker.pending.begin_transaction();
        }
    }

    /// Ends what has been begun with [`Cx::begin_transaction`], by this request.
    pub(crate) fn end_transaction(&mut self, args: resp::Args) {
        if self.is_repeated() {
            self.worker.pending.end_transaction(self.session.db, args.iter());
        }
    }

    /// The release that the node imitates.
    #[inline]
    pub fn release(&self) -> Release {
        self.node.release
    }

    /// The error of a command, before 7.0, that has no subcommand of the name, or not with so many arguments.
    pub(crate) fn no_subcommand(&self, args: resp::Args) -> CommandError {
        let (release, name) = (self.release(), args.get(1).unwrap_or_default());
        let container = self.entry.container.unwrap_or(self.entry.record);
        let is_it =
            |sub: &&&crate::Command| sub.name.as_bytes().eq_ignore_ascii_case(name) && sub.exists_in(release);
        match container.subcommands.iter().find(is_it) {
            Some(_) => CommandError::subcommand_number(release, container, name),
            None => CommandError::unknown_subcommand(release, container, name),
        }
    }

    /// The error for a subcommand whose arguments make no sense.
    pub(crate) fn bad_subcommand(&self, args: resp::Args) -> CommandError {
        let container = self.entry.container.unwrap_or(self.entry.record);
        CommandError::subcommand_arguments(self.release(), container, args.get(1).unwrap_or_default())
    }

    /// The time, in ms since the epoch.
    #[inline]
    pub fn now_ms(&self) -> i64 {
        self.moment.now_ms
    }

    /// Up to when fields of hashes have expired that are still there, as on a replica, and are hidden from those who read,
    /// in ms since the epoch; before all time where they go at once or are wanted.
    #[inline]
    pub fn hidden_until_ms(&self) -> i64 {
        if self.moment.expire || self.moment.revive { i64::MIN } else { self.moment.now_ms - 1 }
    }

    /// Whether what expires at this time is to go at once; a replica waits until its master says so.
    #[inline]
    pub fn is_over(&self, at_ms: i64) -> bool {
        self.moment.expire && at_ms <= self.moment.now_ms
    }

    /// A key with its hash.
    #[inline]
    pub fn key<'k>(&self, bytes: &'k [u8]) -> Key<'k> {
        let (pointer, len, hash) = self.known;
        if std::ptr::eq(bytes.as_ptr(), pointer) && bytes.len() == len {
            return Key { bytes, hash };
        }
        self.node.keyspace.key(bytes)
    }

    /// Remembers the hash of a key that lies where the command will look for it.
    #[inline]
    pub(crate) fn know(&mut self, key: Key) {
        self.known = (key.bytes.as_ptr(), key.bytes.len(), key.hash);
    }

    /// The entry of a key, for reading. Counts as a hit or a miss, and as using the key.
    #[inline]
    pub fn read(&mut self, key: &[u8]) -> Option<Ref<'_, entry::Entry>> {
        self.read_at(self.moment, key)
    }

    /// As [`Cx::read`], but without using the key: for commands that want to know of it, not its value.
    #[inline]
    pub fn look(&mut self, key: &[u8]) -> Option<Ref<'_, entry::Entry>> {
        self.read_at(Moment { touch: false, ..self.moment }, key)
    }

    /// As [`Cx::read`], using the key even if the client does not want its reads to.
    pub fn touch(&mut self, key: &[u8]) -> Option<Ref<'_, entry::Entry>> {
        self.read_at(Moment { touch: true, ..self.moment }, key)
    }

    #[inline]
    fn read_at(&mut self, moment: Moment, key: &[u8]) -> Option<Ref<'_, entry::Entry>> {
        let key = self.key(key);
        let db = self.session.db;
        let shard = self.locked.shard_mut(&key);
        match shard.locate(&mut self.worker.effects, moment, db, &key) {
            Some(place) => {
                self.worker.effects.hits += 1;
                Some(shard.at(db, place))
            }
            None => {
                shard.missed(&mut self.worker.effects, db, key.bytes);
                None
            }
        }
    }

    /// The string at a key.
    ///
    /// # Errors
    /// [`CommandError::WrongType`]
    #[inline]
    pub fn read_text(&mut self, key: &[u8]) -> Result<Option<Text<'_>>, CommandError> {
        match self.read(key) {
            None => Ok(None),
            Some(entry) => entry.into_text().map(Some).ok_or(CommandError::WrongType),
        }
    }

    /// The collection at a key.
    ///
    /// # Errors
    /// [`CommandError::WrongType`]
    #[inline]
    pub fn read_object<O: Object>(&mut self, key: &[u8]) -> Result<Option<Read<'_, O>>, CommandError> {
        match self.read(key) {
            None => Ok(None),
            Some(entry) => entry.into_object().map(Some).ok_or(CommandError::WrongType),
        }
    }

    /// The entry of a key as it is, without counting: for looking at several keys at once after reading each.
    #[inline]
    pub fn peek(&self, key: &[u8]) -> Option<Ref<'_, entry::Entry>> {
        let key = self.key(key);
        self.locked.shard(&key).peek(self.moment, self.session.db, &key)
    }

    /// The collection at a key as it is, without counting; nothing if the key holds something else.
    #[inline]
    pub fn peek_object<O: Object>(&self, key: &[u8]) -> Option<Read<'_, O>> {
        self.peek(key)?.into_object()
    }

    /// A key's place, for changing it.
    #[inline]
    pub fn spot<'k>(&'k mut self, key: &'k [u8]) -> Spot<'k> {
        let db = self.session.db;
        self.spot_in(db, key)
    }

    /// A key's place in some database, for changing it.
    #[inline]
    pub fn spot_in<'k>(&'k mut self, db: u32, key: &'k [u8]) -> Spot<'k> {
        let key = self.key(key);
        self.locked.shard_mut(&key).spot(&mut self.worker.effects, self.moment, db, key)
    }

    /// The inside of a collection, for changing it; an empty one if there is no key.
    ///
    /// # Errors
    /// [`CommandError::WrongType`]
    #[inline]
    pub fn change<'k, O: Object>(&'k mut self, key: &'k [u8]) -> Result<Change<'k, O>, CommandError> {
        Ok(self.spot(key).object()?)
    }

    /// The inside of a collection that exists, for changing it.
    ///
    /// # Errors
    /// [`CommandError::WrongType`]
    #[inline]
    pub fn change_existing<'k, O: Object>(
        &'k mut self,
        key: &'k [u8],
    ) -> Result<Option<Change<'k, O>>, CommandError> {
        let spot = self.spot(key);
        if spot.exists() {
            return Ok(Some(spot.object()?));
        }
        spot.leave();
        Ok(None)
    }

    /// The shard of a key.
    #[inline]
    pub fn shard(&self, key: &[u8]) -> &Shard {
        self.locked.shard(&self.key(key))
    }

    /// What the configuration says about keys.
    #[inline]
    pub fn params(&self) -> &Params {
        self.locked.iter().next().expect("a command that asks holds a shard").params()
    }

    /// Tells how many members the command is going to look at: a long one is begun again where nobody waits for it.
    /// To be called before anything is changed or written.
    ///
    /// # Errors
    /// [`CommandError::Offload`], which ends the command here.
    #[inline]
    pub fn weigh(&self, members: usize) -> Result<(), CommandError> {
        self.scales().weigh(members)
    }

    /// What [`Cx::weigh`] weighs with, for when something of the keyspace is borrowed.
    #[inline]
    pub fn scales(&self) -> Scales {
        let offloaded = self.session.state.contains(crate::session::State::OFFLOADED);
        Scales { most: if offloaded { usize::MAX } else { LONG_WORK } }
    }

    /// Whether the shard of a key is held: always so for the command's own keys, unless it is being served by another
    /// command after a wait.
    pub fn holds(&self, key: &[u8]) -> bool {
        self.locked.set().contains(self.node.keyspace.set_of(&self.key(key)))
    }

    /// Random numbers for what is drawn from the value at a key.
    #[inline]
    pub fn draws(&mut self, key: &[u8]) -> impl FnMut() -> u64 + use<> {
        let key = self.key(key);
        self.locked.shard_mut(&key).draws()
    }

    /// An integer, as the release reads it.
    ///
    /// # Errors
    /// [`CommandError::NotAnInteger`]
    #[inline]
    pub fn integer(&self, bytes: &[u8]) -> Result<i64, CommandError> {
        crate::parse::integer_of(bytes, self.release())
    }

    /// As [`Cx::weigh`], for commands that look at every byte of the strings at these keys, a few at a time.
    ///
    /// # Errors
    /// [`CommandError::Offload`], which ends the command here.
    pub fn weigh_strings<'k>(&self, keys: impl Iterator<Item = &'k [u8]>) -> Result<(), CommandError> {
        let len = |key| self.peek(key).and_then(|entry| entry.text().map(|text| text.len())).unwrap_or(0);
        self.weigh(keys.map(len).sum::<usize>() / BYTES_A_MEMBER)
    }

    /// As [`Cx::weigh`], for commands that make the string at a key grow to a length.
    ///
    /// # Errors
    /// [`CommandError::Offload`], which ends the command here.
    #[inline]
    pub fn weigh_growth(&self, key: &[u8], len: u64) -> Result<(), CommandError> {
        if len / (BYTES_A_MEMBER as u64) < LONG_WORK as u64 {
            return Ok(());
        }
        let old = self.peek(key).and_then(|entry| entry.text().map(|text| text.len())).unwrap_or(0);
        self.weigh((len as usize).saturating_sub(old) / BYTES_A_MEMBER)
    }

    /// Ends the command here, to be begun again where no connection waits for the thread, if it has not been yet.
    ///
    /// # Errors
    /// [`CommandError::Offload`], which ends the command here.
    pub(crate) fn offload(&self) -> Result<(), CommandError> {
        self.weigh(usize::MAX - 1)
    }

    /// Whether the command is one of a transaction, and so holds the shards of the others, too.
    pub(crate) fn is_queued(&self) -> bool {
        !self.may_wait
    }

    /// Has the command wait, unless it may not: then its time is up at once.
    pub fn wait(&mut self, wait: Wait, reply: &mut Reply) {
        self.wait_as(wait, None, reply);
    }

    /// As [`Cx::wait`], to be served with other arguments: those that depend on what there is now.
    pub fn wait_as(&mut self, wait: Wait, args: Option<OwnedArgs>, reply: &mut Reply) {
        if self.may_wait {
            self.wait = Some((wait, args));
        } else {
            wait.time_out(self.node, reply);
        }
    }
}
