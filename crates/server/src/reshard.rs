//! Another number of masters and replicas for a cluster that runs: slots go from node to node as `redis-cli --cluster
//! reshard` has them go, with `MIGRATE`, while clients use them.
//!
//! Invariants:
//! - The nodes of a cluster have the numbers from 0 up to their count, since numbers are what they are known by when they
//!   are started again: nodes come and go at the end of the list, whatever part they have.
//! - A node goes when it serves no slot and nobody repeats its changes.

use crate::cluster::{Place, Shared, begin, next};
use crate::hold::hold;
use crate::node::{Order, private_line};
use crate::takeover::take_over;
use engine::cluster::{Seat, id_of};
use engine::master::reachable;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

/// Slots that are on their way at once.
const SLOTS_AT_ONCE: usize = 256;
/// Keys that are on their way at once.
const KEYS_AT_ONCE: &str = "100";
/// How long a node may take to take keys, in ms.
const TIMEOUT_MS: &str = "60000";
/// How long it is waited for new replicas to have all keys; they get them all the same.
const IN_STEP: Duration = Duration::from_secs(60);
/// How often it is looked whether they have.
const LOOK: Duration = Duration::from_micros(500);

/// Gives a cluster so many masters, each with so many replicas.
///
/// # Errors
/// What did not succeed, in a sentence.
pub(crate) async fn reshard(
    shared: &Shared,
    masters: usize,
    replicas: usize,
    is_free: &(impl Fn(u16) -> bool + Sync),
) -> Result<(), String> {
    let _turning = shared.turning.lock().await;
    let (masters, count) = (masters.max(1), masters.max(1) * (1 + replicas));
    add_nodes(shared, count, is_free)?;
    let ids: Vec<String> = shared.nodes.lock().iter().map(|place| place.id.clone()).collect();
    let (staying, leaving) = ids.split_at(count.min(ids.len()));
    hand_over(shared, staying, leaving).await;
    let chosen = choose(shared, staying, masters);
    move_slots(shared, &chosen).await?;
    let followers = follow(shared, staying, &chosen, replicas).await?;
    remove_nodes(shared, count).await;
    in_step(shared, &followers).await;
    Ok(())
}

/// Starts nodes until there are so many. They serve no slots.
fn add_nodes(shared: &Shared, count: usize, is_free: &impl Fn(u16) -> bool) -> Result<(), String> {
    let mut number = shared.nodes.lock().len();
    while number < count {
        let (first, mut address, own) = {
            let nodes = shared.nodes.lock();
            let last = nodes.last().ok_or("the cluster has ended")?;
            let own: Vec<u16> = nodes.iter().map(|place| place.order.address.port()).collect();
            (nodes[0].order.clone(), last.order.address, own)
        };
        let id = id_of(&format!("{} node {number}", shared.name));
        let seat = Seat {
            map: Arc::clone(&shared.map),
            id: id.clone(),
            shard_id: id_of(&format!("{} shard {number}", shared.name)),
            replica_of: None,
        };
        let directory = first.directory.as_ref().and_then(|own| own.parent());
        let mut order = Order {
            seed: first.seed.wrapping_add(number as u64),
            directory: directory.map(|below| below.join(number.to_string())),
            seat: Some(seat),
            ..first
        };
        // What lies there is another time's.
        if let Some(directory) = &order.directory {
            let _ = std::fs::remove_dir_all(directory);
        }
        let is_free = |port: u16| is_free(port) && !own.contains(&port);
        next(&mut address, is_free);
        let running = begin(&shared.workers, &shared.clock, &mut order, &mut address, true, is_free);
        let running = running.map_err(|error| format!("a node does not start: {error}"))?;
        running.suspect_to(&shared.suspicion);
        let place = Place { order, id, running: Some(running), has_stopped: false };
        shared.nodes.lock().push(place);
        number += 1;
    }
    Ok(())
}

/// Has masters that leave hand over to replicas that stay, as far as they have any.
async fn hand_over(shared: &Shared, staying: &[String], leaving: &[String]) {
    for master in leaving {
        let heir = staying.iter().find(|id| shared.map.master_of(id).as_ref() == Some(master));
        let Some(node) = heir.and_then(|heir| node_of(shared, heir)) else { continue };
        let clock = Arc::clone(&shared.clock);
        // What it does not take over is moved.
        let _ = tokio::task::spawn_blocking(move || take_over(&node, &clock, false)).await;
    }
}

/// Chooses masters among those that stay: first those that serve slots, then those that are masters, then the others.
fn choose(shared: &Shared, staying: &[String], masters: usize) -> Vec<String> {
    let shares: BTreeMap<String, Vec<u16>> = shared.map.shares().into_iter().collect();
    let rank = |id: &String| match shares.get(id) {
        Some(slots) if !slots.is_empty() => 0,
        Some(_) => 1,
        None => 2,
    };
    let mut candidates: Vec<&String> = staying.iter().collect();
    candidates.sort_by_key(|id| rank(id));
    candidates.into_iter().take(masters).cloned().collect()
}

/// Moves slots until each of these masters has its part of them, and nobody else has any.
async fn move_slots(shared: &Shared, chosen: &[String]) -> Result<(), String> {
    for id in chosen.iter().filter(|id| shared.map.master_of(id).is_some()) {
        // A replica becomes a master of nothing: it lets go of the keys that it repeats.
        ask(shared, id, &[&[b"CLUSTER", b"RESET", b"SOFT"]]).await?;
        let other = shared.nodes.lock().iter().map(|place| place.id.clone()).find(|other| other != id);
        let (host, port) = address_of(shared, &other.unwrap_or_default())?;
        ask(shared, id, &[&[b"CLUSTER", b"MEET", host.as_bytes(), port.as_bytes()]]).await?;
    }
    let mut surplus: Vec<(String, u16)> = Vec::new();
    let mut lacking: Vec<(String, usize)> = Vec::new();
    let shares: BTreeMap<String, Vec<u16>> = shared.map.shares().into_iter().collect();
    let all = usize::from(keyspace::slots::SLOTS);
    let part = |at: usize| all * (at + 1) / chosen.len() - all * at / chosen.len();
    for (id, slots) in &shares {
        let kept = chosen.iter().position(|other| other == id).map_or(0, part);
        surplus.extend(slots.iter().skip(kept).map(|slot| (id.clone(), *slot)));
    }
    for (at, id) in chosen.iter().enumerate() {
        let has = shares.get(id).map_or(0, Vec::len);
        lacking.push((id.clone(), part(at).saturating_sub(has)));
    }
    let mut surplus = surplus.into_iter().peekable();
    for (to, mut lacks) in lacking {
        while lacks > 0 {
            let Some((from, _)) = surplus.peek().cloned() else { break };
            let mut slots = Vec::new();
            while lacks > 0 && slots.len() < SLOTS_AT_ONCE {
                let Some((_, slot)) = surplus.next_if(|(owner, _)| *owner == from) else { break };
                slots.push(slot);
                lacks -= 1;
            }
            move_some(shared, &from, &to, &slots).await?;
        }
    }
    Ok(())
}

/// Moves slots from one master to another.
async fn move_some(shared: &Shared, from: &str, to: &str, slots: &[u16]) -> Result<(), String> {
    let gone = || "a node has gone".to_owned();
    let leaver = node_of(shared, from).ok_or_else(gone)?;
    let mut source = Line::to(shared, from).await?;
    let (host, port) = address_of(shared, to)?;
    let password = password(shared);
    let words: Vec<String> = slots.iter().map(u16::to_string).collect();
    {
        let _held = hold(&leaver).await;
        shared.map.send(slots, from, to);
    }
    let count = |slot: &String| request(&[b"CLUSTER", b"COUNTKEYSINSLOT", slot.as_bytes()]);
    let counts = source.ask(&words.iter().map(count).collect::<Vec<_>>()).await?;
    for (slot, count) in words.iter().zip(counts) {
        // Where there is no key there will be none: who writes one is sent to the other node.
        let mut left = !matches!(count, Answer::Integer(0));
        while left {
            let get = request(&[b"CLUSTER", b"GETKEYSINSLOT", slot.as_bytes(), KEYS_AT_ONCE.as_bytes()]);
            let Some(Answer::List(keys)) = source.ask(&[get]).await?.pop() else { break };
            left = !keys.is_empty();
            if !left {
                break;
            }
            let mut migrate =
                request(&[b"MIGRATE", host.as_bytes(), port.as_bytes(), b"", b"0", TIMEOUT_MS.as_bytes()]);
            migrate.extend(password.iter().flat_map(|password| request(&[b"AUTH", password.as_bytes()])));
            migrate.push(b"KEYS".to_vec());
            migrate.extend(keys);
            source.ask(&[migrate]).await?;
        }
    }
    // Nobody is told to try again by the one that they leave, as it does not see half of the change.
    let _held = hold(&leaver).await;
    shared.map.give(slots, to);
    Ok(())
}

/// Has those that are no masters follow these, so many each; those that leave follow nobody that stays. Gives the ones that
/// follow.
async fn follow(
    shared: &Shared,
    staying: &[String],
    chosen: &[String],
    replicas: usize,
) -> Result<Vec<String>, String> {
    let mut room: BTreeMap<&String, usize> = chosen.iter().map(|id| (id, replicas)).collect();
    let others: Vec<&String> = staying.iter().filter(|id| !chosen.contains(id)).collect();
    let mut astray = Vec::new();
    for id in &others {
        let master = shared.map.master_of(id);
        match master.as_ref().and_then(|master| room.get_mut(master)).filter(|room| **room > 0) {
            Some(room) => *room -= 1,
            None => astray.push(*id),
        }
    }
    for id in astray {
        let Some((master, room)) = room.iter_mut().find(|(_, room)| **room > 0) else { break };
        *room -= 1;
        ask(shared, id, &[&[b"CLUSTER", b"REPLICATE", master.as_bytes()]]).await?;
    }
    Ok(others.into_iter().cloned().collect())
}

/// Ends the nodes beyond so many, and removes their files.
async fn remove_nodes(shared: &Shared, count: usize) {
    loop {
        let place = {
            let mut nodes = shared.nodes.lock();
            if nodes.len() <= count {
                return;
            }
            nodes.pop()
        };
        let Some(Place { order, id, running, .. }) = place else { return };
        let node = running.as_ref().map(|running| Arc::clone(running.node()));
        if let Some(running) = running {
            running.stop().await;
        }
        // Not before: as long as it runs it sends its clients to others, for which it has to be on the map.
        shared.map.remove(&id);
        if let Some(node) = node {
            let _ = tokio::task::spawn_blocking(move || {
                node.give_up_files();
                order.directory.map(std::fs::remove_dir_all)
            })
            .await;
        }
    }
}

/// Waits until replicas have what their masters have.
async fn in_step(shared: &Shared, replicas: &[String]) {
    let nodes: Vec<_> = replicas.iter().filter_map(|id| node_of(shared, id)).collect();
    let all = async {
        for node in nodes {
            while !node.master.is_up() {
                tokio::time::sleep(LOOK).await;
            }
        }
    };
    let _ = tokio::time::timeout(IN_STEP, all).await;
}

fn node_of(shared: &Shared, id: &str) -> Option<Arc<engine::Node>> {
    let nodes = shared.nodes.lock();
    let place = nodes.iter().find(|place| place.id == id)?;
    place.running.as_ref().map(|running| Arc::clone(running.node()))
}

fn address_of(shared: &Shared, id: &str) -> Result<(String, String), String> {
    let nodes = shared.nodes.lock();
    let place = nodes.iter().find(|place| place.id == id).ok_or("a node has gone")?;
    let address = place.order.address;
    Ok((reachable(address.ip()).to_string(), address.port().to_string()))
}

/// What the nodes are to be given by those who log in.
fn password(shared: &Shared) -> Option<String> {
    let nodes = shared.nodes.lock();
    let config = &nodes.first()?.order.config;
    let found = config.iter().rev().find(|(name, _)| name.eq_ignore_ascii_case("requirepass"));
    found.map(|(_, password)| password.clone()).filter(|password| !password.is_empty())
}

async fn ask(shared: &Shared, id: &str, requests: &[&[&[u8]]]) -> Result<(), String> {
    let requests: Vec<_> = requests.iter().map(|words| request(words)).collect();
    Line::to(shared, id).await?.ask(&requests).await.map(|_| ())
}

fn request(words: &[&[u8]]) -> Vec<Vec<u8>> {
    words.iter().map(|word| word.to_vec()).collect()
}

/// A connection of this process to a node, which clients are not counted by.
struct Line(BufReader<TcpStream>);

/// What a node answers, as far as it matters here.
enum Answer {
    Integer(i64),
    List(Vec<Vec<u8>>),
    Other,
}

impl Line {
    /// Connects to a node, and logs in.
    async fn to(shared: &Shared, id: &str) -> Result<Line, String> {
        let counter = {
            let nodes = shared.nodes.lock();
            let place = nodes.iter().find(|place| place.id == id);
            let running = place.and_then(|place| place.running.as_ref()).ok_or("a node has gone")?;
            running.counter()
        };
        let stream = private_line(counter, &shared.workers).and_then(TcpStream::from_std);
        let mut line = Line(BufReader::new(stream.map_err(|error| error.to_string())?));
        if let Some(password) = password(shared) {
            line.ask(&[request(&[b"AUTH", password.as_bytes()])]).await?;
        }
        Ok(line)
    }

    /// Sends requests and reads their answers. An answer that is an error is one.
    async fn ask(&mut self, requests: &[Vec<Vec<u8>>]) -> Result<Vec<Answer>, String> {
        let mut bytes = Vec::new();
        for words in requests {
            bytes.extend_from_slice(format!("*{}\r\n", words.len()).as_bytes());
            for word in words {
                bytes.extend_from_slice(format!("${}\r\n", word.len()).as_bytes());
                bytes.extend_from_slice(word);
                bytes.extend_from_slice(b"\r\n");
            }
        }
        let talk = async {
            self.0.write_all(&bytes).await?;
            let mut answers = Vec::with_capacity(requests.len());
            for _ in requests {
                answers.push(self.read().await?);
            }
            std::io::Result::Ok(answers)
        };
        talk.await.map_err(|error| error.to_string())
    }

    async fn read(&mut self) -> std::io::Result<Answer> {
        let line = self.line().await?;
        let number = || line.get(1..).and_then(|digits| digits.parse::<i64>().ok());
        match line.as_bytes().first() {
            Some(b'-') => Err(std::io::Error::other(line)),
            Some(b':') => Ok(Answer::Integer(number().unwrap_or(0))),
            Some(b'*') => {
                let mut items = Vec::new();
                for _ in 0..number().unwrap_or(0) {
                    let head = self.line().await?;
                    let length = head.get(1..).and_then(|digits| digits.parse::<usize>().ok()).unwrap_or(0);
                    let mut item = vec![0; length + 2];
                    self.0.read_exact(&mut item).await?;
                    item.truncate(length);
                    items.push(item);
                }
                Ok(Answer::List(items))
            }
            Some(_) => Ok(Answer::Other),
            None => Err(std::io::ErrorKind::UnexpectedEof.into()),
        }
    }

    async fn line(&mut self) -> std::io::Result<String> {
        let mut line = String::new();
        self.0.read_line(&mut line).await?;
        line.truncate(line.trim_end().len());
        Ok(line)
    }
}
