//! What can be wrong with a command.
//!
//! The text of an error, as it goes over the wire, stands here and nowhere else. Where releases word it
//! differently there is a variant for each wording.

use crate::Command;
use command::{Refusal, Release};

/// Why a command was not carried out.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum CommandError {
    /// The key holds another type than the command is for.
    #[error("WRONGTYPE Operation against a key holding the wrong kind of value")]
    WrongType,
    /// Arguments that make no sense together.
    #[error("ERR syntax error")]
    Syntax,
    /// Not an integer of 64 bits, or out of the command's range.
    #[error("ERR value is not an integer or out of range")]
    NotAnInteger,
    /// Not a finite double.
    #[error("ERR value is not a valid float")]
    NotAFloat,
    /// A number that may not be negative.
    #[error("ERR value is out of range, must be positive")]
    NotPositive,
    /// No such command.
    #[error("{0}")]
    UnknownCommand(Box<str>),
    /// More or fewer arguments than the command takes.
    #[error("ERR wrong number of arguments for '{0}' command")]
    Arity(Box<str>),
    /// No such subcommand, from 7.0 on.
    #[error("ERR unknown subcommand '{0}'. Try {1} HELP.")]
    UnknownSubcommand(Box<str>, Box<str>),
    /// A subcommand with arguments that make no sense, from 7.0 on.
    #[error("ERR unknown subcommand or wrong number of arguments for '{0}'. Try {1} HELP.")]
    SubcommandArguments(Box<str>, Box<str>),
    /// No such subcommand, or not with so many arguments, before 7.0.
    #[error("ERR Unknown subcommand or wrong number of arguments for '{0}'. Try {1} HELP.")]
    RefusedQuoted(Box<str>, Box<str>),
    /// The same in another wording.
    #[error("ERR Unknown subcommand or wrong number of arguments for '{0}'. Try {1} HELP")]
    RefusedQuotedOpen(Box<str>, Box<str>),
    /// The same in another wording.
    #[error("ERR Unknown subcommand or wrong number of arguments for '{0}'. Try {1} help")]
    RefusedQuotedLower(Box<str>, Box<str>),
    /// The same in another wording.
    #[error("ERR Unknown {1} subcommand or wrong number of arguments for '{0}'")]
    RefusedNamed(Box<str>, Box<str>),
    /// The same in another wording.
    #[error("ERR Unknown {0} subcommand or wrong # of args.{1}")]
    RefusedHash(Box<str>, &'static str),
    /// The same in another wording.
    #[error("ERR syntax error, try '{0} HELP'")]
    TryHelp(&'static str),
    /// The same in another wording.
    #[error("ERR Unknown subcommand or wrong number of arguments.")]
    RefusedPlain,
    /// The same in another wording.
    #[error("ERR Syntax error. Try {0} HELP")]
    RefusedSyntax(Box<str>),
    /// The same in another wording.
    #[error("ERR Syntax error, try {1} ({0})")]
    RefusedList(&'static str, Box<str>),
    /// The same in another wording.
    #[error("ERR Syntax error. Try {1} ({0})")]
    RefusedLists(&'static str, Box<str>),
    /// The same in another wording.
    #[error("ERR {1} subcommand must be one of {0}")]
    RefusedOneOf(&'static str, Box<str>),
    /// The same in another wording.
    #[error("ERR Wrong {0} subcommand or number of arguments")]
    RefusedWrong(Box<str>),
    /// Not so many arguments, of a subcommand that was there, up to 4.0.
    #[error("ERR Wrong number of arguments for {1} {0}")]
    RefusedNumber(Box<str>, Box<str>),
    /// There is no such key, and the command needs one.
    #[error("ERR no such key")]
    NoSuchKey,
    /// The number of a database that is not configured.
    #[error("ERR DB index is out of range")]
    DbOutOfRange,
    /// Memory is short, and nothing may be evicted.
    #[error("OOM command not allowed when used memory > 'maxmemory'.")]
    OutOfMemory,
    /// Keys are being loaded.
    #[error("LOADING Redis is loading the dataset in memory")]
    Loading,
    /// Keys could not be saved: nothing is to be written until they can, up to 6.2.
    #[error(
        "MISCONF Redis is configured to save RDB snapshots, but it is currently not able to persist on disk. Commands that may modify the data set are disabled, because this instance is configured to report errors during writes if RDB snapshotting fails (stop-writes-on-bgsave-error option). Please check the Redis logs for details about the RDB error."
    )]
    Unsaved6,
    /// The same from 7.0 on.
    #[error(
        "MISCONF Redis is configured to save RDB snapshots, but it's currently unable to persist to disk. Commands that may modify the data set are disabled, because this instance is configured to report errors during writes if RDB snapshotting fails (stop-writes-on-bgsave-error option). Please check the Redis logs for details about the RDB error."
    )]
    Unsaved7,
    /// Changes could not be appended to the file: nothing is to be written until they can.
    #[error("MISCONF Errors writing to the AOF file: {0}")]
    AppendFails(Box<str>),
    /// A rewrite of the append-only file while there is one.
    #[error("ERR Background append only file rewriting already in progress")]
    Rewriting,
    /// A rewrite of the append-only file that cannot begin.
    #[error(
        "ERR Can't execute an AOF background rewriting. Please check the server logs for more information."
    )]
    NotRewritten,
    /// A save while the keys are being saved.
    #[error("ERR Background save already in progress")]
    Saving,
    /// A background save while something else is being written.
    #[error(
        "ERR Another child process is active (AOF?): can't BGSAVE right now. Use BGSAVE SCHEDULE in order to schedule a BGSAVE whenever possible."
    )]
    ChildActive,
    /// A save that failed.
    #[error("ERR")]
    NotSaved,
    /// `DEBUG RELOAD` with an option that there is not.
    #[error("ERR DEBUG RELOAD only supports the MERGE, NOFLUSH and NOSAVE options.")]
    ReloadOption,
    /// `DEBUG RELOAD` of a file that cannot be loaded.
    #[error("ERR Error trying to load the RDB dump")]
    NotReloaded,
    /// The same from 7.0 on.
    #[error("ERR Error trying to load the RDB dump, check server logs.")]
    NotReloaded7,
    /// The client has yet to log in.
    #[error("NOAUTH Authentication required.")]
    NoAuth,
    /// A transaction some of whose commands were refused when they were queued.
    #[error("EXECABORT Transaction discarded because of previous errors.")]
    ExecAbort,
    /// A transaction that is refused as one of its commands would be.
    #[error("EXECABORT Transaction discarded because of: {0}")]
    ExecRefused(Box<str>),
    /// `EXEC` without `MULTI`.
    #[error("ERR EXEC without MULTI")]
    ExecWithoutMulti,
    /// `DISCARD` without `MULTI`.
    #[error("ERR DISCARD without MULTI")]
    DiscardWithoutMulti,
    /// `MULTI` in a transaction.
    #[error("ERR MULTI calls can not be nested")]
    NestedMulti,
    /// `WATCH` in a transaction.
    #[error("ERR WATCH inside MULTI is not allowed")]
    WatchInMulti,
    /// A command that a transaction may not contain.
    #[error("ERR Command not allowed inside a transaction")]
    NotInMulti,
    /// The result of an increment does not fit into 64 bits.
    #[error("ERR increment or decrement would overflow")]
    IncrementOverflow,
    /// The number to subtract cannot be negated.
    #[error("ERR decrement would overflow")]
    DecrementOverflow,
    /// An offset before the start of a string.
    #[error("ERR offset is out of range")]
    OffsetOutOfRange,
    /// A string that would become longer than any may be, up to 5.0.
    #[error("ERR string exceeds maximum allowed size (512MB)")]
    StringTooLong,
    /// The same from 6.2 on.
    #[error("ERR string exceeds maximum allowed size (proto-max-bulk-len)")]
    StringTooLong6,
    /// An expiry that is not after the epoch, or too late to be told, up to 5.0 and again in 6.2.
    #[error("ERR invalid expire time in {0}")]
    InvalidExpire(&'static str),
    /// The same from 7.0 on.
    #[error("ERR invalid expire time in '{0}' command")]
    InvalidExpire7(&'static str),

    // Strings, bits and HyperLogLogs.
    /// A key without a value, up to 6.2.
    #[error("ERR wrong number of arguments for MSET")]
    MsetArity,
    /// Not the position of a bit that a string may have.
    #[error("ERR bit offset is not an integer or out of range")]
    BitOffset,
    /// Neither zero nor one, where a bit is set.
    #[error("ERR bit is not an integer or out of range")]
    BitValue,
    /// Neither zero nor one, where a bit is looked for.
    #[error("ERR The bit argument must be 1 or 0.")]
    BitArgument,
    /// `BITOP NOT` of several strings.
    #[error("ERR BITOP NOT must be called with a single source key.")]
    BitopNot,
    /// Not a type of numbers that a bit field may have.
    #[error(
        "ERR Invalid bitfield type. Use something like i16 u8. Note that u64 is not supported but i64 is."
    )]
    BitfieldType,
    /// Not a way of dealing with numbers that are too large for their field.
    #[error("ERR Invalid OVERFLOW type specified")]
    BitfieldOverflow,
    /// `BITFIELD_RO` that would write.
    #[error("ERR BITFIELD_RO only supports the GET subcommand")]
    BitfieldReadOnly,
    /// `LCS` of something else than strings.
    #[error("ERR The specified keys must contain string values")]
    LcsWrongType,
    /// `LCS` with two options that exclude each other.
    #[error("ERR If you want both the length and indexes, please just use IDX.")]
    LcsLenAndIdx,
    /// `LCS` of strings that are too long together.
    #[error("ERR Insufficient memory, transient memory for LCS exceeds proto-max-bulk-len")]
    LcsTooLong,
    /// `STRALGO LCS` with strings from two sources.
    #[error("ERR Either use STRINGS or KEYS")]
    LcsStringsOrKeys,
    /// `STRALGO LCS` without strings.
    #[error("ERR Please specify two strings: STRINGS or KEYS options are mandatory")]
    LcsWithoutStrings,
    /// A string that is not a HyperLogLog.
    #[error("WRONGTYPE Key is not a valid HyperLogLog string value.")]
    NotHyperLogLog,
    /// A HyperLogLog that is damaged.
    #[error("INVALIDOBJ Corrupted HLL object detected")]
    CorruptHyperLogLog,
    /// `PFDEBUG` of no key.
    #[error("ERR The specified key does not exist")]
    PfdebugNoKey,
    /// `PFDEBUG DECODE` of a dense HyperLogLog.
    #[error("ERR HLL encoding is not sparse")]
    PfdebugNotSparse,
    /// `PFDEBUG` of several keys, up to 6.2.
    #[error("ERR Wrong number of arguments for the '{0}' subcommand")]
    PfdebugArity(Box<str>),
    /// Not a subcommand of `PFDEBUG`.
    #[error("ERR Unknown PFDEBUG subcommand '{0}'")]
    PfdebugSubcommand(Box<str>),
    /// `PFSELFTEST` found something wrong.
    #[error("TESTFAILED HyperLogLog registers are not what they were set to, or estimates are too far off")]
    PfselftestFailed,

    // Lists.
    /// An index that no entry has.
    #[error("ERR index out of range")]
    IndexOutOfRange,
    /// `LPOS` with a rank of zero, up to 6.2.
    #[error("ERR RANK can't be zero: use 1 to start from the first match, 2 from the second, ...")]
    RankZero,
    /// The same from 7.0 on.
    #[error(
        "ERR RANK can't be zero: use 1 to start from the first match, 2 from the second ... or use negative to start from the end of the list"
    )]
    RankZero7,
    /// A number that cannot be negated, where that is asked for.
    #[error("ERR value is out of range, value must between -9223372036854775807 and 9223372036854775807")]
    NotNegatable,
    /// `LPOS` with a count below zero.
    #[error("ERR COUNT can't be negative")]
    CountNegative,
    /// `LPOS` with a limit below zero.
    #[error("ERR MAXLEN can't be negative")]
    MaxLenNegative,
    /// Not a number of keys, or zero.
    #[error("ERR numkeys should be greater than 0")]
    NumKeysNotPositive,
    /// Not a number of entries or members, or zero.
    #[error("ERR count should be greater than 0")]
    CountNotPositive,
    /// Not a number of seconds, or too large, from 6.0 on.
    #[error("ERR timeout is not a float or out of range")]
    TimeoutNotAFloat,
    /// A time that cannot be told, from 7.2 on.
    #[error("ERR timeout is out of range")]
    TimeoutOutOfRange,

    // Sets.
    /// More keys announced than there are arguments.
    #[error("ERR Number of keys can't be greater than number of args")]
    TooManyKeys,
    /// A limit below zero.
    #[error("ERR LIMIT can't be negative")]
    NegativeLimit,
    /// A number outside of the command's range.
    #[error("ERR value is out of range")]
    OutOfRange,

    // Hashes.
    /// A field without a value, in 4.0 and 5.0, and in `HMSET` before.
    #[error("ERR wrong number of arguments for HMSET")]
    FieldWithoutValue,
    /// The value of a field is not an integer.
    #[error("ERR hash value is not an integer")]
    ValueNotAnInteger,
    /// The value of a field is not a number, up to 3.0.
    #[error("ERR hash value is not a valid float")]
    ValueNotAValidFloat,
    /// The same from 3.2 on.
    #[error("ERR hash value is not a float")]
    ValueNotAFloat,
    /// An increment that is no finite number, from 6.0 on.
    #[error("ERR value is NaN or Infinity")]
    NotFinite,
    /// The result of an increment is no finite number; of a hash's field from 5.0 on.
    #[error("ERR increment would produce NaN or Infinity")]
    WouldNotBeFinite,
    /// An expiry of fields before now, or before the epoch.
    #[error("ERR invalid expire time, must be >= 0")]
    NegativeExpire,
    /// The word that announces fields is not where it must be.
    #[error("ERR Mandatory argument FIELDS is missing or not at the right position")]
    FieldsMissing,
    /// A number of fields below one, where their expiry is set.
    #[error("ERR Parameter `numFields` should be greater than 0")]
    NoFieldsToExpire,
    /// A number of fields below one elsewhere.
    #[error("ERR Number of fields must be a positive integer")]
    NoFields,
    /// Another number of fields announced than there are.
    #[error("ERR The `numfields` parameter must match the number of arguments")]
    FieldCount,

    // Sorted sets and places.
    /// Only new members, and only old ones.
    #[error("ERR XX and NX options at the same time are not compatible")]
    NxWithXx,
    /// Options of `ZADD` of which at most one may be given.
    #[error("ERR GT, LT, and/or NX options at the same time are not compatible")]
    GtLtNx,
    /// `ZADD` with `INCR` and several members.
    #[error("ERR INCR option supports a single increment-element pair")]
    IncrOfMany,
    /// Infinity plus minus infinity.
    #[error("ERR resulting score is not a number (NaN)")]
    ScoreNotANumber,
    /// A limit of a range that is no score.
    #[error("ERR min or max is not a float")]
    ScoreLimit,
    /// A limit of a range that is neither of `+`, `-`, `(member` and `[member`.
    #[error("ERR min or max not valid string range item")]
    LexLimit,
    /// A part of a range of ranks.
    #[error("ERR syntax error, LIMIT is only supported in combination with either BYSCORE or BYLEX")]
    LimitByRank,
    /// A range of members, whose scores are thought to be the same.
    #[error("ERR syntax error, WITHSCORES not supported in combination with BYLEX")]
    WithScoresByLex,
    /// No sources, up to 5.0.
    #[error("ERR at least 1 input key is needed for ZUNIONSTORE/ZINTERSTORE")]
    NoInputKey5,
    /// The same in 6.2.
    #[error("ERR at least 1 input key is needed for {0}")]
    NoInputKey6(Box<str>),
    /// The same from 7.0 on.
    #[error("ERR at least 1 input key is needed for '{0}' command")]
    NoInputKey7(Box<str>),
    /// A factor of scores that is no number.
    #[error("ERR weight value is not a float")]
    Weight,
    /// A longitude and a latitude that are not both on the map.
    #[error("ERR invalid longitude,latitude pair {0:.6},{1:.6}")]
    Coordinates(f64, f64),
    /// A number of arguments that makes no places, up to 5.0.
    #[error("ERR syntax error. Try GEOADD key [x1] [y1] [name1] [x2] [y2] [name2] ... ")]
    GeoAddUsage,
    /// Not a unit of length, up to 6.2.
    #[error("ERR unsupported unit provided. please use m, km, ft, mi")]
    Unit6,
    /// The same from 7.0 on.
    #[error("ERR unsupported unit provided. please use M, KM, FT, MI")]
    Unit7,
    /// A radius that is no number.
    #[error("ERR need numeric radius")]
    Radius,
    /// A radius below zero.
    #[error("ERR radius cannot be negative")]
    RadiusNegative,
    /// A width that is no number.
    #[error("ERR need numeric width")]
    Width,
    /// A height that is no number.
    #[error("ERR need numeric height")]
    Height,
    /// A width or height below zero.
    #[error("ERR height or width cannot be negative")]
    BoxNegative,
    /// A member to search around that is not there.
    #[error("ERR could not decode requested zset member")]
    NoSuchPlace,
    /// A number of results to give that is zero or less.
    #[error("ERR COUNT must be > 0")]
    PlaceCount,
    /// More than members is wanted, but only members are stored, up to 5.0.
    #[error("ERR STORE option in GEORADIUS is not compatible with WITHDIST, WITHHASH and WITHCOORDS options")]
    StoreWith5,
    /// The same from 6.2 on.
    #[error("ERR {0} is not compatible with WITHDIST, WITHHASH and WITHCOORD options")]
    StoreWith6(&'static str),
    /// No place to search around.
    #[error("ERR exactly one of FROMMEMBER or FROMLONLAT can be specified for {0}")]
    SearchFrom(Box<str>),
    /// Nothing that says how far to search.
    #[error("ERR exactly one of BYRADIUS and BYBOX can be specified for {0}")]
    SearchBy(Box<str>),
    /// Any results, but not how many.
    #[error("ERR the ANY argument requires COUNT argument")]
    AnyWithoutCount,

    // Streams.
    /// Not an id of an entry.
    #[error("ERR Invalid stream ID specified as stream command argument")]
    InvalidStreamId,
    /// An id that is not after the last one.
    #[error("ERR The ID specified in XADD is equal or smaller than the target stream top item")]
    StreamIdNotAfterLast,
    /// The id that no entry can have.
    #[error("ERR The ID specified in XADD must be greater than 0-0")]
    StreamIdZero,
    /// There is no id after the last one.
    #[error("ERR The stream has exhausted the last possible ID, unable to add more items")]
    StreamIdsExhausted,
    /// Fields that are longer than a node can be.
    #[error("ERR Elements are too large to be stored")]
    StreamEntryTooLarge,
    /// A field without its value, or none, up to 6.2.
    #[error("ERR wrong number of arguments for XADD")]
    XaddArity,
    /// A length below zero.
    #[error("ERR The MAXLEN argument must be >= 0.")]
    TrimLenNegative,
    /// A limit below zero.
    #[error("ERR The LIMIT argument must be >= 0.")]
    TrimLimitNegative,
    /// More than one way to trim.
    #[error("ERR syntax error, MAXLEN and MINID options at the same time are not compatible")]
    TrimTwice,
    /// A limit for no trimming.
    #[error("ERR syntax error, LIMIT cannot be used without specifying a trimming strategy")]
    TrimLimitAlone,
    /// A limit for exact trimming.
    #[error("ERR syntax error, LIMIT cannot be used without the special ~ option")]
    TrimLimitExact,
    /// `XTRIM` that does not say how, up to 5.0.
    #[error("ERR XTRIM called without an option to trim the stream")]
    TrimUnspecified5,
    /// The same from 6.2 on.
    #[error("ERR syntax error, XTRIM must be called with a trimming strategy")]
    TrimUnspecified,
    /// An interval that begins after the last possible id.
    #[error("ERR invalid start ID for the interval")]
    IntervalStart,
    /// An interval that ends before the first possible id.
    #[error("ERR invalid end ID for the interval")]
    IntervalEnd,
    /// An id before that of the last entry.
    #[error("ERR The ID specified in XSETID is smaller than the target stream top item")]
    SetIdBeforeLast,
    /// An id before one that is to count as deleted.
    #[error("ERR The ID specified in XSETID is smaller than the provided max_deleted_entry_id")]
    SetIdBeforeDeleted,
    /// An id before one that was deleted, from 7.2 on.
    #[error("ERR The ID specified in XSETID is smaller than current max_deleted_entry_id")]
    SetIdBeforeOwnDeleted,
    /// Fewer entries added than there are.
    #[error("ERR The entries_added specified in XSETID is smaller than the target stream length")]
    SetIdAddedBelowLen,
    /// Fewer entries added than none.
    #[error("ERR entries_added must be positive")]
    SetIdAddedNegative,
    /// Not as many ids as keys, up to 7.0.
    #[error("ERR Unbalanced XREAD list of streams: for each stream key an ID or '$' must be specified.")]
    UnbalancedStreams,
    /// The same from 7.2 on.
    #[error("ERR Unbalanced '{0}' list of streams: for each stream key an ID or '{1}' must be specified.")]
    UnbalancedStreams7(&'static str, char),
    /// An option of `XREADGROUP` alone.
    #[error("ERR The {0} option is only supported by XREADGROUP. You called XREAD instead.")]
    OnlyWithGroup(&'static str),
    /// `XREADGROUP` without a group.
    #[error("ERR Missing GROUP option for XREADGROUP")]
    MissingGroup,
    /// An id that only `XREAD` understands.
    #[error(
        "ERR The {0} ID is meaningless in the context of XREADGROUP: you want to read the history of this consumer by specifying a proper ID, or use the > ID to get new messages. The {0} ID would just return an empty result set."
    )]
    IdWithGroup(char),
    /// The id that only `XREADGROUP` understands.
    #[error(
        "ERR The > ID can be specified only when calling XREADGROUP using the GROUP <group> <consumer> option."
    )]
    IdWithoutGroup,
    /// Nothing to read as a group from.
    #[error("NOGROUP No such key '{0}' or consumer group '{1}' in XREADGROUP with GROUP option")]
    NoGroupToRead(Box<str>, Box<str>),
    /// No such key, or group.
    #[error("NOGROUP No such key '{0}' or consumer group '{1}'")]
    NoKeyOrGroup(Box<str>, Box<str>),
    /// No such group, of a key that exists.
    #[error("NOGROUP No such consumer group '{0}' for key name '{1}'")]
    NoGroup(Box<str>, Box<str>),
    /// The group has gone meanwhile, up to 7.0.
    #[error("NOGROUP the consumer group this client was blocked on no longer exists")]
    GroupGone,
    /// The key has gone meanwhile, in 7.0.
    #[error("UNBLOCKED the stream key no longer exists")]
    StreamGone,
    /// A group's name that is taken.
    #[error("BUSYGROUP Consumer Group name already exists")]
    BusyGroup,
    /// No stream that could have groups.
    #[error(
        "ERR The XGROUP subcommand requires the key to exist. Note that for CREATE you may want to use the MKSTREAM option to create an empty stream automatically."
    )]
    NoStreamForGroup,
    /// A number of entries below zero, and not the one that stands for none.
    #[error("ERR value for ENTRIESREAD must be positive or -1")]
    EntriesReadNegative,
    /// Not a number of ms.
    #[error("ERR Invalid min-idle-time argument for {0}")]
    InvalidMinIdle(&'static str),
    /// Not a number.
    #[error("ERR Invalid {0} option argument for XCLAIM")]
    InvalidClaimOption(&'static str),
    /// An option that `XCLAIM` does not have.
    #[error("ERR Unrecognized XCLAIM option '{0}'")]
    UnrecognizedClaimOption(Box<str>),
    /// Not a number of entries.
    #[error("ERR COUNT must be > 0")]
    ClaimCount,

    // Keys of any type.
    /// A key is to be moved or copied to where it is.
    #[error("ERR source and destination objects are the same")]
    SameObject,
    /// An integer outside of the range of the argument.
    #[error("ERR value is out of range, value must between {0} and {1}")]
    NotBetween(i64, i64),
    /// Not the number of a database, as the first of two.
    #[error("ERR invalid first DB index")]
    FirstDb,
    /// The same as the second.
    #[error("ERR invalid second DB index")]
    SecondDb,
    /// Frequencies are not known unless keys are evicted by them.
    #[error(
        "ERR An LFU maxmemory policy is not selected, access frequency not tracked. Please note that when switching between policies at runtime LRU and LFU data will take some time to adjust."
    )]
    NotLfu,
    /// Times of access are not known while keys are evicted by their frequencies.
    #[error(
        "ERR An LFU maxmemory policy is selected, idle time not tracked. Please note that when switching between policies at runtime LRU and LFU data will take some time to adjust."
    )]
    Lfu,
    /// Conditions of an expiry that exclude each other.
    #[error("ERR NX and XX, GT or LT options at the same time are not compatible")]
    ExpiryNxAndOthers,
    /// The same.
    #[error("ERR GT and LT options at the same time are not compatible")]
    ExpiryGtAndLt,
    /// A condition of an expiry that there is not.
    #[error("ERR Unsupported option {0}")]
    UnsupportedOption(Box<str>),
    /// Not a place in an iteration.
    #[error("ERR invalid cursor")]
    InvalidCursor,
    /// `RESTORE` with a time to live below zero.
    #[error("ERR Invalid TTL value, must be >= 0")]
    NegativeTtl,
    /// `RESTORE` with an idle time below zero.
    #[error("ERR Invalid IDLETIME value, must be >= 0")]
    NegativeIdleTime,
    /// `RESTORE` with a frequency that no key has.
    #[error("ERR Invalid FREQ value, must be >= 0 and <= 255")]
    NotAFrequency,
    /// `RESTORE` to a key that exists.
    #[error("BUSYKEY Target key name already exists.")]
    BusyKey,
    /// A payload of a later release, or one that has been damaged on its way.
    #[error("ERR DUMP payload version or checksum are wrong")]
    BadPayload,
    /// A payload that holds no value.
    #[error("ERR Bad data format")]
    BadData,
    /// Only hashes have values that could be left out.
    #[error("ERR NOVALUES option can only be used in HSCAN")]
    NoValuesElsewhere,
    /// Elements to be sorted, or what they are sorted by, that are no numbers.
    #[error("ERR One or more scores can't be converted into double")]
    NotSortable,

    // Configuration and diagnosis.
    /// A number of entries that is not one, from 7.0 on.
    #[error("ERR count should be greater than or equal to -1")]
    CountBelowMinusOne,
    /// A name that is not a command's, in a request that is only looked at.
    #[error("ERR Invalid command specified")]
    NoSuchCommand,
    /// A request, only looked at, of a command without keys.
    #[error("ERR The command has no key arguments")]
    NoKeyArguments,
    /// A request, only looked at, with more or fewer arguments than the command takes.
    #[error("ERR Invalid number of arguments specified for command")]
    InvalidNumberOfArguments,
    /// A request, only looked at, whose keys cannot be found.
    #[error("ERR Invalid arguments specified for command")]
    InvalidArguments,
    /// An event of which there are no samples.
    #[error("ERR No samples available for event '{0}'")]
    NoSamples(Box<str>),
    /// `SHUTDOWN ABORT` while the server does not end.
    #[error("ERR No shutdown in progress.")]
    NoShutdown,
    /// A shutdown that cannot save, as it should.
    #[error("ERR Errors trying to SHUTDOWN. Check logs.")]
    ShutdownFailed,
    /// `DEBUG` where the configuration does not allow it.
    #[error(
        "ERR DEBUG command not allowed. If the enable-debug-command option is set to \"local\", you can run it from a local connection, otherwise you need to set this option in the configuration file, and then restart the server."
    )]
    DebugNotAllowed,
    /// A subcommand of `DEBUG` that needs what is not there yet.
    #[error("ERR DEBUG {0} is not supported yet")]
    DebugUnsupported(Box<str>),
    /// `DEBUG HTSTATS` of a database that is not configured.
    #[error("ERR Out of range database")]
    DebugDbOutOfRange,
    /// `DEBUG` of a value that is stored in another way.
    #[error("ERR Not {0} encoded object.")]
    NotEncodedAs(&'static str),
    /// The same for a ziplist.
    #[error("ERR Not an sds encoded string.")]
    NotASds,
    /// The same for a hash table.
    #[error("ERR The value stored at the specified key is not represented using an hash table")]
    NotAHashTable,
    /// Not a number of bytes, or too large.
    #[error("ERR argument must be a memory value bigger than 1 and smaller than 4gb")]
    PackedThreshold,
    /// Not a type of replies.
    #[error(
        "ERR Wrong protocol type name. Please use one of the following: string|integer|double|bignum|null|array|set|map|attrib|push|verbatim|true|false"
    )]
    ProtocolType,
    /// A reply that RESP2 cannot express.
    #[error("ERR RESP2 is not supported by this command")]
    OnlyResp3,
    /// `DEBUG` without a subcommand, in 4.0.
    #[error("ERR You must specify a subcommand for DEBUG. Try DEBUG HELP for info.")]
    DebugWithoutSubcommand,
    /// A parameter that does not exist or cannot be set, up to 6.2.
    #[error("ERR Unsupported CONFIG parameter: {0}")]
    UnknownParameter(Box<str>),
    /// A parameter that does not exist, from 7.0 on.
    #[error("ERR Unknown option or number of arguments for CONFIG SET - '{0}'")]
    UnknownParameter7(Box<str>),
    /// A value that a parameter does not take: the value, and the parameter.
    #[error("ERR Invalid argument '{0}' for CONFIG SET '{1}'")]
    ConfigSet(Box<str>, Box<str>),
    /// The same in 6.2, where it says why.
    #[error("ERR Invalid argument '{0}' for CONFIG SET '{1}' - {2}")]
    ConfigSetReason(Box<str>, Box<str>, BadValue),
    /// The same from 7.0 on: the parameter, and why.
    #[error("ERR CONFIG SET failed (possibly related to argument '{0}') - {1}")]
    ConfigSetFailed(Box<str>, BadValue),
    /// A value that the node cannot bring about, up to 5.0.
    #[error("ERR {0}")]
    ConfigUnable(BadValue),
    /// `CONFIG SET dir` of what cannot be entered, up to 6.2.
    #[error("ERR Changing directory: {0}")]
    Directory(BadValue),
    /// There is no file to write the configuration to.
    #[error("ERR The server is running without a config file")]
    NoConfigFile,

    // Connections, clients, channels.
    /// The number of a database that is not configured, up to 3.2.
    #[error("ERR invalid DB index")]
    InvalidDb,
    /// A password where none is configured, up to 5.0.
    #[error("ERR Client sent AUTH, but no password is set")]
    NoPasswordSet,
    /// The same from 6.0 on.
    #[error(
        "ERR AUTH <password> called without any password configured for the default user. Are you sure your configuration is correct?"
    )]
    NoPasswordConfigured,
    /// A wrong password, up to 5.0.
    #[error("ERR invalid password")]
    InvalidPassword,
    /// A wrong user or password, from 6.0 on.
    #[error("WRONGPASS invalid username-password pair or user is disabled.")]
    WrongPassword,
    /// `HELLO` before the client has logged in.
    #[error(
        "NOAUTH HELLO must be called with the client already authenticated, otherwise the HELLO <proto> AUTH <user> <pass> option can be used to authenticate the client and select the RESP protocol version at the same time"
    )]
    HelloNoAuth,
    /// Not the number of a protocol.
    #[error("ERR Protocol version is not an integer or out of range")]
    NotAProtocol,
    /// A protocol that is not spoken here.
    #[error("NOPROTO unsupported protocol version")]
    UnsupportedProtocol,
    /// An option of `HELLO` that is incomplete or unknown.
    #[error("ERR Syntax error in HELLO option '{0}'")]
    HelloOption(Box<str>),
    /// A name that would not show well in a list.
    #[error("ERR Client names cannot contain spaces, newlines or special characters.")]
    ClientName,
    /// The same for what `CLIENT SETINFO` sets.
    #[error("ERR {0} cannot contain spaces, newlines or special characters.")]
    ClientAttribute(Box<str>),
    /// No client has this address.
    #[error("ERR No such client")]
    NoSuchClient,
    /// No client has this user.
    #[error("ERR No such user '{0}'")]
    NoSuchUser(Box<str>),
    /// Not the number of a client.
    #[error("ERR client-id should be greater than 0")]
    ClientId,
    /// Not the number of a client, in a list of them.
    #[error("ERR Invalid client ID")]
    InvalidClientId,
    /// Not a kind of client.
    #[error("ERR Unknown client type '{0}'")]
    ClientType(Box<str>),
    /// Not a number of ms, or too large.
    #[error("ERR timeout is not an integer or out of range")]
    TimeoutNotAnInteger,
    /// A number of ms below zero.
    #[error("ERR timeout is negative")]
    TimeoutNegative,
    /// An option that the command does not have.
    #[error("ERR Unrecognized option '{0}'")]
    UnrecognizedOption(Box<str>),
    /// A command that a RESP2 client may not send while it listens, up to 5.0.
    #[error("ERR only (P)SUBSCRIBE / (P)UNSUBSCRIBE / PING / QUIT allowed in this context")]
    Subscribed5,
    /// The same in 6.2.
    #[error(
        "ERR Can't execute '{0}': only (P)SUBSCRIBE / (P)UNSUBSCRIBE / PING / QUIT / RESET are allowed in this context"
    )]
    Subscribed6(Box<str>),
    /// The same from 7.0 on.
    #[error(
        "ERR Can't execute '{0}': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / RESET are allowed in this context"
    )]
    Subscribed7(Box<str>),
    /// A client that sees all commands may not send others.
    #[error("ERR Replica can't interact with the keyspace")]
    Monitoring,
    /// Scripts, which are not there yet.
    #[error("ERR scripts are not supported yet")]
    ScriptsUnsupported,
    /// Tracking of keys, which is not there yet.
    #[error("ERR client tracking is not supported yet")]
    TrackingUnsupported,
    /// `CLIENT CACHING` without tracking.
    #[error(
        "ERR CLIENT CACHING can be called only when the client is in tracking mode with OPTIN or OPTOUT mode enabled"
    )]
    CachingWithoutTracking,
    /// `MONITOR` in a transaction, from 6.2 on.
    #[error("ERR MONITOR isn't allowed for DENY BLOCKING client")]
    MonitorInMulti,
    /// Not a kind of pause.
    #[error("ERR CLIENT PAUSE mode must be WRITE or ALL")]
    PauseMode,
    /// Neither of the two ways to unblock a client.
    #[error("ERR CLIENT UNBLOCK reason should be TIMEOUT or ERROR")]
    UnblockReason,
    /// A blocked client is unblocked by `CLIENT UNBLOCK ... ERROR`.
    #[error("UNBLOCKED client unblocked via CLIENT UNBLOCK")]
    Unblocked,
    /// `REPLICAOF` while the node hands over.
    #[error("ERR REPLICAOF not allowed while failing over.")]
    FailingOver,
    /// `FAILOVER ABORT` without a failover.
    #[error("ERR No failover in progress.")]
    NoFailover,
    /// `FAILOVER` with a time that is none.
    #[error("ERR FAILOVER timeout must be greater than 0")]
    FailoverTimeout,
    /// `FAILOVER` during another.
    #[error("ERR FAILOVER already in progress.")]
    FailoverGoesOn,
    /// `FAILOVER` of a replica.
    #[error("ERR FAILOVER is not valid when server is a replica.")]
    FailoverOfReplica,
    /// `FAILOVER` without replicas.
    #[error("ERR FAILOVER requires connected replicas.")]
    FailoverWithoutReplicas,
    /// `FAILOVER ... FORCE` without a time after which it is forced, and upon whom.
    #[error("ERR FAILOVER with force option requires both a timeout and target HOST and IP.")]
    FailoverForce,
    /// `FAILOVER TO` somebody else.
    #[error("ERR FAILOVER target HOST and PORT is not a replica.")]
    FailoverTarget,
    /// `FAILOVER TO` a replica that does not follow yet.
    #[error("ERR FAILOVER target replica is not online.")]
    FailoverTargetOffline,
    /// `FAILOVER` in a cluster.
    #[error("ERR FAILOVER not allowed in cluster mode. Use CLUSTER FAILOVER command instead.")]
    FailoverInCluster,
    /// A request to become the master, to one that is a master.
    #[error("ERR PSYNC FAILOVER can't be sent to a master.")]
    HandedToMaster,
    /// A request to become the master, from somebody else than the master.
    #[error("ERR PSYNC FAILOVER replid must match my replid.")]
    HandedByStranger,
    /// `WAIT` on a replica, up to 4.0.
    #[error(
        "ERR WAIT cannot be used with slave instances. Please also note that since Redis 4.0 if a slave is configured to be writable (which is not the default) writes to slaves are just local and are not propagated."
    )]
    WaitOnReplica4,
    /// The same from 5.0 on.
    #[error(
        "ERR WAIT cannot be used with replica instances. Please also note that since Redis 4.0 if a replica is configured to be writable (which is not the default) writes to replicas are just local and are not propagated."
    )]
    WaitOnReplica,
    /// `WAITAOF` on a replica.
    #[error(
        "ERR WAITAOF cannot be used with replica instances. Please also note that writes to replicas are just local and are not propagated."
    )]
    WaitAofOnReplica,
    /// `WAITAOF` for a file that there is not.
    #[error("ERR WAITAOF cannot be used when numlocal is set but appendonly is disabled.")]
    WaitAofWithoutFile,
    /// A client that waited when its master became a replica.
    #[error("UNBLOCKED force unblock from blocking operation, instance state changed (master -> replica?)")]
    RoleChanged,
    /// Not a port.
    #[error("ERR Invalid master port")]
    MasterPort,
    /// A command that a replica's connection may not send.
    #[error("ERR Command is not valid when client is a replica.")]
    OfReplica,
    /// A write that needs more replicas than there are, up to 4.0.
    #[error("NOREPLICAS Not enough good slaves to write.")]
    TooFewReplicas4,
    /// The same from 5.0 on.
    #[error("NOREPLICAS Not enough good replicas to write.")]
    TooFewReplicas,
    /// A write to a replica, up to 4.0.
    #[error("READONLY You can't write against a read only slave.")]
    ReadOnly4,
    /// The same from 5.0 on.
    #[error("READONLY You can't write against a read only replica.")]
    ReadOnly,
    /// A transaction that would write to a replica, up to 4.0.
    #[error("ERR Transaction contains write commands but instance is now a read-only slave. EXEC aborted.")]
    ReadOnlyExec4,
    /// The same in 5.0.
    #[error("ERR Transaction contains write commands but instance is now a read-only replica. EXEC aborted.")]
    ReadOnlyExec,
    /// A replica that has lost its master, and tells nothing that may be old, up to 4.0.
    #[error("MASTERDOWN Link with MASTER is down and slave-serve-stale-data is set to 'no'.")]
    MasterDown4,
    /// The same from 5.0 on.
    #[error("MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.")]
    MasterDown,
    /// An option of `REPLCONF` that there is not.
    #[error("ERR Unrecognized REPLCONF option: {0}")]
    ReplconfOption(Box<str>),
    /// A part that snapshots do not have.
    #[error("ERR Unsupported rdb-filter-only option: {0}")]
    SnapshotFilter(Box<str>),
    /// An address that is too long to be one.
    #[error("ERR REPLCONF ip-address provided by replica instance is too long: {0} bytes")]
    ReplicaAddress(usize),
    /// A replica asks for a stream that the node does not get itself.
    #[error("NOMASTERLINK Can't SYNC while not connected with my master")]
    NoMasterLink,

    // Clusters.
    /// Another node serves the slot: the slot, the host, the port.
    #[error("MOVED {0} {1}:{2}")]
    Moved(u16, Box<str>, u16),
    /// The key has left for another node already, but not yet all of the slot.
    #[error("ASK {0} {1}:{2}")]
    Ask(u16, Box<str>, u16),
    /// Keys of different slots.
    #[error("CROSSSLOT Keys in request don't hash to the same slot")]
    CrossSlot,
    /// Some of the keys are here and others are not, while their slot moves.
    #[error("TRYAGAIN Multiple keys request during rehashing of slot")]
    TryAgain,
    /// Nobody serves the slot.
    #[error("CLUSTERDOWN Hash slot not served")]
    SlotNotServed,
    /// Some slots are not served, and therefore none is.
    #[error("CLUSTERDOWN The cluster is down")]
    ClusterDown,
    /// The same, but reads are served.
    #[error("CLUSTERDOWN The cluster is down and only accepts read commands")]
    ClusterReadsOnly,
    /// The node is not one of a cluster.
    #[error("ERR This instance has cluster support disabled")]
    ClusterDisabled,
    /// Nodes of a cluster have one database.
    #[error("ERR {0} is not allowed in cluster mode")]
    NotInCluster(&'static str),
    /// Nodes of a cluster get their masters by `CLUSTER REPLICATE`; before 5.0.
    #[error("ERR SLAVEOF not allowed in cluster mode.")]
    SlaveOfInCluster,
    /// Nodes of a cluster get their masters by `CLUSTER REPLICATE`.
    #[error("ERR REPLICAOF not allowed in cluster mode.")]
    ReplicaOfInCluster,
    /// `COPY` to another database.
    #[error("ERR Copying to another database is not allowed in cluster mode")]
    CopyInCluster,
    /// `SORT` by keys that may be anywhere, up to 7.0.
    #[error("ERR {0} option of SORT denied in Cluster mode.")]
    SortInCluster(&'static str),
    /// The same from 7.4 on, where the slot may be known.
    #[error(
        "ERR {0} option of SORT denied in cluster mode when keys formed by the pattern may be in different slots."
    )]
    SortInCluster7(&'static str),
    /// Not a slot.
    #[error("ERR Invalid or out of range slot")]
    NotASlot,
    /// Not a slot whose keys can be counted.
    #[error("ERR Invalid slot")]
    InvalidSlot,
    /// Not a slot, or a number of keys below zero.
    #[error("ERR Invalid slot or number of keys")]
    InvalidSlotOrCount,
    /// Somebody serves the slot.
    #[error("ERR Slot {0} is already busy")]
    SlotBusy(u16),
    /// Nobody serves the slot.
    #[error("ERR Slot {0} is already unassigned")]
    SlotUnassigned(u16),
    /// A slot that is given twice.
    #[error("ERR Slot {0} specified multiple times")]
    SlotTwice(u16),
    /// A range whose end comes first.
    #[error("ERR start slot number {0} is greater than end slot number {1}")]
    SlotRange(u16, u16),
    /// The node does not serve the slot.
    #[error("ERR I'm not the owner of hash slot {0}")]
    NotSlotOwner(u16),
    /// The node serves the slot.
    #[error("ERR I'm already the owner of hash slot {0}")]
    IsSlotOwner(u16),
    /// `CLUSTER SETSLOT` between nodes of which one is not known.
    #[error("ERR I don't know about node {0}")]
    DoNotKnowNode(Box<str>),
    /// No node that is known has this id.
    #[error("ERR Unknown node {0}")]
    UnknownNode(Box<str>),
    /// Slots go to masters.
    #[error("ERR Target node is not a master")]
    TargetNotMaster,
    /// Slots are set on masters.
    #[error("ERR Please use SETSLOT only with masters.")]
    SetSlotOnReplica,
    /// A slot is given away while its keys are here.
    #[error("ERR Can't assign hashslot {0} to a different node while I still hold keys for this hash slot.")]
    SlotHasKeys(u16),
    /// `CLUSTER SETSLOT` with another word, before 5.0.
    #[error("ERR Invalid CLUSTER SETSLOT action or number of arguments")]
    SetSlotAction4,
    /// `CLUSTER SETSLOT` with another word.
    #[error("ERR Invalid CLUSTER SETSLOT action or number of arguments. Try CLUSTER HELP")]
    SetSlotAction,
    /// A node cannot forget itself.
    #[error("ERR I tried hard but I can't forget myself...")]
    ForgetMyself,
    /// A replica cannot forget its master.
    #[error("ERR Can't forget my master!")]
    ForgetMyMaster,
    /// A node cannot repeat its own changes.
    #[error("ERR Can't replicate myself")]
    ReplicateMyself,
    /// Replicas repeat the changes of masters.
    #[error("ERR I can only replicate a master, not a replica.")]
    ReplicateReplica,
    /// A master that has something to serve does not become a replica.
    #[error("ERR To set a master the node must be empty and without assigned slots.")]
    ReplicateWithSlots,
    /// Replicas are a master's.
    #[error("ERR The specified node is not a master")]
    NodeNotMaster,
    /// Only replicas take over; before 5.0.
    #[error("ERR You should send CLUSTER FAILOVER to a slave")]
    FailoverOnMaster4,
    /// Only replicas take over.
    #[error("ERR You should send CLUSTER FAILOVER to a replica")]
    FailoverOnMaster,
    /// A replica takes over from a master that it does not reach only if it is forced to.
    #[error("ERR Master is down or failed, please use CLUSTER FAILOVER FORCE")]
    FailoverWithoutMaster,
    /// `CLUSTER FLUSHSLOTS` with keys.
    #[error("ERR DB must be empty to perform CLUSTER FLUSHSLOTS.")]
    FlushSlotsWithKeys,
    /// `CLUSTER RESET` with keys.
    #[error("ERR CLUSTER RESET can't be called with master nodes containing keys")]
    ResetWithKeys,
    /// Not an epoch.
    #[error("ERR Invalid config epoch specified: {0}")]
    InvalidEpoch(i64),
    /// The node has an epoch.
    #[error("ERR Node config epoch is already non-zero")]
    EpochIsSet,
    /// The epoch of nodes that know each other is not for one of them to choose.
    #[error("ERR The user can assign a config epoch only when the node does not know any other node.")]
    EpochNotAlone,
    /// Not a port.
    #[error("ERR Invalid {0} port specified: {1}")]
    InvalidPort(&'static str, Box<str>),
    /// Not an address.
    #[error("ERR Invalid node address specified: {0}:{1}")]
    InvalidNodeAddress(Box<str>, Box<str>),
    /// A node that is none of this instance.
    #[error("ERR nodes of a cluster meet only those of their own instance: none of them listens on port {0}")]
    CannotMeet(u16),

    // Keys that go to another server.
    /// Keys are given twice.
    #[error("ERR When using MIGRATE KEYS option, the key argument must be set to the empty string")]
    MigrateKeys,
    /// The other server refuses.
    #[error("ERR Target instance replied with error: {0}")]
    Target(Box<str>),
    /// The other server cannot be reached.
    #[error("IOERR error or timeout writing to target instance")]
    TargetWriting,
    /// The other server does not answer.
    #[error("IOERR error or timeout reading to target instance")]
    TargetReading,
    /// `MIGRATE` in a transaction.
    #[error("ERR MIGRATE is not supported in a transaction")]
    MigrateInMulti,

    /// The work is too long to be done while others wait: it is to be done elsewhere. Clients never see this.
    #[error("ERR the command was to be run elsewhere")]
    Offload,
}

impl CommandError {
    /// Whether it says by itself that a transaction has been given up.
    pub(crate) fn is_of_exec(&self) -> bool {
        matches!(self, CommandError::ReadOnlyExec4 | CommandError::ReadOnlyExec)
    }

    /// The error for a command that a release does not have, quoting the beginning of the request.
    pub(crate) fn unknown_command<'a>(
        release: Release,
        name: &[u8],
        args: impl Iterator<Item = &'a [u8]>,
    ) -> CommandError {
        let lossless = |bytes: &[u8], most: usize| -> String {
            // Bytes go out as they came in, up to a zero; a reply is not text.
            bytes.iter().take(most).take_while(|&&byte| byte != 0).map(|&byte| char::from(byte)).collect()
        };
        let text = match release {
            Release::V3_0 => format!("ERR unknown command '{}'", lossless(name, 128)),
            _ => {
                let quote = if release >= Release::V7_0 { ('\'', '\'') } else { ('`', '`') };
                let mut list = String::new();
                for arg in args {
                    let room = 128usize.saturating_sub(list.chars().count());
                    if room == 0 {
                        break;
                    }
                    list.push(quote.0);
                    list.push_str(&lossless(arg, room));
                    list.push(quote.1);
                    list.push_str(if release >= Release::V7_0 { " " } else { ", " });
                }
                format!(
                    "ERR unknown command {}{}{}, with args beginning with: {list}",
                    quote.0,
                    lossless(name, 128),
                    quote.1
                )
            }
        };
        CommandError::UnknownCommand(text.into())
    }

    /// The error for a subcommand that a container does not have.
    pub(crate) fn unknown_subcommand(release: Release, container: &Command, name: &[u8]) -> CommandError {
        let (name, container_name) = quoted(container, name);
        if release >= Release::V7_0 {
            return CommandError::UnknownSubcommand(name, container_name);
        }
        match container.refusal(release) {
            Refusal::Quoted => CommandError::RefusedQuoted(name, container_name),
            Refusal::QuotedOpen => CommandError::RefusedQuotedOpen(name, container_name),
            Refusal::QuotedLower => CommandError::RefusedQuotedLower(name, container_name),
            Refusal::Named => CommandError::RefusedNamed(name, container_name),
            Refusal::Hash(hint) => CommandError::RefusedHash(container_name, hint),
            Refusal::Plain => CommandError::RefusedPlain,
            Refusal::Bare => CommandError::Syntax,
            Refusal::Syntax => CommandError::RefusedSyntax(container_name),
            Refusal::List(list) => CommandError::RefusedList(list, container_name),
            Refusal::Lists(list) => CommandError::RefusedLists(list, container_name),
            Refusal::OneOf(list) => CommandError::RefusedOneOf(list, container_name),
            Refusal::Wrong => CommandError::RefusedWrong(container_name),
        }
    }

    /// The error for a subcommand that a container has, but not with so many arguments, before 7.0.
    pub(crate) fn subcommand_number(release: Release, container: &Command, name: &[u8]) -> CommandError {
        match container.refusal(release) {
            Refusal::OneOf(_) => {
                let (name, container_name) = quoted(container, name);
                CommandError::RefusedNumber(name, container_name)
            }
            _ => CommandError::unknown_subcommand(release, container, name),
        }
    }

    /// The error for a value that a parameter does not take; the client wrote both so.
    pub(crate) fn bad_value(release: Release, name: &[u8], value: &[u8], reason: BadValue) -> CommandError {
        let (name, value) = (printed(name), printed(value));
        match release {
            Release::V7_0 | Release::V7_4 => CommandError::ConfigSetFailed(name, reason),
            _ if matches!(reason, BadValue::NoDirectory(_)) => CommandError::Directory(reason),
            Release::V6_2 if reason.is_told_by_6_2() => CommandError::ConfigSetReason(value, name, reason),
            Release::V6_2 => CommandError::ConfigSet(value, name),
            _ if reason.is_inability() => CommandError::ConfigUnable(reason),
            _ => CommandError::ConfigSet(value, name),
        }
    }

    /// The error for a parameter that does not exist, or cannot be set in a release before 7.0.
    pub(crate) fn unknown_parameter(release: Release, name: &[u8]) -> CommandError {
        if release >= Release::V7_0 {
            CommandError::UnknownParameter7(printed(name))
        } else {
            CommandError::UnknownParameter(printed(name))
        }
    }

    /// The error for a subcommand whose arguments are more, or fewer, than it can make sense of.
    pub(crate) fn subcommand_arguments(release: Release, container: &Command, name: &[u8]) -> CommandError {
        if release >= Release::V7_0 {
            let (name, container_name) = quoted(container, name);
            return CommandError::SubcommandArguments(name, container_name);
        }
        CommandError::unknown_subcommand(release, container, name)
    }

    /// The error of a transaction that is refused for this one, which is told without the code that all have.
    pub(crate) fn of_exec(&self) -> CommandError {
        let text = self.to_string();
        CommandError::ExecRefused(text.strip_prefix("ERR ").unwrap_or(&text).into())
    }

    /// The error's bytes as they go over the wire: characters are bytes, since clients' bytes may be quoted.
    pub(crate) fn to_wire(&self) -> Vec<u8> {
        self.to_string().chars().map(|char| char as u32 as u8).collect()
    }
}

/// A client's bytes as they are quoted: up to the first zero.
pub(crate) fn printed(bytes: &[u8]) -> Box<str> {
    let text: String = bytes.iter().take_while(|&&byte| byte != 0).map(|&byte| char::from(byte)).collect();
    text.into()
}

/// The names of a subcommand, as the client wrote it, and of its container, for quoting.
fn quoted(container: &Command, name: &[u8]) -> (Box<str>, Box<str>) {
    (printed(&name[..name.len().min(128)]), container.name.to_ascii_uppercase().into())
}

impl From<structures::hll::Corrupt> for CommandError {
    fn from(_: structures::hll::Corrupt) -> Self {
        CommandError::CorruptHyperLogLog
    }
}

/// What the system says is wrong, as it says it.
pub(crate) fn of_system(error: &std::io::Error) -> String {
    let text = error.to_string();
    text.split(" (os error").next().unwrap_or_default().to_owned()
}

/// Why a parameter does not take a value.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadValue {
    /// Neither `yes` nor `no`.
    #[error("argument must be 'yes' or 'no'")]
    NotASwitch,
    /// Not an integer of 64 bits.
    #[error("argument couldn't be parsed into an integer")]
    NotAnInteger,
    /// A number outside its bounds.
    #[error("argument must be between {0} and {1} inclusive")]
    OutOfRange(i128, i128),
    /// Not a number of bytes.
    #[error("argument must be a memory value")]
    NotMemory,
    /// Neither a number of bytes nor a percentage.
    #[error("argument must be a memory or percent value")]
    NotMemoryOrPercent,
    /// More than all of it.
    #[error("percentage argument must be less or equal to 100")]
    TooManyPercent,
    /// Not an octal number.
    #[error("argument couldn't be parsed as an octal number")]
    NotOctal,
    /// None of these words, up to 6.2.
    #[error("argument must be one of the following: {0}")]
    NotOneOf(Box<str>),
    /// The same from 7.0 on.
    #[error("argument(s) must be one of the following: {0}")]
    NotOneOf7(Box<str>),
    /// Not a letter of an event class.
    #[error("Invalid event class character. Use 'Ag$lshzxeKEtmdn'.")]
    NotAnEventClass,
    /// Limits of replies that are not four words each.
    #[error("Wrong number of arguments in buffer limit configuration.")]
    BufferLimitWords,
    /// A limit for clients of no known class.
    #[error("Invalid client class specified in buffer limit configuration.")]
    BufferLimitClass,
    /// A limit that is not a number.
    #[error("Error in hard, soft or soft_seconds setting in buffer limit configuration.")]
    BufferLimitNumber,
    /// Not pairs of seconds and changes.
    #[error("Invalid save parameters")]
    SavePoints,
    /// Not three numbers.
    #[error("wrong number of arguments")]
    OomScoreWords,
    /// Not what the system takes.
    #[error("Invalid oom-score-adj-values, elements must be between -2000 and 2000.")]
    OomScore,
    /// Not numbers.
    #[error("Invalid latency-tracking-info-percentiles parameters")]
    Percentiles,
    /// Not parts of a hundred.
    #[error("latency-tracking-info-percentiles parameters should sit between [0.0,100.0]")]
    PercentileOutOfRange,
    /// A host name with other characters than they have.
    #[error("Hostnames may only contain alphanumeric characters, hyphens or dots")]
    HostName,
    /// A host name that is too long.
    #[error("Hostnames must be less than 256 characters")]
    HostNameTooLong,
    /// Not where a master could listen.
    #[error("argument must be a host and a port")]
    Master,
    /// A title with a variable that is not known.
    #[error("template format is invalid or contains unknown variables")]
    Title,
    /// Not a command and a name.
    #[error("wrong number of arguments")]
    Rename,
    /// Only when the node starts.
    #[error("can't set immutable config")]
    Immutable,
    /// Only with `enable-protected-configs`.
    #[error("can't set protected config")]
    Protected,
    /// A parameter that is given twice.
    #[error("duplicate parameter")]
    Duplicate,
    /// A name with folders in it.
    #[error("dbfilename can't be a path, just a filename")]
    NotAFileName,
    /// A directory that cannot be entered.
    #[error("{0}")]
    NoDirectory(Box<str>),
    /// The allocator needs no defragmentation from outside.
    #[error(
        "Active defragmentation cannot be enabled: it requires a Redis server compiled with a modified Jemalloc like the one shipped by default with the Redis source distribution"
    )]
    NoDefragmentation,
    /// There is no TLS.
    #[error("Unable to update TLS configuration. Check server logs.")]
    NoTls,
    /// A node stays on its port.
    #[error("Unable to listen on this port. Check server logs.")]
    CannotListen,
    /// A node stays on its address.
    #[error("Failed to bind to specified addresses.")]
    CannotBind,
}

impl BadValue {
    /// None of these words.
    pub(crate) fn not_one_of(release: Release, words: &[&str]) -> BadValue {
        let list = words.join(", ").into();
        if release >= Release::V7_0 { BadValue::NotOneOf7(list) } else { BadValue::NotOneOf(list) }
    }

    /// Whether the value makes sense, but not here: up to 5.0 the reason is all that is answered.
    pub(crate) fn is_inability(&self) -> bool {
        matches!(
            self,
            BadValue::NotAFileName
                | BadValue::NoDirectory(_)
                | BadValue::NoDefragmentation
                | BadValue::NoTls
                | BadValue::CannotListen
                | BadValue::CannotBind
        )
    }

    /// Whether 6.2 gives the reason: not where a parameter has a form of its own.
    fn is_told_by_6_2(&self) -> bool {
        !matches!(
            self,
            BadValue::NotAnEventClass
                | BadValue::BufferLimitWords
                | BadValue::BufferLimitClass
                | BadValue::BufferLimitNumber
                | BadValue::SavePoints
        )
    }
}

impl From<keyspace::WrongType> for CommandError {
    fn from(_: keyspace::WrongType) -> Self {
        CommandError::WrongType
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_quoted_ends_at_a_zero_byte_and_is_counted_in_bytes() {
        let unknown = |release, args: &[&[u8]]| {
            CommandError::unknown_command(release, b"no\0such", args.iter().copied()).to_wire()
        };
        assert_eq!(unknown(Release::V3_0, &[]), b"ERR unknown command 'no'");
        assert_eq!(
            unknown(Release::V7_0, &[b"\0\xff", b"a\xffb\0c"]),
            b"ERR unknown command 'no', with args beginning with: '' 'a\xffb' "
        );
        let long = unknown(Release::V7_0, &[&[0xFF; 100], &[0xFF; 100]]);
        assert_eq!(
            long.iter().filter(|byte| **byte == 0xFF).count(),
            125,
            "three bytes are quotes and a space"
        );
    }
}
