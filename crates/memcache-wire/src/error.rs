//! What is answered when something is wrong: the only place where these texts stand.
//!
//! Source: observed on memcached 1.6.18.

/// An error of the text protocol; its text is the line that goes to the client, without its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Not a command, or not with so many words.
    #[error("ERROR")]
    Unknown,
    /// A key that is too long, or a number that is none.
    #[error("CLIENT_ERROR bad command line format")]
    Format,
    /// A time that is not a number.
    #[error("CLIENT_ERROR invalid exptime argument")]
    Exptime,
    /// What is to be added is not a number.
    #[error("CLIENT_ERROR invalid numeric delta argument")]
    Delta,
    /// What is to be added to is not a number.
    #[error("CLIENT_ERROR cannot increment or decrement non-numeric value")]
    NonNumeric,
    /// A block of data that does not end where it was said to.
    #[error("CLIENT_ERROR bad data chunk")]
    DataChunk,
    /// `delete` with something else than a zero behind its key.
    #[error("CLIENT_ERROR bad command line format.  Usage: delete <key> [noreply]")]
    DeleteUsage,
    /// A value that is larger than items may be.
    #[error("SERVER_ERROR object too large for cache")]
    TooLarge,
    /// No room for an item, and none could be made.
    #[error("SERVER_ERROR out of memory storing object")]
    NoMemory,
    /// No room for the new value of a number.
    #[error("SERVER_ERROR out of memory in incr")]
    NoMemoryIncr,
    /// No room for a request.
    #[error("SERVER_ERROR out of memory reading request")]
    NoMemoryRequest,
    /// No room for what was asked for.
    #[error("SERVER_ERROR out of memory writing get response")]
    NoMemoryReply,
    /// A meta command with more flags than there may be.
    #[error("CLIENT_ERROR options flags too long")]
    FlagsTooMany,
    /// The same of `mg`.
    #[error("CLIENT_ERROR options flags are too long")]
    GetFlagsTooMany,
    /// A flag that was given before.
    #[error("CLIENT_ERROR duplicate flag")]
    FlagTwice,
    /// A flag that there is not.
    #[error("CLIENT_ERROR invalid flag")]
    Flag,
    /// Any error in the flags of `md` and `ma`.
    #[error("CLIENT_ERROR invalid or duplicate flag")]
    FlagOrTwice,
    /// The value of a flag is not a number.
    #[error("CLIENT_ERROR bad token in command line format")]
    Token,
    /// `J` without a number.
    #[error("CLIENT_ERROR invalid numeric initial value")]
    Initial,
    /// `D` without a number.
    #[error("CLIENT_ERROR invalid numeric delta value")]
    DeltaValue,
    /// `M` with more or less than one letter.
    #[error("CLIENT_ERROR incorrect length for M token")]
    ModeLength,
    /// A mode that `ms` does not have.
    #[error("CLIENT_ERROR invalid mode for ms M token")]
    SetMode,
    /// A mode that `ma` does not have.
    #[error("CLIENT_ERROR invalid mode for ma M token")]
    ArithmeticMode,
    /// A key that is not base64.
    #[error("CLIENT_ERROR error decoding key")]
    KeyEncoding,
    /// An opaque that is too long.
    #[error("CLIENT_ERROR opaque token too long")]
    Opaque,
    /// A command of a client that has yet to log in.
    #[error("CLIENT_ERROR unauthenticated")]
    Unauthenticated,
    /// Name or password are wrong.
    #[error("CLIENT_ERROR authentication failure")]
    Authentication,
    /// What is to be name and password is not two words.
    #[error("CLIENT_ERROR bad authentication token format")]
    AuthenticationFormat,
    /// What is to be name and password does not end where it was said to.
    #[error("CLIENT_ERROR bad command line termination")]
    AuthenticationEnd,
    /// More connections than there may be.
    #[error("ERROR Too many open connections")]
    Connections,
    /// `shutdown` where it is not allowed.
    #[error("ERROR: shutdown not enabled")]
    ShutdownDisabled,
    /// `shutdown` with a word that means nothing to it.
    #[error("CLIENT_ERROR invalid shutdown mode")]
    ShutdownMode,
    /// `flush_all` where it is not allowed.
    #[error("CLIENT_ERROR flush_all not allowed")]
    FlushDisabled,
    /// A limit that is too small to work with.
    #[error("MEMLIMIT_TOO_SMALL cannot set maxbytes to less than 8m")]
    LimitTooSmall,
    /// A limit that looks like bytes.
    #[error("MEMLIMIT_ADJUST_FAILED input value is megabytes not bytes")]
    LimitNotMegabytes,
    /// A limit that cannot be changed to.
    #[error("MEMLIMIT_ADJUST_FAILED out of bounds or unable to adjust")]
    LimitOutOfBounds,
    /// `slabs reassign` from a class that has nothing to give.
    #[error("NOSPARE source class has no spare pages")]
    SlabsNoSpare,
    /// `slabs reassign` from a class to itself.
    #[error("SAME src and dst class are identical")]
    SlabsSame,
    /// `slabs reassign` with a class that there is not.
    #[error("BADCLASS invalid src or dst class id")]
    SlabsClass,
    /// `lru tune` that leaves no part of memory to what is used seldom.
    #[error("ERROR hot and warm pcts must not exceed 80")]
    LruPercentages,
    /// `lru tune` with ages that mean nothing.
    #[error("ERROR hot/warm age factors must be greater than 0")]
    LruFactors,
    /// `lru_crawler sleep` for too long.
    #[error("CLIENT_ERROR sleep must be one second or less")]
    CrawlerSleep,
    /// `lru_crawler enable` where it is enabled.
    #[error("ERROR failed to start lru crawler thread")]
    CrawlerEnabled,
    /// What would walk over items where that is disabled.
    #[error("CLIENT_ERROR lru crawler disabled")]
    CrawlerDisabled,
    /// What would walk over the items of a class that there is not.
    #[error("BADCLASS invalid class id")]
    CrawlerClass,
    /// What would walk over the items of no class.
    #[error("NOTSTARTED no items to crawl")]
    CrawlerClassless,
    /// `lru_crawler crawl` in the order of the hash table.
    #[error("ERROR an unknown error happened")]
    CrawlerOrder,
    /// `watch` behind requests that have yet to be answered.
    #[error("ERROR cannot pipeline other commands before watch")]
    WatchPipelined,
    /// `watch` where as many watch as may.
    #[error("WATCHER_TOO_MANY log watcher limit reached")]
    WatchersTooMany,
    /// `stats detail` with another word.
    #[error("CLIENT_ERROR usage: stats detail on|off|dump")]
    StatsDetailUsage,
    /// `stats cachedump` with too few words.
    #[error("CLIENT_ERROR bad command line")]
    StatsDumpUsage,
    /// `stats cachedump` of a class that there is not.
    #[error("CLIENT_ERROR Illegal slab id")]
    StatsDumpClass,
    /// There is no TLS whose certificates could be read again.
    #[error("Error TLS not enabled")]
    NoTls,
}

/// The status of a reply in the binary protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u16)]
pub enum Status {
    /// All is well.
    Success = 0x00,
    /// There is no such item.
    NotFound = 0x01,
    /// There is such an item, or it has changed.
    Exists = 0x02,
    /// A value that is larger than items may be.
    TooLarge = 0x03,
    /// A request that makes no sense; the connection ends.
    Invalid = 0x04,
    /// Not stored, since the condition does not hold.
    NotStored = 0x05,
    /// What is to be added to is not a number.
    NonNumeric = 0x06,
    /// Name or password are wrong, or the client has yet to log in.
    Authentication = 0x20,
    /// The authentication has further steps.
    Continue = 0x21,
    /// There is no such command.
    Unknown = 0x81,
    /// No room for an item, and none could be made.
    NoMemory = 0x82,
}

impl Status {
    /// The text that goes with the status as the value of a reply; empty for success.
    pub fn text(self) -> &'static str {
        match self {
            Status::Success | Status::Continue => "",
            Status::NotFound => "Not found",
            Status::Exists => "Data exists for key.",
            Status::TooLarge => "Too large.",
            Status::Invalid => "Invalid arguments",
            Status::NotStored => "Not stored.",
            Status::NonNumeric => "Non-numeric server-side value for incr or decr",
            Status::Authentication => "Auth failure.",
            Status::Unknown => "Unknown command",
            Status::NoMemory => "Out of memory",
        }
    }
}
