//! The options: one record each, from which the command line, the environment, the configuration file, the help and
//! `docs/configuration.md` follow.
//!
//! The option `data-dir` is the flag `--data-dir`, the variable `CARNELIAN_DATA_DIR` and the key `data-dir` of the
//! file. Options of one command alone carry its name: `carnelian redis --port` is `CARNELIAN_REDIS_PORT` and `port`
//! in the table `[redis]`. A flag wins over the environment, that over the file, that over the default.
//!
//! Invariants:
//! - A default is the text in the record and goes the way of every other value; a test sets all of them.
//! - A variable that is empty counts as not set.
//! - Every mistake is one line that says which option it is and what is allowed.

use std::ffi::OsString;
use std::fmt::Write;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};

use anyhow::{Context, anyhow, bail};
use cloud::engine::Release;
use cloud::task::Profile;
use lexopt::{Arg, Parser, ValueExt};
use tracing_subscriber::EnvFilter;

use crate::policies::{self, Policies};
use crate::users::{self, Groups, Users};

/// What the program is asked to do.
#[derive(Debug)]
pub(crate) enum Invocation {
    /// To run a command.
    Run(Command, Box<Settings>),
    /// To print this.
    Print(String),
}

/// The commands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Command {
    /// Everything: the REST interfaces and their instances. Runs where no other command is named.
    Serve,
    /// A bare Redis node.
    Redis,
    /// A bare Memcached node.
    Memcached,
    /// Asks a server whether it is ready.
    Healthcheck,
}

/// What all options together say. Options of other commands have their defaults.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Settings {
    pub(crate) listen: SocketAddr,
    pub(crate) tls: Tls,
    pub(crate) data_dir: PathBuf,
    /// `None` is the directory `buckets` in that of the data.
    pub(crate) buckets: Option<PathBuf>,
    pub(crate) ephemeral: bool,
    /// Whether clients of instances know the commands that the cloud withholds.
    pub(crate) all_commands: bool,
    pub(crate) base_port: u16,
    pub(crate) bind: IpAddr,
    pub(crate) advertise: Option<String>,
    threads: usize,
    pub(crate) region: String,
    /// `None` is the project with the region's name.
    pub(crate) project: Option<String>,
    pub(crate) domain: String,
    pub(crate) user: String,
    pub(crate) password: String,
    pub(crate) access_key: String,
    pub(crate) secret_key: String,
    /// Whether credentials are looked at.
    pub(crate) auth: bool,
    /// Projects beside the first, by their names.
    pub(crate) projects: Vec<String>,
    /// Users beside the administrator.
    pub(crate) users: Users,
    /// The groups that users are in.
    pub(crate) groups: Groups,
    /// What policies say that users have.
    pub(crate) policies: Policies,
    pub(crate) tasks: Profile,
    pub(crate) quota_instances: u32,
    pub(crate) quota_memory_gb: u32,
    /// What the account of CRS has, in CNY.
    pub(crate) balance_cny: u32,
    pub(crate) log: String,
    pub(crate) port: u16,
    pub(crate) release: Release,
    /// Parameters of a bare node, in the order given.
    pub(crate) config: Vec<(String, String)>,
    /// Bare nodes that share the slots of a cluster; 0 for one that stands alone.
    pub(crate) cluster: usize,
    /// Replicas of each of them.
    pub(crate) replicas: usize,
    /// Shards behind a bare proxy; 0 for a node that is none.
    pub(crate) proxy: u32,
    /// A bare Memcached node.
    pub(crate) memcached: MemcachedSettings,
    /// `None` is the address that the server listens on by its own options.
    pub(crate) url: Option<String>,
}

/// Where the REST interfaces are reached by https.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tls {
    /// Beside the other address, if something is kept.
    Beside,
    /// Nowhere.
    Off,
    /// Here.
    At(SocketAddr),
}

/// What a bare Memcached node is to be.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct MemcachedSettings {
    pub(crate) port: u16,
    /// What items may take, in MB.
    pub(crate) memory_mb: u32,
    pub(crate) max_item_bytes: usize,
    pub(crate) connections: u32,
    /// Seconds.
    pub(crate) idle_timeout: u32,
    /// A file with a name and a password on each line; anybody may use the node without one.
    pub(crate) auth_file: Option<PathBuf>,
    pub(crate) disable_evictions: bool,
    pub(crate) enable_shutdown: bool,
}

/// One option.
struct Record {
    /// Its name, as a flag without the dashes.
    name: &'static str,
    /// What its value is, in a word; empty for a switch. Two words take two arguments and may be repeated; a `TABLE` is
    /// written as TOML has it, in one line where it is no table of the file.
    value: &'static str,
    /// The value that it has when it is not given.
    default: &'static str,
    /// The commands that take it.
    commands: &'static [Command],
    /// What it does.
    about: &'static str,
    /// What values are allowed, to go on from "takes".
    takes: &'static str,
    /// Puts a value into the settings; `None` if it is not allowed.
    set: fn(&mut Settings, &str) -> Option<()>,
}

use Command::{Healthcheck, Memcached, Redis, Serve};

const RECORDS: &[Record] = &[
    Record {
        name: "listen",
        value: "ADDR:PORT",
        default: "127.0.0.1:8400",
        commands: &[Serve, Healthcheck],
        about: "Where the REST interfaces listen.",
        takes: "an address and a port, such as 127.0.0.1:8400",
        set: |settings, value| put(&mut settings.listen, value),
    },
    Record {
        name: "tls-listen",
        value: "ADDR:PORT",
        default: "beside",
        commands: &[Serve],
        about: "Where they listen for https; off for nowhere. By default 43 ports above the other, or at any with that, and \
                not with --ephemeral.",
        takes: "an address and a port, such as 127.0.0.1:8443, beside or off",
        set: |settings, value| {
            settings.tls = match value {
                "beside" => Tls::Beside,
                "off" => Tls::Off,
                address => Tls::At(address.parse().ok()?),
            };
            Some(())
        },
    },
    Record {
        name: "data-dir",
        value: "DIR",
        default: "carnelian-data",
        commands: &[Serve],
        about: "Where instances and their keys are remembered. Made if it is not there.",
        takes: "a directory",
        set: |settings, value| {
            settings.data_dir = not_empty(value)?.into();
            Some(())
        },
    },
    Record {
        name: "buckets",
        value: "DIR",
        default: "",
        commands: &[Serve],
        about: "Where the buckets lie from which backup files are imported: a directory for each. The directory \
                buckets in that of the data where it is not given.",
        takes: "a directory",
        set: |settings, value| {
            settings.buckets = not_empty(value).map(PathBuf::from);
            Some(())
        },
    },
    Record {
        name: "ephemeral",
        value: "",
        default: "false",
        commands: &[Serve, Redis],
        about: "Write nothing to disk: neither instances nor keys are remembered.",
        takes: "true or false",
        set: |settings, value| put(&mut settings.ephemeral, value),
    },
    Record {
        name: "all-commands",
        value: "",
        default: "false",
        commands: &[Serve],
        about: "Have clients of instances know commands that the cloud withholds, such as SAVE, DEBUG and REPLICAOF.",
        takes: "true or false",
        set: |settings, value| put(&mut settings.all_commands, value),
    },
    Record {
        name: "base-port",
        value: "PORT",
        default: "6379",
        commands: &[Serve],
        about: "The first port that an instance gets which asked for none.",
        takes: "a port, 1 to 65535",
        set: |settings, value| put_port(&mut settings.base_port, value),
    },
    Record {
        name: "bind",
        value: "ADDR",
        default: "127.0.0.1",
        commands: &[Serve, Redis, Memcached],
        about: "The address that nodes listen on; 0.0.0.0 for all.",
        takes: "an IP address, such as 127.0.0.1 or 0.0.0.0",
        set: |settings, value| put(&mut settings.bind, value),
    },
    Record {
        name: "advertise",
        value: "HOST",
        default: "",
        commands: &[Serve],
        about: "The host that clients are told to connect to, if it is not the one that they reached this server by.",
        takes: "a host name or an IP address",
        set: |settings, value| {
            settings.advertise = not_empty(value).map(str::to_owned);
            Some(())
        },
    },
    Record {
        name: "threads",
        value: "N",
        default: "0",
        commands: &[Serve, Redis, Memcached],
        about: "How many threads run the nodes; 0 is one for each processor.",
        takes: "a number, 0 to 1024",
        set: |settings, value| {
            settings.threads = value.parse().ok().filter(|threads| *threads <= 1024)?;
            Some(())
        },
    },
    Record {
        name: "region",
        value: "NAME",
        default: "my-kualalumpur-1",
        commands: &[Serve],
        about: "The region that this cloud is.",
        takes: "a name",
        set: |settings, value| put_text(&mut settings.region, value),
    },
    Record {
        name: "project",
        value: "NAME",
        default: "",
        commands: &[Serve],
        about: "The project's name. The region's name if left out, as SDKs expect. Its id follows from its name.",
        takes: "a name",
        set: |settings, value| {
            settings.project = not_empty(value).map(str::to_owned);
            Some(())
        },
    },
    Record {
        name: "domain",
        value: "NAME",
        default: "carnelian",
        commands: &[Serve],
        about: "The account's name.",
        takes: "a name",
        set: |settings, value| put_text(&mut settings.domain, value),
    },
    Record {
        name: "user",
        value: "NAME",
        default: "carnelian",
        commands: &[Serve],
        about: "The user's name, for tokens.",
        takes: "a name",
        set: |settings, value| put_text(&mut settings.user, value),
    },
    Record {
        name: "password",
        value: "TEXT",
        default: "carnelian",
        commands: &[Serve],
        about: "The user's password, for tokens.",
        takes: "a text that is not empty",
        set: |settings, value| put_text(&mut settings.password, value),
    },
    Record {
        name: "access-key",
        value: "KEY",
        default: "carnelian-access-key",
        commands: &[Serve],
        about: "The user's access key, for signed requests. Also Tencent's SecretId.",
        takes: "a text without spaces, commas and semicolons",
        set: |settings, value| {
            let fits = value.bytes().all(|byte| byte.is_ascii_graphic() && !matches!(byte, b',' | b';'));
            fits.then(|| put_text(&mut settings.access_key, value))?
        },
    },
    Record {
        name: "secret-key",
        value: "KEY",
        default: "carnelian-secret-key",
        commands: &[Serve],
        about: "The secret half of the access key. Also Tencent's SecretKey.",
        takes: "a text that is not empty",
        set: |settings, value| put_text(&mut settings.secret_key, value),
    },
    Record {
        name: "auth",
        value: "on|off",
        default: "on",
        commands: &[Serve],
        about: "off takes every request for one of the administrator, whatever credentials it has, in any project.",
        takes: "on or off",
        set: |settings, value| {
            settings.auth = match value {
                "on" | "true" => true,
                "off" | "false" => false,
                _ => return None,
            };
            Some(())
        },
    },
    Record {
        name: "projects",
        value: "NAMES",
        default: "",
        commands: &[Serve],
        about: "Further projects, separated by commas.",
        takes: "names with commas between them",
        set: |settings, value| {
            settings.projects =
                value.split(',').map(str::trim).filter(|name| !name.is_empty()).map(str::to_owned).collect();
            Some(())
        },
    },
    Record {
        name: "users",
        value: TABLE,
        default: "",
        commands: &[Serve],
        about: "Further users, for each of them a table: password, access-key and secret-key, read-only, groups, and what \
                they may do themselves, as groups have it.",
        takes: "a table such as { reader = { password = \"x\", allow = [\"dcs:instance:get*\"] } }",
        set: |settings, value| {
            settings.users = users::users(value)?;
            Some(())
        },
    },
    Record {
        name: "groups",
        value: TABLE,
        default: "",
        commands: &[Serve],
        about: "What users may do that are in these groups, for each of them a table: policies by their names, and what a \
                policy of its own has.",
        takes: "a table such as { operators = { policies = [\"DCS UserAccess\"] } }",
        set: |settings, value| {
            settings.groups = users::groups(value)?;
            Some(())
        },
    },
    Record {
        name: "policies",
        value: TABLE,
        default: "",
        commands: &[Serve],
        about: "What users and groups may do that have these policies, for each of them a table: allow and deny with \
                actions, and document, a policy as the cloud has it: JSON with Version 1.1 and Statements of Effect, Action, \
                Resource (DCS:region:domain:instance:id) and Condition. `DCS FullAccess`, `DCS UserAccess` and \
                `DCS ReadOnlyAccess` are there already.",
        takes: "a table such as { makers = { allow = [\"dcs:instance:*\"], deny = [\"dcs:instance:delete\"] } }",
        set: |settings, value| {
            settings.policies = policies::policies(value)?;
            Some(())
        },
    },
    Record {
        name: "tasks",
        value: "PROFILE",
        default: "instant",
        commands: &[Serve],
        about: "How long tasks take: instant (no longer than the work), realistic (about as long as in the cloud), or \
                stepped (until `POST /admin/tasks/{id}/step`).",
        takes: "instant, realistic or stepped",
        set: |settings, value| {
            settings.tasks = match value {
                "instant" => Profile::Instant,
                "realistic" => Profile::Realistic,
                "stepped" => Profile::Stepped,
                _ => return None,
            };
            Some(())
        },
    },
    Record {
        name: "quota-instances",
        value: "N",
        default: "10000",
        commands: &[Serve],
        about: "How many instances a project may have.",
        takes: "a number",
        set: |settings, value| put(&mut settings.quota_instances, value),
    },
    Record {
        name: "quota-memory-gb",
        value: "GB",
        default: "1000000",
        commands: &[Serve],
        about: "How much memory the instances of a project may have together.",
        takes: "a number of gigabytes",
        set: |settings, value| put(&mut settings.quota_memory_gb, value),
    },
    Record {
        name: "balance",
        value: "CNY",
        default: "100000000",
        commands: &[Serve],
        about: "The money that orders of CRS are paid from, before anything is bought.",
        takes: "a number of CNY, 0 to 4294967295",
        set: |settings, value| put(&mut settings.balance_cny, value),
    },
    Record {
        name: "log",
        value: "FILTER",
        default: "info",
        commands: &[Serve, Redis, Memcached],
        about: "What is logged, to the standard error: a level (error, warn, info, debug, trace) or a filter.",
        takes: "a level or a filter such as info,cloud=debug",
        set: |settings, value| {
            EnvFilter::try_new(value).ok()?;
            put_text(&mut settings.log, value)
        },
    },
    Record {
        name: "port",
        value: "PORT",
        default: "6379",
        commands: &[Redis],
        about: "The port; 0 for one that the system chooses.",
        takes: "a port, 0 to 65535",
        set: |settings, value| put_any_port(&mut settings.port, value),
    },
    Record {
        name: "release",
        value: "R",
        default: "7.4",
        commands: &[Redis],
        about: "The release that the node imitates: 3.0, 4.0, 5.0, 6.2, 7.0 or 7.4.",
        takes: "3.0, 4.0, 5.0, 6.2, 7.0 or 7.4",
        set: |settings, value| {
            settings.release = value.parse().ok()?;
            Some(())
        },
    },
    Record {
        name: "config",
        value: "NAME VALUE",
        default: "",
        commands: &[Redis],
        about: "A parameter of the node, as redis.conf has it; may be repeated. One to a line in the environment, a \
                table in the file.",
        takes: "a parameter and its value, such as maxmemory 100mb",
        set: |settings, lines| {
            for line in lines.lines().filter(|line| !line.trim().is_empty()) {
                let (name, value) = line.trim_start().split_once(' ')?;
                settings.config.push((name.to_owned(), value.trim().to_owned()));
            }
            Some(())
        },
    },
    Record {
        name: "cluster",
        value: "N",
        default: "0",
        commands: &[Redis],
        about: "Runs so many masters that share the slots of a cluster, from the port up, and writes no files; 0 for one \
                node.",
        takes: "a number of nodes",
        set: |settings, value| put(&mut settings.cluster, value),
    },
    Record {
        name: "replicas",
        value: "N",
        default: "0",
        commands: &[Redis],
        about: "How many replicas each master of a cluster has.",
        takes: "a number of nodes",
        set: |settings, value| put(&mut settings.replicas, value),
    },
    Record {
        name: "proxy",
        value: "N",
        default: "0",
        commands: &[Redis],
        about: "Runs a proxy with so many shards behind it, as a Proxy Cluster instance has them; 0 for one node.",
        takes: "a number of shards, 255 at most",
        set: |settings, value| {
            settings.proxy = value.parse().ok().filter(|shards| *shards <= 255)?;
            Some(())
        },
    },
    Record {
        name: "port",
        value: "PORT",
        default: "11211",
        commands: &[Memcached],
        about: "The port; 0 for one that the system chooses.",
        takes: "a port, 0 to 65535",
        set: |settings, value| put_any_port(&mut settings.memcached.port, value),
    },
    Record {
        name: "memory",
        value: "MB",
        default: "64",
        commands: &[Memcached],
        about: "What items may take, with the tables in which they stand.",
        takes: "a number of megabytes, 8 or more",
        set: |settings, value| {
            settings.memcached.memory_mb = value.parse().ok().filter(|mb| *mb >= 8)?;
            Some(())
        },
    },
    Record {
        name: "max-item-size",
        value: "SIZE",
        default: "1m",
        commands: &[Memcached],
        about: "The largest item.",
        takes: "a number of bytes, with k or m behind it for more, from 1k to 1024m",
        set: |settings, value| {
            settings.memcached.max_item_bytes =
                size(value).filter(|bytes| (1 << 10..=1 << 30).contains(bytes))?;
            Some(())
        },
    },
    Record {
        name: "connections",
        value: "N",
        default: "1024",
        commands: &[Memcached],
        about: "The most connections.",
        takes: "a number, 1 or more",
        set: |settings, value| {
            settings.memcached.connections = value.parse().ok().filter(|most| *most > 0)?;
            Some(())
        },
    },
    Record {
        name: "idle-timeout",
        value: "SECONDS",
        default: "0",
        commands: &[Memcached],
        about: "After so long a client is closed that says nothing; 0 for never.",
        takes: "a number of seconds",
        set: |settings, value| put(&mut settings.memcached.idle_timeout, value),
    },
    Record {
        name: "auth-file",
        value: "FILE",
        default: "",
        commands: &[Memcached],
        about: "Who may use the node: lines of name:password, read again at SIGHUP. Clients log in by SASL PLAIN, or by a first `set`.",
        takes: "the path of a file",
        set: |settings, value| {
            settings.memcached.auth_file = not_empty(value).map(PathBuf::from);
            Some(())
        },
    },
    Record {
        name: "disable-evictions",
        value: "",
        default: "false",
        commands: &[Memcached],
        about: "Refuse items when there is no room, rather than give up others.",
        takes: "true or false",
        set: |settings, value| put(&mut settings.memcached.disable_evictions, value),
    },
    Record {
        name: "enable-shutdown",
        value: "",
        default: "false",
        commands: &[Memcached],
        about: "Let clients end the node.",
        takes: "true or false",
        set: |settings, value| put(&mut settings.memcached.enable_shutdown, value),
    },
    Record {
        name: "url",
        value: "URL",
        default: "",
        commands: &[Healthcheck],
        about: "What to ask. /healthz at the address of --listen if left out.",
        takes: "an address such as http://127.0.0.1:8400/healthz",
        set: |settings, value| {
            settings.url = not_empty(value).map(str::to_owned);
            Some(())
        },
    },
];

/// What the value of an option is that has an inner structure.
const TABLE: &str = "TABLE";

/// The option that names the configuration file; it cannot stand in that file.
const CONFIG_FILE: &str = "config-file";

/// Reads the options from the arguments, the environment and the configuration file.
pub(crate) fn read(
    arguments: impl Iterator<Item = OsString>,
    variable: impl Fn(&str) -> Option<OsString>,
    read_file: impl Fn(&Path) -> io::Result<String>,
) -> anyhow::Result<Invocation> {
    let mut arguments = arguments.peekable();
    let named = arguments.next_if(|first| first.to_str().is_some_and(|first| !first.starts_with('-')));
    let command = match named.as_deref().map(|name| name.to_str()) {
        None => Serve,
        Some(Some("redis")) => Redis,
        Some(Some("memcached")) => Memcached,
        Some(Some("healthcheck")) => Healthcheck,
        Some(Some("help")) => return Ok(Invocation::Print(help())),
        Some(other) => {
            let other = other.unwrap_or_default();
            bail!("there is no command {other:?}; the commands are redis, memcached and healthcheck")
        }
    };
    let variable = |name: &str| text_of(variable(name).filter(|value| !value.is_empty()), name);
    let mut file = variable(&variable_of(None, CONFIG_FILE))?;

    let mut flags: Vec<(&Record, String)> = Vec::new();
    let mut parser = Parser::from_args(arguments);
    while let Some(argument) = parser.next()? {
        let name = match argument {
            Arg::Long("help") | Arg::Short('h') => return Ok(Invocation::Print(help())),
            Arg::Long("version") | Arg::Short('V') => {
                return Ok(Invocation::Print(format!("carnelian {}\n", env!("CARGO_PKG_VERSION"))));
            }
            Arg::Long(name) => name.to_owned(),
            Arg::Short(name) => bail!("there is no option -{name}; carnelian --help lists them"),
            Arg::Value(value) => bail!("{value:?} is no option; carnelian --help lists them"),
        };
        if name == CONFIG_FILE {
            file = Some(value_of(&mut parser, CONFIG_FILE, "the path of a TOML file")?);
            continue;
        }
        let record = RECORDS.iter().find(|record| record.name == name && record.commands.contains(&command));
        let record = record
            .with_context(|| format!("there is no option --{name} here; carnelian --help lists them"))?;
        let value = match record.value {
            "" => parser.optional_value().map_or(Ok("true".to_owned()), ValueExt::string)?,
            "NAME VALUE" => {
                let mut next = || value_of(&mut parser, record.name, record.takes);
                format!("{} {}", next()?, next()?)
            }
            _ => value_of(&mut parser, record.name, record.takes)?,
        };
        flags.push((record, value));
    }

    let mut settings = Settings::defaults();
    if let Some(file) = file {
        let text = read_file(Path::new(&file)).map_err(|error| {
            anyhow!(
                "the configuration file {file} cannot be read: {error}; name one that can with --config-file"
            )
        })?;
        settings.apply_file(&text, &file)?;
    }
    for record in RECORDS.iter().filter(|record| record.commands.contains(&command)) {
        let name = variable_of(record.table(), record.name);
        if let Some(value) = variable(&name)? {
            record.apply(&mut settings, &value, &name)?;
        }
    }
    for (record, value) in flags {
        record.apply(&mut settings, &value, &format!("--{}", record.name))?;
    }
    Ok(Invocation::Run(command, Box::new(settings)))
}

/// What `--help` prints.
pub(crate) fn help() -> String {
    let mut text = String::from(
        "Carnelian: a managed-cache cloud that runs on your own machine.\n\n\
         carnelian [OPTIONS]              serve the REST interfaces and their instances\n\
         carnelian redis [OPTIONS]        run a bare Redis node\n\
         carnelian memcached [OPTIONS]    run a bare Memcached node\n\
         carnelian healthcheck [OPTIONS]  exit with 0 when a server is ready\n\n\
         Every option is also a variable (--data-dir is CARNELIAN_DATA_DIR) and a key of the file that\n\
         --config-file FILE names. A flag wins over a variable, that over the file.\n",
    );
    for (title, command) in TITLES {
        let _ = writeln!(text, "\n{title}:");
        for record in RECORDS.iter().filter(|record| record.commands.contains(&command)) {
            let flag = format!("--{} {}", record.name, record.value);
            let default =
                if record.default.is_empty() { String::new() } else { format!(" [{}]", record.default) };
            let _ = writeln!(text, "  {flag:26} {}{default}", record.about);
        }
    }
    text
}

/// The page `docs/configuration.md`.
#[cfg(test)]
pub(crate) fn page() -> String {
    let mut page = String::from(
        "# Configuration\n\n\
         Generated from the options' records; a test keeps it current.\n\n\
         Every option is a flag, an environment variable and a key of the TOML file that `--config-file FILE` (or \
         `CARNELIAN_CONFIG_FILE`) names. A flag wins over the environment, that over the file, that over the \
         default. Keys of one command alone stand in a table of its name.\n",
    );
    for (title, command) in TITLES {
        let _ = write!(
            page,
            "\n## {title}\n\n| flag | variable | key | default | what it does |\n|---|---|---|---|---|\n"
        );
        for record in RECORDS.iter().filter(|record| record.commands.contains(&command)) {
            let flag = format!("--{} {}", record.name, record.value);
            let key =
                record.table().map_or(record.name.to_owned(), |table| format!("{table}.{}", record.name));
            let variable = variable_of(record.table(), record.name);
            let default =
                if record.default.is_empty() { "-".to_owned() } else { format!("`{}`", record.default) };
            let _ = writeln!(
                page,
                "| `{}` | `{variable}` | `{key}` | {default} | {} |",
                flag.trim(),
                record.about
            );
        }
    }
    let _ = write!(page, "\n## Users, groups and policies\n\n{RIGHTS}\n```toml\n{RIGHTS_EXAMPLE}```\n");
    page
}

/// What there is to know of rights that no record says.
#[cfg(test)]
const RIGHTS: &str = "A user may do what the policies allow that the user has, alone or by a group, and nothing that one of \
them denies. A resource is an instance of the region and the account (their ids or `*`); a request that names several \
instances must be allowed for each, and one that names none, as a list does, by a statement about all. Conditions compare \
`g:UserName`, `g:UserId`, `g:DomainName`, `g:DomainId`, `g:ProjectName`, `g:ProjectId` and `g:ServiceName` \
(`StringEquals`, `StringLike`, with `IgnoreCase` or `Not`) and `g:CurrentTime` (`DateLessThan`, `DateGreaterThan`, with \
`Equals`). What is not understood is refused when the program starts. The actions are in [support.md](support.md).\n";

/// An example, which a test reads.
#[cfg(test)]
const RIGHTS_EXAMPLE: &str = r#"[users.olga]
password = "olgas-password"
access-key = "OLGA"
secret-key = "olgas-secret"
groups = ["operators"]

[users.watcher]
password = "watchers-password"
policies = ["DCS ReadOnlyAccess"]

[groups.operators]
policies = ["DCS UserAccess", "one instance until 2030"]
deny = ["dcs:instance:migrateData"]

[policies."one instance until 2030"]
document = '''
{
  "Version": "1.1",
  "Statement": [{
    "Effect": "Deny",
    "Action": ["dcs:instance:modifyStatus", "dcs:instance:restoreData"],
    "Resource": ["DCS:*:*:instance:54602a9d-5e22-4239-9123-77e350df4a34"],
    "Condition": {"DateLessThan": {"g:CurrentTime": ["2030-01-01T00:00:00Z"]}}
  }]
}
'''
"#;

const TITLES: [(&str, Command); 4] = [
    ("carnelian", Serve),
    ("carnelian redis", Redis),
    ("carnelian memcached", Memcached),
    ("carnelian healthcheck", Healthcheck),
];

impl Settings {
    /// How many threads run the nodes.
    pub(crate) fn worker_threads(&self) -> usize {
        match self.threads {
            0 => std::thread::available_parallelism().map_or(1, usize::from),
            threads => threads,
        }
    }

    fn defaults() -> Self {
        let anywhere = SocketAddr::from(([0, 0, 0, 0], 0));
        let mut settings = Settings {
            listen: anywhere,
            tls: Tls::Off,
            data_dir: PathBuf::new(),
            buckets: None,
            ephemeral: false,
            all_commands: false,
            base_port: 0,
            bind: anywhere.ip(),
            advertise: None,
            threads: 0,
            region: String::new(),
            project: None,
            domain: String::new(),
            user: String::new(),
            password: String::new(),
            access_key: String::new(),
            secret_key: String::new(),
            auth: true,
            projects: Vec::new(),
            users: Users::new(),
            groups: Groups::new(),
            policies: Policies::new(),
            tasks: Profile::Instant,
            quota_instances: 0,
            quota_memory_gb: 0,
            balance_cny: 0,
            log: String::new(),
            port: 0,
            release: Release::V7_4,
            config: Vec::new(),
            cluster: 0,
            replicas: 0,
            proxy: 0,
            memcached: MemcachedSettings::default(),
            url: None,
        };
        for record in RECORDS {
            (record.set)(&mut settings, record.default).expect("defaults are allowed values");
        }
        settings
    }

    fn apply_file(&mut self, text: &str, file: &str) -> anyhow::Result<()> {
        let table: toml::Table = text.parse().map_err(|error: toml::de::Error| {
            let line = error.span().map_or(1, |span| text[..span.start].lines().count().max(1));
            anyhow!("{file}, line {line}: {}", error.message())
        })?;
        for (key, value) in &table {
            match value {
                toml::Value::Table(inner) if RECORDS.iter().any(|record| record.table() == Some(key)) => {
                    for (inner_key, value) in inner {
                        self.apply_key(Some(key), inner_key, value, file)?;
                    }
                }
                _ => self.apply_key(None, key, value, file)?,
            }
        }
        Ok(())
    }

    fn apply_key(
        &mut self,
        table: Option<&str>,
        key: &str,
        value: &toml::Value,
        file: &str,
    ) -> anyhow::Result<()> {
        let record = RECORDS.iter().find(|record| record.name == key && record.table() == table);
        let path = table.map_or(key.to_owned(), |table| format!("{table}.{key}"));
        let record = record
            .with_context(|| format!("{file}: there is no key {path}; carnelian --help lists the options"))?;
        let text = if record.value == TABLE { Some(value.to_string()) } else { text_of_toml(value) };
        let text = text.with_context(|| format!("{path} in {file} takes {}", record.takes))?;
        record.apply(self, &text, &format!("{path} in {file}"))
    }
}

impl Record {
    /// The table of the file, and the part of the variable's name, that options of one command alone have.
    fn table(&self) -> Option<&'static str> {
        match self.commands {
            [Redis] => Some("redis"),
            [Memcached] => Some("memcached"),
            [Healthcheck] => Some("healthcheck"),
            _ => None,
        }
    }

    fn apply(&self, settings: &mut Settings, value: &str, place: &str) -> anyhow::Result<()> {
        (self.set)(settings, value).with_context(|| format!("{place} takes {}, not {value:?}", self.takes))
    }
}

/// The value after the option `name`.
fn value_of(parser: &mut Parser, name: &str, takes: &str) -> anyhow::Result<String> {
    let value = parser.value().map_err(|_| anyhow!("--{name} takes {takes}"))?;
    value.into_string().map_err(|_| anyhow!("--{name} takes {takes}, in UTF-8"))
}

fn variable_of(table: Option<&str>, name: &str) -> String {
    let table = table.map_or(String::new(), |table| format!("{table}_"));
    format!("carnelian_{table}{name}").to_ascii_uppercase().replace('-', "_")
}

fn text_of(value: Option<OsString>, name: &str) -> anyhow::Result<Option<String>> {
    value.map(|value| value.into_string().map_err(|_| anyhow!("{name} is not UTF-8"))).transpose()
}

/// A value of the file as the command line would have it; a table becomes lines of names and values.
fn text_of_toml(value: &toml::Value) -> Option<String> {
    match value {
        toml::Value::String(text) => Some(text.clone()),
        toml::Value::Integer(number) => Some(number.to_string()),
        toml::Value::Float(number) => Some(format!("{number:?}")),
        toml::Value::Boolean(truth) => Some(truth.to_string()),
        toml::Value::Table(table) => {
            let lines = table.iter().map(|(name, value)| Some(format!("{name} {}", text_of_toml(value)?)));
            lines.collect::<Option<Vec<_>>>().map(|lines| lines.join("\n"))
        }
        toml::Value::Array(_) | toml::Value::Datetime(_) => None,
    }
}

fn put<T: std::str::FromStr>(place: &mut T, value: &str) -> Option<()> {
    *place = value.parse().ok()?;
    Some(())
}

/// A number of bytes, or of kilobytes or megabytes.
fn size(value: &str) -> Option<usize> {
    let lower = value.to_ascii_lowercase();
    let (number, shift) = match lower.as_bytes().last()? {
        b'k' => (&lower[..lower.len() - 1], 10),
        b'm' => (&lower[..lower.len() - 1], 20),
        _ => (&lower[..], 0),
    };
    number.parse::<usize>().ok()?.checked_mul(1 << shift)
}

fn put_any_port(place: &mut u16, value: &str) -> Option<()> {
    *place = value.parse().ok()?;
    Some(())
}

fn put_port(place: &mut u16, value: &str) -> Option<()> {
    *place = value.parse().ok().filter(|port| *port > 0)?;
    Some(())
}

fn put_text(place: &mut String, value: &str) -> Option<()> {
    not_empty(value)?.clone_into(place);
    Some(())
}

fn not_empty(value: &str) -> Option<&str> {
    (!value.is_empty()).then_some(value)
}

#[cfg(test)]
mod tests {
    use cloud::identity::{AccessKey, Directory, Named, Secret};

    use super::*;

    /// Reads a command line, with these variables and this file.
    fn invocation(line: &str, variables: &[(&str, &str)], file: &str) -> anyhow::Result<Invocation> {
        let arguments = line.split_whitespace().map(OsString::from);
        let variable = |name: &str| {
            let found = variables.iter().find(|(have, _)| *have == name);
            found.map(|(_, value)| OsString::from(value))
        };
        read(arguments, variable, |path| {
            if path == Path::new("c.toml") {
                Ok(file.to_owned())
            } else {
                Err(io::ErrorKind::NotFound.into())
            }
        })
    }

    fn settings(line: &str, variables: &[(&str, &str)], file: &str) -> Settings {
        match invocation(line, variables, file) {
            Ok(Invocation::Run(_, settings)) => *settings,
            other => panic!("{line}: {other:?}"),
        }
    }

    fn refusal(line: &str, variables: &[(&str, &str)], file: &str) -> String {
        let said = format!("{:#}", invocation(line, variables, file).unwrap_err());
        assert!(!said.contains('\n'), "{said}");
        said
    }

    #[test]
    fn defaults_are_the_documented_ones() {
        let settings = settings("", &[], "");
        assert_eq!(settings.listen.to_string(), "127.0.0.1:8400");
        assert_eq!((settings.base_port, settings.port, settings.threads), (6379, 6379, 0));
        assert_eq!((settings.user.as_str(), settings.project.as_deref()), ("carnelian", None));
        assert!(!settings.ephemeral && settings.config.is_empty());
    }

    #[test]
    fn a_flag_wins_over_a_variable_and_that_over_the_file() {
        let file =
            "listen = \"127.0.0.1:1\"\nuser = \"file\"\nthreads = 3\nephemeral = true\n[redis]\nport = 7\n";
        let variables = [("CARNELIAN_LISTEN", "127.0.0.1:2"), ("CARNELIAN_USER", "variable")];
        let with = |line| settings(line, &variables, file);
        let all = with("--config-file c.toml --listen 127.0.0.1:3");
        assert_eq!(all.listen.port(), 3);
        assert_eq!((all.user.as_str(), all.threads, all.ephemeral), ("variable", 3, true));
        assert_eq!(all.domain, "carnelian");
        assert_eq!(with("redis --config-file=c.toml").port, 7);
        let by_variable = [("CARNELIAN_CONFIG_FILE", "c.toml"), ("CARNELIAN_REDIS_PORT", "8")];
        assert_eq!(settings("redis", &by_variable, file).port, 8);
    }

    #[test]
    fn an_empty_variable_counts_as_not_set() {
        assert_eq!(settings("", &[("CARNELIAN_USER", "")], "").user, "carnelian");
    }

    #[test]
    fn switches_and_pairs_are_read() {
        assert!(settings("--ephemeral", &[], "").ephemeral);
        assert!(!settings("--ephemeral=false", &[("CARNELIAN_EPHEMERAL", "true")], "").ephemeral);
        let pairs = |pairs: &[(&str, &str)]| {
            pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect::<Vec<_>>()
        };
        let flags = settings("redis --config maxmemory 100mb --config save -1", &[], "");
        assert_eq!(flags.config, pairs(&[("maxmemory", "100mb"), ("save", "-1")]));
        let lines = [("CARNELIAN_REDIS_CONFIG", "maxmemory 100mb\nsave 900 1\n")];
        assert_eq!(settings("redis", &lines, "").config, pairs(&[("maxmemory", "100mb"), ("save", "900 1")]));
        let file = "[redis.config]\nmaxmemory = \"1gb\"\nhz = 10\n";
        let table = settings("redis --config-file c.toml", &[], file);
        // A table of the file has no order of its own.
        assert_eq!(table.config, pairs(&[("hz", "10"), ("maxmemory", "1gb")]));
    }

    #[test]
    fn a_mistake_is_one_line_that_says_what_is_allowed() {
        for (line, expected) in [
            ("--lisen x", "there is no option --lisen here"),
            ("-x", "there is no option -x"),
            ("--listen", "--listen takes an address and a port, such as 127.0.0.1:8400"),
            ("--config-file", "--config-file takes the path of a TOML file"),
            ("--listen here", "--listen takes an address and a port, such as 127.0.0.1:8400, not \"here\""),
            ("--base-port 0", "--base-port takes a port, 1 to 65535, not \"0\""),
            ("--threads 2000", "--threads takes a number, 0 to 1024"),
            ("--tasks slow", "--tasks takes instant, realistic or stepped, not \"slow\""),
            ("--port 1", "there is no option --port here"),
            ("redis --release 2.8", "--release takes 3.0, 4.0, 5.0, 6.2, 7.0 or 7.4, not \"2.8\""),
            ("redis --config maxmemory", "--config takes a parameter and its value, such as maxmemory 100mb"),
            ("valkey", "there is no command \"valkey\""),
            ("redis extra", "\"extra\" is no option"),
            ("--config-file none.toml", "the configuration file none.toml cannot be read: "),
            ("--config-file none.toml", "; name one that can with --config-file"),
            ("--log a=b=c", "--log takes a level or a filter such as info,cloud=debug, not \"a=b=c\""),
            ("--access-key a,b", "--access-key takes a text without"),
        ] {
            let said = refusal(line, &[], "");
            assert!(said.contains(expected), "{line}: {said}");
        }
        let said = refusal("", &[("CARNELIAN_LISTEN", "x")], "");
        assert!(said.starts_with("CARNELIAN_LISTEN takes an address and a port"), "{said}");
        for (file, expected) in [
            ("lisen = 1", "c.toml: there is no key lisen"),
            ("[redis]\nlisten = 1", "c.toml: there is no key redis.listen"),
            ("threads = \"many\"", "threads in c.toml takes a number"),
            ("threads = [1]", "threads in c.toml takes a number"),
            ("user = \"a\"\nthreads =\n", "c.toml, line 2: "),
        ] {
            let said = refusal("--config-file c.toml", &[], file);
            assert!(said.contains(expected), "{file}: {said}");
        }
    }

    #[test]
    fn users_and_policies_are_tables() {
        let file = "auth = \"off\"\nprojects = \"other, third\"\n\
                    [users.reader]\npassword = \"x\"\npolicies = [\"readers\"]\n\
                    [users.\"a b\"]\npassword = \"y\"\naccess-key = \"AK\"\nsecret-key = \"SK\"\nread-only = true\n\
                    [policies.readers]\nallow = [\"dcs:instance:get*\"]\ndeny = []\n";
        let in_file = settings("--config-file c.toml", &[], file);
        assert!(!in_file.auth && settings("", &[], "").auth);
        assert_eq!(in_file.projects, ["other", "third"]);
        let users = r#"{ reader = { password = "x", policies = ["readers"] }, "a b" = { password = "y", access-key = "AK", secret-key = "SK", read-only = true } }"#;
        let policies = r#"{ readers = { allow = ["dcs:instance:get*"] } }"#;
        let variables = [("CARNELIAN_USERS", users), ("CARNELIAN_POLICIES", policies)];
        let in_variables = settings("--auth off --projects other,third", &variables, "");
        assert_eq!(in_file, in_variables);
        let said = refusal("--config-file c.toml", &[], "[users.a]\npasword = \"x\"\n");
        assert!(said.starts_with("users in c.toml takes a table such as { reader = {"), "{said}");
        assert!(refusal("--auth maybe", &[], "").contains("--auth takes on or off, not \"maybe\""));
    }

    #[test]
    fn the_example_of_rights_is_understood() {
        let settings = settings("--config-file c.toml", &[], RIGHTS_EXAMPLE);
        assert_eq!((settings.users.len(), settings.groups.len(), settings.policies.len()), (2, 1, 1));
        let project = Named::derived("project", &["d", "p"]);
        let key = AccessKey { id: "AK".to_owned(), secret: Secret::new("SK") };
        let mut directory = Directory::with_administrator("d", "r", project, "admin", Secret::new("x"), key);
        users::add(&mut directory, &settings.users, &settings.groups, &settings.policies).unwrap();
        assert_eq!(directory.users.len(), 3);
    }

    #[test]
    fn help_and_version_are_printed() {
        for line in ["--help", "-h", "help", "redis --help"] {
            let Ok(Invocation::Print(text)) = invocation(line, &[], "") else { panic!("{line}") };
            assert!(RECORDS.iter().all(|record| text.contains(record.about)));
            assert!(text.contains("--listen ADDR:PORT"), "{text}");
        }
        let Ok(Invocation::Print(text)) = invocation("-V", &[], "") else { panic!("no version") };
        assert!(text.starts_with("carnelian "));
    }

    #[test]
    fn records_do_not_contradict_each_other() {
        for (at, record) in RECORDS.iter().enumerate() {
            assert!(record.name != CONFIG_FILE && !record.about.is_empty() && !record.commands.is_empty());
            let twice = RECORDS[..at].iter().any(|other| {
                other.name == record.name && other.commands.iter().any(|one| record.commands.contains(one))
            });
            assert!(!twice, "{} is declared twice", record.name);
        }
    }
}
