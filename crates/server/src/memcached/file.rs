//! The items of a memcached node as a file: written beside others' requests, read into a node that nobody has seen.
//!
//! The file is not of one moment: an item that is changed while it is written is there as it was or as it is.

use std::fs::{self, File};
use std::future::poll_fn;
use std::io::{self, BufReader, BufWriter, Write};
use std::path::Path;

use memcached::Node;
use memcached::dump::{self, Contents, DumpError, Writer};
use tokio::runtime::Handle;

use crate::clock::Clock;

/// Writes all items to a file, in the place of what is there. This blocks the thread; it is called where the runtime lets
/// threads block. How many items there were. A flush that waits for its time goes with them if `keeps_flush`: it is the
/// node's, and of no concern to whoever is given its items.
///
/// # Errors
/// The file cannot be written; then what was there is still there.
pub(super) fn save(node: &Node, clock: &Clock, path: &Path, keeps_flush: bool) -> io::Result<u64> {
    let unfinished = path.with_extension("part");
    let items = write(node, clock, &unfinished, keeps_flush).inspect_err(|_| {
        // Whether it goes makes no difference: the next one takes its place.
        let _ = fs::remove_file(&unfinished);
    })?;
    fs::rename(&unfinished, path)?;
    if let Some(directory) = path.parent() {
        File::open(directory)?.sync_all()?;
    }
    Ok(items)
}

fn write(node: &Node, clock: &Clock, path: &Path, keeps_flush: bool) -> io::Result<u64> {
    let mut file = BufWriter::new(File::create(path)?);
    let flush_s = if keeps_flush { node.flush_due_s() } else { None };
    let (mut writer, mut place) = (Writer::new(flush_s), Some((0, 0)));
    while let Some(from) = place {
        match node.walk(from, node.clock.at(clock.wall_ms()), |item| writer.add(&item)) {
            Ok(next) => place = next,
            Err(shard) => wait(node, shard),
        }
        writer.write_to(&mut file)?;
    }
    let items = writer.end(&mut file)?;
    file.flush()?;
    file.get_ref().sync_all()?;
    Ok(items)
}

/// Reads a file into a node. Nothing of it is to be used if this fails. This blocks the thread, as [`save`] does.
///
/// # Errors
/// [`DumpError`]
pub(super) fn load(node: &Node, clock: &Clock, path: &Path) -> Result<u64, DumpError> {
    let file = BufReader::new(File::open(path)?);
    let Contents { items, flush_s } = dump::read(file, |item| {
        loop {
            match node.load(item, node.clock.at(clock.wall_ms())) {
                Ok(true) => return Ok(()),
                Ok(false) => return Err(io::Error::from(io::ErrorKind::OutOfMemory).into()),
                Err(shard) => wait(node, shard),
            }
        }
    })?;
    if let Some(at_s) = flush_s {
        while let Err(shard) = node.flush_at_s(at_s, node.clock.at(clock.wall_ms())) {
            wait(node, shard);
        }
    }
    Ok(items)
}

/// Blocks the thread while somebody holds a shard.
fn wait(node: &Node, shard: usize) {
    Handle::current().block_on(poll_fn(|cx| node.poll_free(shard, cx)));
}
