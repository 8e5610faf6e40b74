//! Beginning, loading and rewriting the append-only file of a node.
//!
//! From release 7.0 on it is a folder with a manifest, a base and increments ([`crate::append_manifest`]); a rewrite
//! begins another increment at its cut, and when the new base is on the disk the manifest names these two. Earlier
//! releases have one file; a rewrite writes another, appends to it what has changed since the cut, and gives it the
//! name. In both forms the files on the disk hold everything that has been appended at every moment.

use crate::append_file::Turn;
use crate::append_load::Replay;
use crate::append_manifest::{Manifest, Part, Role};
use crate::feed::Audience;
use crate::node::Gates;
use crate::save::Save;
use crate::{CommandError, Node, Worker, saving};
use command::Release;
use keyspace::Locked;
use std::fs::{self, File};
use std::io::{self, BufReader, BufWriter, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use structures::ranked::{Mutex, rank};

/// A second rewrite in a row that fails, and all that follow, wait for so long, in seconds.
const RETRY_S: i64 = 60;

/// How rewriting stands.
#[derive(Default)]
pub struct Rewriting {
    /// Whether changes are to be appended (`appendonly`).
    wanted: AtomicBool,
    /// By how many percent the file has to grow to be rewritten by itself; never if zero
    /// (`auto-aof-rewrite-percentage`).
    pub growth_percent: AtomicU64,
    /// Below this size it is not rewritten by itself, in bytes (`auto-aof-rewrite-min-size`).
    pub least_bytes: AtomicU64,
    /// What it all held after it was last loaded or rewritten, in bytes: its growth is compared with this.
    pub base_bytes: AtomicU64,
    /// What is held by other files than that to which changes are appended, in bytes.
    other_bytes: AtomicU64,
    /// Whether the file says when commands were run (`aof-timestamp-enabled`).
    pub notes_time: Arc<AtomicBool>,
    /// Whether the node has loaded what there was, and files may be begun.
    is_open: AtomicBool,
    /// Whether nobody else may begin or end the file.
    changing: Mutex<(), { rank::APPENDING }>,
    /// Held while a base takes its place, so that a node that has given its files up does not touch them any more.
    placing: Mutex<(), { rank::PLACING_APPENDED }>,
    state: Mutex<State>,
}

/// How rewriting stands.
#[derive(Clone, Debug, Default)]
pub struct State {
    /// When a rewrite that is under way began, in s since the epoch.
    pub running_since_s: Option<i64>,
    /// Whether one follows when the keys have been saved.
    pub is_scheduled: bool,
    /// How long the last one took, in s; nothing if there was none.
    pub took_s: Option<i64>,
    /// Whether the last one failed, and how many in a row did.
    pub failures: u64,
    /// When one last failed, in s since the epoch.
    failed_s: i64,
    /// How many have been begun.
    pub rewrites: u64,
    /// What the files are. Only who rewrites changes it.
    manifest: Manifest,
    /// How often the keys have been replaced by others that no command has brought about.
    replaced: u64,
    /// The same, as of the keys that the files begin with; nothing as long as there are no such files.
    holds: Option<u64>,
}

impl State {
    /// Whether the files hold the keys as they are, with what is appended.
    pub(crate) fn is_complete(&self) -> bool {
        self.holds == Some(self.replaced)
    }
}

/// Where changes go from the cut of a rewrite on.
#[derive(Default)]
struct Prepared {
    /// Nowhere else, if nothing is appended.
    turn: Option<Turn>,
    /// The number of the increment that begins with it, from 7.0 on.
    first: Option<u64>,
}

/// A rewrite whose cut has been made.
struct Rewrite {
    save: Save,
    first: Option<u64>,
    /// How often the keys had been replaced.
    replaced: u64,
}

/// Why the file is not rewritten now.
enum Refusal {
    /// There is another snapshot.
    Busy,
    /// Files cannot be written.
    Io(io::Error),
}

impl From<io::Error> for Refusal {
    fn from(error: io::Error) -> Self {
        Refusal::Io(error)
    }
}

impl Rewriting {
    /// How rewriting stands.
    pub fn state(&self) -> State {
        self.state.lock().clone()
    }

    /// Whether changes are to be appended.
    pub fn is_wanted(&self) -> bool {
        self.wanted.load(Ordering::Relaxed)
    }
}

impl Node {
    fn text_of(&self, name: &str) -> Option<String> {
        self.configuration.named(name).map(|value| String::from_utf8_lossy(value.text()).into_owned())
    }

    /// What files are called.
    fn append_name(&self) -> String {
        self.text_of("appendfilename").unwrap_or_else(|| "appendonly.aof".to_owned())
    }

    /// Whether the file is a folder of several.
    fn has_parts(&self) -> bool {
        self.release >= Release::V7_0
    }

    /// The folder of the files.
    fn append_folder(&self) -> Option<PathBuf> {
        let directory = self.directory()?;
        Some(match self.text_of("appenddirname") {
            Some(name) if self.has_parts() => directory.join(name),
            _ => directory,
        })
    }

    fn manifest_path(&self) -> Option<PathBuf> {
        Some(self.append_folder()?.join(format!("{}.manifest", self.append_name())))
    }

    /// Says whether changes are to be appended; files are begun or ended in the background.
    pub(crate) fn want_append_file(&self, wanted: bool) {
        self.rewriting.wanted.store(wanted, Ordering::Relaxed);
        self.begin_or_end_append_file();
    }

    /// The node has loaded what there was: from now on files are begun and ended as the configuration wants it.
    pub(crate) fn open_for_changes(&self) {
        self.rewriting.is_open.store(true, Ordering::Relaxed);
        self.begin_or_end_append_file();
    }

    /// As [`Node::open_for_changes`]; the file has been begun or ended when this returns. The thread must hold no shards.
    pub(crate) fn open_for_changes_now(&self) {
        self.rewriting.is_open.store(true, Ordering::Relaxed);
        self.change_append_file();
    }

    /// Has the file begun or ended, if it is not as it is wanted.
    fn begin_or_end_append_file(&self) {
        let rewriting = &self.rewriting;
        if rewriting.is_open.load(Ordering::Relaxed)
            && rewriting.is_wanted() != self.append_file.is_on()
            && self.has_directory()
        {
            self.host.background("append", Box::new(Node::change_append_file));
        }
    }

    /// Begins or ends the file, whichever is wanted.
    fn change_append_file(&self) {
        let _changing = self.rewriting.changing.lock();
        let is_open = self.rewriting.is_open.load(Ordering::Relaxed);
        if self.rewriting.is_wanted() == self.append_file.is_on() || !is_open {
            return;
        }
        let outcome = if self.rewriting.is_wanted() {
            self.begin_anew()
        } else {
            self.end_append_file().map_err(Refusal::Io)
        };
        // What waits for another snapshot to end is tried again then.
        if let Err(Refusal::Io(error)) = outcome {
            self.host.log(&format!("the append-only file could not be begun or ended: {error}"));
        }
    }

    /// Appends no more.
    fn end_append_file(&self) -> io::Result<()> {
        self.feed.detach(&self.keyspace.lock_blocking(self.keyspace.all()), Audience::FILE);
        self.append_file.end()
    }

    /// Puts what has been appended on the disk: the node ends.
    pub fn close_append_file(&self) -> io::Result<()> {
        self.rewriting.is_open.store(false, Ordering::Relaxed);
        let _changing = self.rewriting.changing.lock();
        self.end_append_file()
    }

    /// Begins to append while the node runs: a base is written of what there is.
    fn begin_anew(&self) -> Result<(), Refusal> {
        let Some(folder) = self.append_folder() else { return Ok(()) };
        if self.claim_rewrite().is_err() {
            return Err(Refusal::Busy);
        }
        let outcome = self.begin_to_append(&folder).and_then(|rewrite| Ok(self.write_rewrite(rewrite)?));
        let done = outcome.is_ok();
        let ended = if done { Ok(()) } else { self.end_append_file() };
        if !self.has_parts() {
            let _ = fs::remove_file(self.gathering(&folder));
        }
        self.end_rewrite(&outcome);
        outcome.and(ended.map_err(Refusal::Io))
    }

    /// Where commands gather before 7.0 until the file that they are for has been written.
    fn gathering(&self, folder: &Path) -> PathBuf {
        folder.join(format!("temp-{}", self.append_name()))
    }

    /// Begins to append to a file that is none yet: it becomes one with the base of this rewrite. What was there before
    /// is not what there is now, and goes then.
    fn begin_to_append(&self, folder: &Path) -> Result<Rewrite, Refusal> {
        fs::create_dir_all(folder)?;
        let mut manifest = Manifest::default();
        let (file, Prepared { turn, first }) = if self.has_parts() {
            manifest = self.read_manifest()?.unwrap_or_default();
            let next = manifest.next_increment(&self.append_name());
            let file = open_new(&folder.join(&next.name))?;
            let first = Some(next.number);
            manifest.increments.push(next);
            (file, Prepared { turn: None, first })
        } else {
            let file = open_new(&self.gathering(folder))?;
            (file, Prepared { turn: Some(Turn::Tail(tail_file(folder)?)), first: None })
        };
        let mut held = self.keyspace.lock_blocking(self.keyspace.all());
        let Ok(save) = Save::begin(self, &mut held, self.now_s() * 1000) else { return Err(Refusal::Busy) };
        let replaced = {
            let mut state = self.rewriting.state.lock();
            (state.manifest, state.holds) = (manifest, None);
            state.replaced
        };
        if let Err(error) = self.attach_file(&held, file, 0) {
            drop(held);
            save.abandon(self);
            return Err(Refusal::Io(error));
        }
        if let Some(turn) = turn {
            self.append_file.turn(turn);
        }
        Ok(Rewrite { save, first, replaced })
    }

    /// Has changes appended to a file that holds `size` bytes; all shards are held.
    fn attach_file(&self, held: &Locked<'_>, file: File, size: u64) -> io::Result<()> {
        let (host, notes) = (Arc::clone(&self.host), Arc::clone(&self.rewriting.notes_time));
        let time = move || notes.load(Ordering::Relaxed).then(|| host.wall_us().div_euclid(1_000_000));
        let (tap, thread) = self.append_file.begin(file, size, time);
        self.feed.attach(held, Audience::FILE, tap);
        if self.host.detached("append", Box::new(thread)) {
            return Ok(());
        }
        self.feed.detach(held, Audience::FILE);
        self.append_file.end()?;
        Err(io::Error::other("there is no thread for it"))
    }

    fn read_manifest(&self) -> io::Result<Option<Manifest>> {
        let Some(path) = self.manifest_path().filter(|_| self.has_parts()) else { return Ok(None) };
        match fs::read_to_string(&path) {
            Ok(text) => Manifest::parse(&text).map(Some).map_err(io::Error::other),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn write_manifest(&self, manifest: &Manifest) -> io::Result<()> {
        let Some(path) = self.manifest_path() else { return Ok(()) };
        let temporary = path.with_file_name(format!("temp_{}.manifest", self.append_name()));
        let mut file = File::create(&temporary)?;
        file.write_all(manifest.text().as_bytes())?;
        file.sync_all()?;
        fs::rename(&temporary, &path)?;
        saving::sync_directory(&path)
    }

    /// Loads the append-only file, if there is one, and begins to append to it. Whoever appends has the keys from there
    /// alone.
    ///
    /// # Errors
    /// What is wrong, in a sentence that names the file.
    pub(crate) fn open_append_file(&self, worker: &mut Worker) -> Result<(), String> {
        let Some(folder) = self.append_folder() else { return Ok(()) };
        let of = |path: &Path, error: &dyn std::fmt::Display| {
            format!("{} cannot be used: {error}", path.display())
        };
        fs::create_dir_all(&folder).map_err(|error| of(&folder, &error))?;
        let name = self.append_name();
        if self.has_parts() {
            let path = folder.join(format!("{name}.manifest"));
            let mut manifest = self.read_manifest().map_err(|error| of(&path, &error))?.unwrap_or_default();
            self.adopt_old_file(&folder, &mut manifest).map_err(|error| of(&path, &error))?;
            self.load_parts(worker, &folder, &manifest)?;
        } else {
            let path = folder.join(&name);
            if path.exists() {
                let mut replay = Replay::new(self);
                let len = fs::metadata(&path).map_or(0, |data| data.len());
                self.saving.progress.begin(self.now_s(), len);
                let loaded = replay.load(worker, &path, self.may_break_off());
                loaded.map_err(|error| format!("{} cannot be loaded: {error}", path.display()))?;
            }
        }
        self.append_on(&folder).map_err(|error| of(&folder, &error))
    }

    /// Appends to the files that there are: they hold the keys that this node has, though it has not loaded them. The
    /// thread must hold no shards, and nobody may change keys meanwhile.
    pub(crate) fn continue_append_file(&self) -> io::Result<()> {
        let _changing = self.rewriting.changing.lock();
        match self.append_folder() {
            Some(folder) if self.rewriting.is_wanted() && !self.append_file.is_on() => {
                self.append_on(&folder)
            }
            _ => Ok(()),
        }
    }

    /// Appends to the files that there are.
    fn append_on(&self, folder: &Path) -> io::Result<()> {
        let (file, size) = if self.has_parts() {
            let mut manifest = self.read_manifest()?.unwrap_or_default();
            self.begin_parts(folder, &mut manifest)?
        } else {
            let file = open(&folder.join(self.append_name()))?;
            let size = file.metadata()?.len();
            self.rewriting.base_bytes.store(size, Ordering::Relaxed);
            self.rewriting.other_bytes.store(0, Ordering::Relaxed);
            (file, size)
        };
        let held = self.keyspace.lock_blocking(self.keyspace.all());
        self.attach_file(&held, file, size)?;
        let mut state = self.rewriting.state.lock();
        state.holds = Some(state.replaced);
        Ok(())
    }

    fn may_break_off(&self) -> bool {
        self.configuration.named("aof-load-truncated").is_none_or(|value| value.is_on())
    }

    /// Takes over the one file that a server before 7.0 has left.
    fn adopt_old_file(&self, folder: &Path, manifest: &mut Manifest) -> io::Result<()> {
        let name = self.append_name();
        let Some(old) = self.directory().map(|directory| directory.join(&name)) else { return Ok(()) };
        let is_there = |part: &Part| part.name != name || folder.join(&part.name).exists();
        if manifest.parts().next().is_some_and(is_there) || !old.is_file() {
            return Ok(());
        }
        // A manifest that names the file where it will be; until it is there, it is looked for where it was.
        manifest.base = Some(Part { name: name.clone(), number: 1, role: Role::Base });
        self.write_manifest(manifest)?;
        fs::rename(&old, folder.join(&name))
    }

    fn load_parts(&self, worker: &mut Worker, folder: &Path, manifest: &Manifest) -> Result<(), String> {
        let mut replay = Replay::new(self);
        let len = |part: &Part| fs::metadata(folder.join(&part.name)).map_or(0, |data| data.len());
        self.saving.progress.begin(self.now_s(), manifest.parts().map(len).sum());
        // Increments that a rewrite was about to begin are empty.
        let is_empty = |part: &Part| fs::metadata(folder.join(&part.name)).is_ok_and(|data| data.len() == 0);
        let ends_with = |name: &str| {
            let after = manifest.parts().skip_while(|part| part.name != name).skip(1);
            after.into_iter().all(is_empty)
        };
        for part in manifest.parts() {
            let path = folder.join(&part.name);
            let is_last = ends_with(&part.name);
            let loaded = replay.load(worker, &path, is_last && self.may_break_off());
            loaded.map_err(|error| format!("{} cannot be loaded: {error}", path.display()))?;
        }
        Ok(())
    }

    /// Opens the last increment; where there is no base, one is written of what there is.
    fn begin_parts(&self, folder: &Path, manifest: &mut Manifest) -> io::Result<(File, u64)> {
        let before = manifest.clone();
        for old in std::mem::take(&mut manifest.history) {
            let _ = fs::remove_file(folder.join(old.name));
        }
        let name = self.append_name();
        if manifest.parts().next().is_none() {
            let base = manifest.next_base(&name, self.writes_keys());
            let temporary = folder.join(format!("temp-{}", base.name));
            let held = self.keyspace.lock_blocking(self.keyspace.all());
            let written = crate::save::write_held(self, &held, Vec::new())?;
            drop(held);
            self.write_base(&temporary, written.as_slice())?;
            fs::rename(&temporary, folder.join(&base.name))?;
            manifest.base = Some(base);
        }
        if manifest.increments.is_empty() {
            let next = manifest.next_increment(&name);
            open_new(&folder.join(&next.name))?;
            manifest.increments.push(next);
        }
        // Where the disk is full there is nothing to be written, and the keys can be read.
        if *manifest != before {
            self.write_manifest(manifest)?;
        }
        let last = manifest.increments.last().map(|part| folder.join(&part.name)).unwrap_or_default();
        self.rewriting.state.lock().manifest = manifest.clone();
        let file = open(&last)?;
        let size = file.metadata()?.len();
        let bytes = |part: &Part| fs::metadata(folder.join(&part.name)).map_or(0, |data| data.len());
        let all: u64 = manifest.parts().map(bytes).sum();
        self.rewriting.base_bytes.store(all, Ordering::Relaxed);
        self.rewriting.other_bytes.store(all - size, Ordering::Relaxed);
        Ok((file, size))
    }

    /// Whether a base holds keys as a file of them does, rather than commands.
    fn writes_keys(&self) -> bool {
        self.configuration.named("aof-use-rdb-preamble").is_some_and(|value| value.is_on())
    }

    /// Writes a base of keys in the form of a file of them.
    fn write_base(&self, path: &Path, keys: impl Read) -> io::Result<u64> {
        let mut to = BufWriter::new(File::create(path)?);
        let mut keys = keys;
        if self.writes_keys() {
            io::copy(&mut keys, &mut to)?;
        } else {
            crate::append_base::write_commands(self, keys, &mut to)?;
        }
        let file = to.into_inner().map_err(io::IntoInnerError::into_error)?;
        file.sync_all()?;
        Ok(file.metadata()?.len())
    }

    /// Whether the file is being rewritten.
    pub(crate) fn is_rewriting(&self) -> bool {
        self.rewriting.state.lock().running_since_s.is_some()
    }

    /// Says that the file is going to be rewritten, and nobody else is to do so. [`Node::rewrite_claimed`] has to follow.
    ///
    /// # Errors
    /// [`CommandError::Rewriting`]
    fn claim_rewrite(&self) -> Result<(), CommandError> {
        let mut state = self.rewriting.state.lock();
        if state.running_since_s.is_some() {
            return Err(CommandError::Rewriting);
        }
        (state.running_since_s, state.is_scheduled) = (Some(self.now_s()), false);
        state.rewrites += 1;
        Ok(())
    }

    /// Has the file rewritten on a thread of its own; the thread that asks may hold shards.
    ///
    /// # Errors
    /// [`CommandError::Rewriting`]
    pub(crate) fn rewrite_in_background(&self) -> Result<(), CommandError> {
        self.claim_rewrite()?;
        self.host.background("rewrite", Box::new(Node::rewrite_claimed));
        Ok(())
    }

    /// Rewrites the file, as has been claimed. The thread holds no shards, and no connection waits for it.
    fn rewrite_claimed(&self) {
        let outcome = self.begin_rewrite().and_then(|rewrite| Ok(self.write_rewrite(rewrite)?));
        self.append_file.drop_tail();
        self.end_rewrite(&outcome);
    }

    /// Makes the cut of a rewrite. The files that it needs are there before any shard is held.
    fn begin_rewrite(&self) -> Result<Rewrite, Refusal> {
        let Prepared { turn, first } = self.prepare_rewrite()?;
        let mut held = self.keyspace.lock_blocking(self.keyspace.all());
        let Ok(save) = Save::begin(self, &mut held, self.now_s() * 1000) else {
            // Whoever takes the other snapshot needs the shards to end it, and looks at this when it has.
            self.rewriting.state.lock().is_scheduled = true;
            return Err(Refusal::Busy);
        };
        if let Some(turn) = turn {
            self.append_file.turn(turn);
            self.feed.select_again(&held, Audience::FILE);
        }
        let replaced = self.rewriting.state.lock().replaced;
        Ok(Rewrite { save, first, replaced })
    }

    /// Opens what changes go to from the cut on. A manifest names it before there is anything in it; until the cut
    /// changes go on to the increment before, and if there is none it stays empty.
    fn prepare_rewrite(&self) -> io::Result<Prepared> {
        let Some(folder) = self.append_folder().filter(|_| self.append_file.is_on()) else {
            return Ok(Prepared::default());
        };
        if !self.has_parts() {
            return Ok(Prepared { turn: Some(Turn::Tail(tail_file(&folder)?)), first: None });
        }
        let _placing = self.rewriting.placing.lock();
        if !self.has_directory() {
            return Err(given_up());
        }
        let mut manifest = self.rewriting.state.lock().manifest.clone();
        let part = manifest.next_increment(&self.append_name());
        let file = open_new(&folder.join(&part.name))?;
        let first = Some(part.number);
        manifest.increments.push(part);
        self.write_manifest(&manifest)?;
        self.rewriting.state.lock().manifest = manifest;
        Ok(Prepared { turn: Some(Turn::Next(file)), first })
    }

    /// Takes note of how a rewrite has ended.
    fn end_rewrite(&self, outcome: &Result<(), Refusal>) {
        let now_s = self.now_s();
        {
            let mut state = self.rewriting.state.lock();
            let began_s = state.running_since_s.take().unwrap_or(now_s);
            match outcome {
                Ok(()) => (state.failures, state.took_s) = (0, Some(now_s - began_s)),
                Err(Refusal::Io(_)) => {
                    (state.failures, state.failed_s) = (state.failures + 1, now_s);
                    state.took_s = Some(now_s - began_s);
                }
                // It has not been begun.
                Err(Refusal::Busy) => state.rewrites -= 1,
            }
        }
        match outcome {
            Ok(()) => {}
            // It goes on when the other snapshot has ended, which may be by now.
            Err(Refusal::Busy) if self.keyspace.lock_blocking(self.keyspace.all()).is_cut() => return,
            Err(Refusal::Busy) => {}
            Err(Refusal::Io(error)) => {
                self.host.log(&format!("the append-only file was not rewritten: {error}"));
                return self.begin_scheduled();
            }
        }
        self.do_what_waited();
    }

    fn write_rewrite(&self, rewrite: Rewrite) -> io::Result<()> {
        let Rewrite { mut save, first, replaced } = rewrite;
        save.is_aof_base = true;
        let Some(folder) = self.append_folder() else {
            save.abandon(self);
            return Err(given_up());
        };
        let number = saving::file_number();
        let process = self.host.process().id;
        let keys_path = folder.join(format!("temp-rewriteaof-{process}-{number}.keys"));
        let path = folder.join(format!("temp-rewriteaof-{process}-{number}.aof"));
        let written = self.write_keys(save, &folder, &keys_path).and_then(|()| {
            if self.writes_keys() {
                fs::rename(&keys_path, &path)?;
                return Ok(fs::metadata(&path)?.len());
            }
            self.write_base(&path, BufReader::new(File::open(&keys_path)?))
        });
        let _ = fs::remove_file(&keys_path);
        let outcome = written.and_then(|size| self.place_base(&folder, &path, size, first));
        match &outcome {
            Ok(()) => self.rewriting.state.lock().holds = Some(replaced),
            Err(_) => _ = fs::remove_file(&path),
        }
        outcome
    }

    fn write_keys(&self, save: Save, folder: &Path, path: &Path) -> io::Result<()> {
        let mut save = Some(save);
        let mut write = || {
            fs::create_dir_all(folder)?;
            let file = File::create(path)?;
            let Some(save) = save.take() else { return Ok(()) };
            let file = save.write(self, file, |_| self.has_directory()).map_err(|failure| match failure {
                crate::save::Failure::Io(error) => error,
                crate::save::Failure::Cancelled => given_up(),
            })?;
            file.sync_all()
        };
        let outcome = write();
        if let Some(save) = save {
            save.abandon(self);
        }
        outcome
    }

    /// Gives a new base its place.
    fn place_base(&self, folder: &Path, path: &Path, size: u64, first: Option<u64>) -> io::Result<()> {
        let _placing = self.rewriting.placing.lock();
        if !self.has_directory() {
            return Err(given_up());
        }
        let name = self.append_name();
        if self.has_parts() {
            // Nothing goes to the increments any more that are about to be deleted.
            self.append_file.settle_turn()?;
            let manifest = self.rewriting.state.lock().manifest.clone();
            let base = manifest.next_base(&name, self.writes_keys());
            fs::rename(path, folder.join(&base.name))?;
            let mut manifest = manifest.rewritten(base, first.unwrap_or(u64::MAX));
            self.write_manifest(&manifest)?;
            self.rewriting.state.lock().manifest = manifest.clone();
            self.append_file.forget_earlier();
            self.rewriting.other_bytes.store(size, Ordering::Relaxed);
            self.rewriting.base_bytes.store(size, Ordering::Relaxed);
            for old in std::mem::take(&mut manifest.history) {
                let _ = fs::remove_file(folder.join(old.name));
            }
            // If it cannot be written now it names what is gone as history, which is what it is.
            if self.write_manifest(&manifest).is_ok() {
                self.rewriting.state.lock().manifest = manifest;
            }
            return Ok(());
        }
        let target = folder.join(&name);
        if !self.append_file.is_on() {
            fs::rename(path, &target)?;
            return saving::sync_directory(&target);
        }
        self.append_file.end_tail(|tail, len| {
            io::Seek::rewind(tail)?;
            let mut file = File::options().append(true).open(path)?;
            if io::copy(&mut tail.take(len), &mut file)? != len {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            file.sync_all()?;
            fs::rename(path, &target)?;
            saving::sync_directory(&target)?;
            self.rewriting.base_bytes.store(size + len, Ordering::Relaxed);
            Ok((file, size + len))
        })?;
        let _ = fs::remove_file(folder.join(TAIL));
        Ok(())
    }

    /// The node has given its files up: when this returns nobody touches them any more.
    pub(crate) fn leave_append_files(&self) {
        debug_assert!(!self.has_directory());
        drop(self.rewriting.placing.lock());
    }

    /// What has to be on the disk before commands that have run may be answered; nothing if it need not be.
    #[inline]
    pub fn must_be_synced(&self) -> Option<u64> {
        if self.append_file.is_on() { self.append_file.must_be_synced() } else { None }
    }

    /// Before replies go out: writes what has been appended.
    #[inline]
    pub fn write_appended(&self) {
        if self.append_file.is_on() {
            self.write_appended_now();
        }
    }

    #[cold]
    fn write_appended_now(&self) {
        self.append_file.write();
        if self.gates().contains(Gates::APPEND_FAILS) != self.append_file.fails() {
            self.set_gates(Gates::APPEND_FAILS, self.append_file.fails());
        }
        if self.has_grown() {
            // Should somebody else have been quicker, that is as good.
            let _ = self.rewrite_in_background();
        }
    }

    /// Whether the file has grown so much that it is to be rewritten by itself.
    fn has_grown(&self) -> bool {
        let percent = self.rewriting.growth_percent.load(Ordering::Relaxed);
        let current = self.append_bytes();
        if percent == 0 || current < self.rewriting.least_bytes.load(Ordering::Relaxed) {
            return false;
        }
        let base = self.rewriting.base_bytes.load(Ordering::Relaxed).max(1);
        if current < base.saturating_add(base.saturating_mul(percent) / 100) {
            return false;
        }
        let state = self.rewriting.state.lock();
        let waits = state.failures > 1 && self.now_s() < state.failed_s + RETRY_S;
        state.running_since_s.is_none() && !state.is_scheduled && !waits
    }

    /// What the file holds, in bytes.
    pub fn append_bytes(&self) -> u64 {
        self.append_file.size() + self.rewriting.other_bytes.load(Ordering::Relaxed)
    }

    /// Has the file rewritten when the keys have been saved.
    pub(crate) fn schedule_rewrite(&self) {
        self.rewriting.state.lock().is_scheduled = true;
    }

    /// A snapshot has ended: begins what has waited for that.
    pub fn do_what_waited(&self) {
        self.begin_or_end_append_file();
        self.begin_scheduled();
    }

    fn begin_scheduled(&self) {
        if self.rewriting.state.lock().is_scheduled {
            // If another is under way, this one follows it.
            let _ = self.rewrite_in_background();
        } else if self.saving.takes_scheduled() {
            self.host.background("save", Box::new(|node| _ = node.save_in_background()));
        }
    }

    /// The keys have been replaced by others that no command has brought about: the file begins anew with them. All
    /// shards are held.
    pub(crate) fn rewrite_replaced(&self) {
        self.rewriting.state.lock().replaced += 1;
        if self.append_file.is_on() && self.rewrite_in_background().is_err() {
            self.schedule_rewrite();
        }
    }
}

/// What has changed during a rewrite before 7.0.
const TAIL: &str = "temp-rewriteaof-tail.aof";

fn tail_file(folder: &Path) -> io::Result<File> {
    File::options().create(true).read(true).write(true).truncate(true).open(folder.join(TAIL))
}

fn given_up() -> io::Error {
    io::Error::other("the node writes no files any more")
}

/// Begins a file. One of this name is of an attempt that came to nothing.
fn open_new(path: &Path) -> io::Result<File> {
    File::create(path)?;
    open(path)
}

fn open(path: &Path) -> io::Result<File> {
    File::options().create(true).append(true).open(path)
}
