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
}

impl Replica {
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

    /// For how long nothing has been heard of it, in s.
    pub fn lag_s(&self, now_ms: i64) -> i64 {
        (now_ms - self.heard_ms).max(0) / 1000
    }

    /// Whether it follows closely enough to count where writes need replicas.
    pub fn is_good(&self, now_ms: i64, most_s: i64) -> bool {
        self.stage == Stage::Online && self.lag_s(now_ms) <= most_s
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_stream_begins_once_the_snapshot_is_loaded() {
        let mut replica = Replica { stage: Stage::Confirms, ..Replica::default() };
        assert!(!replica.is_good(1000, 10));
        assert!(replica.acknowledge(5, 1000));
        assert!(!replica.acknowledge(9, 2000) && !replica.acknowledge(7, 3000));
        assert_eq!((replica.stage, replica.offset), (Stage::Online, 9), "what it has it has");
        assert!(replica.is_good(13_999, 10) && !replica.is_good(14_000, 10));
        assert_eq!(replica.lag_s(4_500), 1);
    }

    #[test]
    fn unknown_capabilities_are_no_matter() {
        assert_eq!(Capabilities::named(b"EOF"), Capabilities::EOF);
        assert_eq!(Capabilities::named(b"psync2"), Capabilities::PSYNC2);
        assert_eq!(Capabilities::named(b"dance"), Capabilities::empty());
    }
}
