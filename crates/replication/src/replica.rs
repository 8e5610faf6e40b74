//! What a master knows of one of its replicas.

bitflags::bitflags! {
    /// What a replica says that it understands.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
    pub struct Capabilities: u8 {
        /// A snapshot that ends with a mark instead of beginning with its length.
        const EOF = 1 << 0;
        /// That a stream goes on under another id.
        const PSYNC2 = 1 << 1;
    }
}

impl Capabilities {
    /// That of a name; none if it is not known, which is no error: newer servers say more of themselves.
    pub fn named(name: &[u8]) -> Capabilities {
        match name {
            name if name.eq_ignore_ascii_case(b"eof") => Capabilities::EOF,
            name if name.eq_ignore_ascii_case(b"psync2") => Capabilities::PSYNC2,
            _ => Capabilities::empty(),
        }
    }
}

/// How far a replica has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Stage {
    /// It has not asked for the stream yet.
    #[default]
    Handshake,
    /// It waits for a snapshot to be begun.
    WaitsForSnapshot,
    /// It gets a snapshot.
    Loads,
    /// It has been sent the snapshot and has yet to say that it has loaded it; the stream waits.
    Confirms,
    /// It gets the stream.
    Online,
}

impl Stage {
    /// As `INFO` calls it.
    pub fn name(self) -> &'static str {
        match self {
            Stage::Handshake | Stage::WaitsForSnapshot => "wait_bgsave",
            Stage::Loads | Stage::Confirms => "send_bulk",
            Stage::Online => "online",
        }
    }
}

/// A replica, as its master knows it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Replica {
    /// How far it has come.
    pub stage: Stage,
    /// What it understands.
    pub capabilities: Capabilities,
    /// Where it says that it listens; zero for nowhere.
    pub port: u16,
    /// The address at which it says it can be reached, if not where it comes from.
    pub address: Option<Box<str>>,
    /// How much of the stream it has, as it says.
    pub offset: u64,
    /// How much of it its file has, as it says, if it has one.
    pub saved_offset: Option<u64>,
    /// When it said so last, in ms since the epoch.
    pub heard_ms: i64,
    /// Whether it tells offsets: programs that only listen do not.
    pub answers: bool,
    /// Whether it asked for a snapshot in the way of old servers, which know nothing of places in a stream.
    pub is_old: bool,
    /// Whether it wants no keys in the snapshot.
    pub wants_no_keys: bool,
    /// Whether it wants the snapshot and nothing else.
    pub wants_snapshot_only: bool,
    /// Whether it is in this process: then it says something only when it has got something.
    pub is_own: bool,
}

impl Replica {
    /// It has been sent its snapshot, and comes to a stage by that. It may have said that it has loaded it before it was known
    /// here that all was sent.
    pub fn has_snapshot(&mut self, stage: Stage, now_ms: i64) {
        self.stage = if stage == Stage::Confirms && self.answers { Stage::Online } else { stage };
        self.heard_ms = now_ms;
    }

    /// It has this much of the stream. Whether it is to get the stream from now on.
    pub fn acknowledge(&mut self, offset: u64, now_ms: i64) -> bool {
        self.offset = self.offset.max(offset);
        self.heard_ms = now_ms;
        self.answers = true;
        let begins = self.stage == Stage::Confirms;
        if begins {
            self.stage = Stage::Online;
        }
        begins
    }

    /// For how long nothing has been heard of it that would have had to be, in s, given how far the stream is.
    pub fn lag_s(&self, now_ms: i64, end: u64) -> i64 {
        if self.is_own && self.offset >= end { 0 } else { (now_ms - self.heard_ms).max(0) / 1000 }
    }

    /// Whether it follows closely enough to count where writes need replicas.
    pub fn is_good(&self, now_ms: i64, most_s: i64, end: u64) -> bool {
        self.stage == Stage::Online && self.lag_s(now_ms, end) <= most_s
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_stream_begins_once_the_snapshot_is_loaded() {
        let mut replica = Replica { stage: Stage::Confirms, ..Replica::default() };
        assert!(!replica.is_good(1000, 10, 9));
        assert!(replica.acknowledge(5, 1000));
        assert!(!replica.acknowledge(9, 2000) && !replica.acknowledge(7, 3000));
        assert_eq!((replica.stage, replica.offset), (Stage::Online, 9), "what it has it has");
        assert!(replica.is_good(13_999, 10, 9) && !replica.is_good(14_000, 10, 9));
        assert_eq!(replica.lag_s(4_500, 9), 1);
        replica.is_own = true;
        assert_eq!(
            (replica.lag_s(14_000, 9), replica.lag_s(14_000, 10)),
            (0, 11),
            "it rests when it has all"
        );
    }

    #[test]
    fn a_replica_may_be_quicker_than_its_master() {
        let mut replica = Replica { stage: Stage::Loads, ..Replica::default() };
        assert!(!replica.acknowledge(5, 1000));
        replica.has_snapshot(Stage::Confirms, 1000);
        assert_eq!(replica.stage, Stage::Online, "it does not say it again");
    }

    #[test]
    fn unknown_capabilities_are_no_matter() {
        assert_eq!(Capabilities::named(b"EOF"), Capabilities::EOF);
        assert_eq!(Capabilities::named(b"psync2"), Capabilities::PSYNC2);
        assert_eq!(Capabilities::named(b"dance"), Capabilities::empty());
    }
}
