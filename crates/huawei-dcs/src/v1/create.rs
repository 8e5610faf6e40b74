//! Creating an instance: the order that a request is, and the rules that an order must keep.
//!
//! Each field has its own limits in the declaration; the rules here look at several fields at once. Where the two
//! documents of this call differ, both kinds of request are good: the specification is named by `spec_code` or by
//! `product_id` (see `docs/differences.md`).

use std::collections::{BTreeMap, HashSet};

use cloud::backup_policy::{BackupKind, BackupPlan, BackupPolicy};
use cloud::capacity::Capacity;
use cloud::engine::{Engine, Release};
use cloud::identity::Secret;
use cloud::instance::{Access, Network, Order, Owner, Tag};
use cloud::maintenance::MaintenanceWindow;
use cloud::quota::Exceeded;
use cloud::topology::Topology;
use cloud::zone::Zone;
use cloud::{CreateError, Pending};
use operation::schema::{FIELD, Field, Fields, Integer, Kind, Need, Pattern, TEXT, Text};
use operation::{Answer, ErrorCode, Failure, Method, Operation, Reply, Route};
use serde_json::json;

use super::V1_PROJECT;
use super::tags::{self, TAG_SENT};
use crate::catalogue::{self, NotSold, Sold};
use crate::code;
use crate::dcs::Dcs;
use crate::endpoint::Request;
use crate::field::{
    CALLER_ERRORS, MAINTAIN_BEGIN, MAINTAIN_END, PROJECT_ERRORS, backup_policy_of, list, reference, text,
};
use crate::parameters;
use crate::password;

pub(crate) static CREATE: Operation = Operation {
    id: "CreateInstanceV1",
    summary: "Creates an instance.",
    route: Route::Path { method: Method::Post, template: "/v1.0/{project_id}/instances" },
    permission: Some("dcs:instance:create"),
    body: Some(BODY),
    answers: &[Answer {
        status: 200,
        about: "The instance is being created.",
        body: Some(&[
            text("instance_id", "The id of the instance."),
            list(
                "instances",
                &Kind::Object(&[
                    text("instance_id", "The id of the instance."),
                    text("instance_name", "The name of the instance."),
                ]),
                "The instance once more, as a list.",
            ),
        ]),
    }],
    errors: &[
        CALLER_ERRORS,
        PROJECT_ERRORS,
        &[
            &code::EMPTY_BODY,
            &code::PRODUCT_ID,
            &code::ENGINE_MISMATCH,
            &code::QUOTA_REACHED,
            &code::SECURITY_GROUP_ID,
            &code::WEAK_PASSWORD,
            &code::INSTANCE_QUOTA,
            &code::MEMORY_QUOTA,
            &code::UNKNOWN_ZONE,
            &code::NAME_TAKEN,
            &code::MAINTENANCE,
            &code::NOT_SAVED,
        ],
    ],
    source: reference("4.1"),
    ..V1_PROJECT
}
.checked();

/// Commands that may get other names (table 4-2).
pub(crate) const RENAMABLE: [&str; 5] = ["command", "keys", "flushdb", "flushall", "hgetall"];

pub(crate) const BODY: &[Field] = &[
    Field {
        name: "name",
        kind: Kind::Text(Text { min_chars: 4, max_chars: 64, pattern: Some(&NAME_FORM), ..TEXT }),
        need: Need::Required,
        invalid: Some(&code::NAME),
        about: "The name: 4 to 64 letters, digits, underscores and hyphens, the first a letter.",
    },
    Field {
        name: "description",
        kind: Kind::Text(Text { max_chars: 1024, ..TEXT }),
        invalid: Some(&code::DESCRIPTION),
        about: "What the owner says about it, in up to 1024 characters.",
        ..FIELD
    },
    Field {
        name: "engine",
        kind: Kind::Text(TEXT),
        need: Need::Required,
        invalid: Some(&code::ENGINE),
        about: "The engine: Redis or Memcached.",
    },
    Field {
        name: "engine_version",
        invalid: Some(&code::ENGINE_VERSION),
        about: "The release of Redis: 3.0, 4.0 or 5.0.",
        ..FIELD
    },
    Field {
        name: "capacity",
        kind: Kind::Number,
        need: Need::Required,
        invalid: Some(&code::CAPACITY),
        about: "The capacity in GB, one that the specification has.",
    },
    Field {
        name: "spec_code",
        invalid: Some(&code::PARAMETER),
        about: "The specification; left out where product_id names it.",
        ..FIELD
    },
    Field {
        name: "product_id",
        invalid: Some(&code::PRODUCT_ID),
        about: "The product; left out where spec_code names it.",
        ..FIELD
    },
    Field {
        name: "no_password_access",
        kind: Kind::Flag,
        invalid: Some(&code::NO_PASSWORD_ACCESS),
        about: "Whether clients need no password. False if left out.",
        ..FIELD
    },
    Field {
        name: "password",
        invalid: Some(&code::PASSWORD),
        about: "The password: 8 to 32 characters of three kinds. Left out where clients need none.",
        ..FIELD
    },
    Field {
        name: "access_user",
        kind: Kind::Text(Text { max_chars: 64, pattern: Some(&NAME_FORM), ..TEXT }),
        invalid: Some(&code::ACCESS_USER),
        about: "The user name of a Memcached instance, any if left out; not used by Redis.",
        ..FIELD
    },
    Field {
        name: "vpc_id",
        kind: Kind::Text(ID),
        need: Need::Required,
        invalid: Some(&code::VPC_ID),
        about: "The id of the virtual private cloud.",
    },
    Field {
        name: "security_group_id",
        kind: Kind::Text(ID),
        invalid: Some(&code::SECURITY_GROUP_ID),
        about: "The id of the security group; needed with release 3.0 and with Memcached.",
        ..FIELD
    },
    Field {
        name: "subnet_id",
        kind: Kind::Text(ID),
        need: Need::Required,
        invalid: Some(&code::SUBNET_ID),
        about: "The id of the subnet.",
    },
    Field {
        name: "available_zones",
        kind: Kind::List { of: &Kind::Text(TEXT), min_items: 1 },
        need: Need::Required,
        invalid: Some(&code::ZONES),
        about: "The ids of the availability zones; one for a single node.",
    },
    backup_policy_of(BACKUP_POLICY),
    MAINTAIN_BEGIN,
    MAINTAIN_END,
    Field {
        name: "tags",
        kind: Kind::List { of: &Kind::Object(TAG_SENT), min_items: 0 },
        invalid: Some(&code::PARAMETER),
        about: "The tags.",
        ..FIELD
    },
    Field {
        name: "port",
        kind: Kind::Integer(Integer { min: 1, max: 65_535, or_text: true }),
        invalid: Some(&code::PARAMETER),
        about: "The port, from release 4.0 on. The next free one if left out.",
        ..FIELD
    },
    Field {
        name: "rename_commands",
        kind: Kind::Map(&Kind::Text(Text {
            min_chars: 1,
            max_chars: 64,
            pattern: Some(&COMMAND_FORM),
            ..TEXT
        })),
        invalid: Some(&code::PARAMETER),
        about: "Other names for COMMAND, KEYS, FLUSHDB, FLUSHALL and HGETALL, from release 4.0 on.",
        ..FIELD
    },
];

pub(crate) const BACKUP_POLICY: &[Field] = &[
    Field {
        name: "save_days",
        kind: Kind::Integer(Integer { min: 1, max: 7, or_text: true }),
        invalid: Some(&code::SAVE_DAYS),
        about: "For how many days a backup is kept; needed with manual backups.",
        ..FIELD
    },
    Field {
        name: "backup_type",
        kind: Kind::Text(Text { one_of: &["auto", "manual"], ..TEXT }),
        invalid: Some(&code::BACKUP_TYPE),
        about: "Who starts backups: auto or manual. Manual if left out.",
        ..FIELD
    },
    Field {
        name: "periodical_backup_plan",
        kind: Kind::Object(&[
            Field {
                name: "begin_at",
                kind: Kind::Text(Text { pattern: Some(&HOURS), ..TEXT }),
                need: Need::Required,
                invalid: Some(&code::BEGIN_AT),
                about: "The hour at which backups start, such as 00:00-01:00.",
            },
            Field {
                name: "period_type",
                kind: Kind::Text(Text { one_of: &["weekly"], ..TEXT }),
                need: Need::Required,
                invalid: Some(&code::PERIOD_TYPE),
                about: "How the plan repeats: weekly.",
            },
            Field {
                name: "backup_at",
                kind: Kind::List {
                    of: &Kind::Integer(Integer { min: 1, max: 7, or_text: true }),
                    min_items: 1,
                },
                need: Need::Required,
                invalid: Some(&code::BACKUP_AT),
                about: "The days of the week; 1 is Monday.",
            },
            Field {
                name: "timezone_offset",
                kind: Kind::Text(Text { pattern: Some(&TIMEZONE), ..TEXT }),
                invalid: Some(&code::PARAMETER),
                about: "The time zone, such as +0800 or GMT+08:00. UTC if left out.",
                ..FIELD
            },
        ]),
        need: Need::Required,
        invalid: Some(&code::PARAMETER),
        about: "When backups are made.",
    },
];

/// An id that another service gave out: nothing here knows its form.
pub(crate) const ID: Text = Text { min_chars: 1, max_chars: 64, pattern: Some(&OPAQUE), ..TEXT };

/// What the versions of this call do not have in common.
pub(crate) struct Dialect {
    /// The field that names the availability zones.
    pub(crate) zones: &'static str,
    /// What zones are named by.
    pub(crate) zone_name: fn(&Zone) -> &str,
    /// Who starts those backups of which it must be said for how long they are kept.
    pub(crate) save_days_with: BackupKind,
    /// The versions that Memcached may have.
    pub(crate) memcached_versions: &'static [&'static str],
}

/// The dialect of v1.0.
pub(crate) static V1_DIALECT: Dialect = Dialect {
    zones: "available_zones",
    zone_name: |zone| &zone.id,
    save_days_with: BackupKind::Manual,
    memcached_versions: &[""],
};

pub(super) fn create<'a>(dcs: &'a Dcs, request: Request<'a>) -> Pending<'a, Result<Reply, Failure>> {
    Box::pin(async move {
        let order = order(dcs, &request, &V1_DIALECT)?;
        let instance = dcs.cloud.create(order).await.map_err(|error| refused(&error))?;
        Ok(Reply::ok(json!({
            "instances": [{"instance_id": instance.id, "instance_name": instance.name}],
            "instance_id": instance.id,
        })))
    })
}

/// The code of an order that is not admitted.
pub(crate) fn refused(error: &CreateError) -> &'static ErrorCode {
    match error {
        CreateError::NameTaken => &code::NAME_TAKEN,
        CreateError::Quota(Exceeded::Instances) => &code::INSTANCE_QUOTA,
        CreateError::Quota(Exceeded::Memory) => &code::MEMORY_QUOTA,
        CreateError::Store(_) => &code::NOT_SAVED,
    }
}

/// The order that a request is, if it keeps the rules.
pub(crate) fn order(dcs: &Dcs, request: &Request<'_>, dialect: &Dialect) -> Result<Order, Failure> {
    let body = &request.body;
    let engine = engine(body)?;
    let release = release(body, engine, dialect)?;
    let sold = sold(body, engine, release)?;
    let topology = sold.specification.topology();
    let user = &request.caller().user.named;
    Ok(Order {
        project_id: request.project_id().to_owned(),
        name: body.text("name").unwrap_or_default().to_owned(),
        description: body.text("description").map(str::to_owned),
        engine,
        release,
        topology,
        capacity: sold.specification.capacity,
        gives_all: false,
        shards: sold.specification.shards,
        copies: sold.specification.copies,
        access: access(body, engine)?,
        access_user: access_user(body, engine),
        network: network(body, release)?,
        zones: zones(body, topology, &dcs.zones, dialect)?,
        backup_policy: backup_policy(body, topology, dialect)?,
        maintenance: maintenance(body)?,
        tags: tags(body)?,
        requested_port: requested_port(body, release)?,
        renamed_commands: renamed_commands(dcs, body, engine, release)?,
        parameters: parameters::initial(engine),
        reserved_mb: 0,
        owner: Owner { user_id: user.id.clone(), user_name: user.name.clone() },
        databases: sold.specification.databases,
        spec_code: sold.spec_code,
        product_id: sold.product_id,
        subscription: None,
        enterprise_project_id: None,
    })
}

fn engine(body: &Fields<'_>) -> Result<Engine, Failure> {
    body.text("engine").unwrap_or_default().parse().map_err(|()| (&code::ENGINE).into())
}

/// The release; those that the cloud sells are fewer than those that a node can imitate. `openstack dcs` writes 3.0
/// as the version that it was. Memcached has none.
fn release(body: &Fields<'_>, engine: Engine, dialect: &Dialect) -> Result<Option<Release>, Failure> {
    let version = body.word("engine_version").unwrap_or_default();
    if engine == Engine::Memcached {
        return if dialect.memcached_versions.contains(&&*version) {
            Ok(None)
        } else {
            Err((&code::ENGINE_VERSION).into())
        };
    }
    match if version == "3.0.7" { Ok(Release::V3_0) } else { version.parse() } {
        Ok(release @ (Release::V3_0 | Release::V4_0 | Release::V5_0)) => Ok(Some(release)),
        Ok(_) | Err(()) => Err((&code::ENGINE_VERSION).into()),
    }
}

/// Whether an instance is of those older ones that have a security group, and the one port, and no commands under other
/// names: Redis 3.0 and Memcached.
fn is_fixed(release: Option<Release>) -> bool {
    release.is_none_or(|release| release == Release::V3_0)
}

fn sold(body: &Fields<'_>, engine: Engine, release: Option<Release>) -> Result<Sold, Failure> {
    let capacity = body.number("capacity").and_then(Capacity::from_gb);
    let sold = match (body.text("spec_code"), body.text("product_id")) {
        (Some(spec_code), _) => catalogue::find(spec_code, capacity).map_err(|error| match error {
            NotSold::UnknownCode => code::PARAMETER.of("spec_code"),
            NotSold::WrongCapacity => (&code::CAPACITY).into(),
        })?,
        (None, product_id) => {
            catalogue::find(product_id.unwrap_or_default(), capacity).map_err(|error| match error {
                NotSold::UnknownCode => &code::PRODUCT_ID,
                NotSold::WrongCapacity => &code::CAPACITY,
            })?
        }
    };
    if let Some(product_id) = body.text("product_id") {
        let also = catalogue::find(product_id, capacity);
        if !also.is_ok_and(|also| also.specification == sold.specification) {
            return Err((&code::PRODUCT_ID).into());
        }
    }
    if sold.specification.engine() != engine {
        return Err((&code::ENGINE_MISMATCH).into());
    }
    if !release.is_none_or(|release| sold.specification.releases.contains(&release)) {
        return Err((&code::ENGINE_VERSION).into());
    }
    Ok(sold)
}

pub(crate) fn access(body: &Fields<'_>, engine: Engine) -> Result<Access, Failure> {
    if body.boolean("no_password_access") == Some(true) {
        return Ok(Access::Open);
    }
    match body.text("password") {
        None => Err((&code::PASSWORD).into()),
        Some(password) if !password::is_strong(password, access_user(body, engine).as_deref()) => {
            Err((&code::WEAK_PASSWORD).into())
        }
        Some(password) => Ok(Access::Password(Secret::new(password))),
    }
}

/// The name of those who use a Memcached instance. Without a password nobody gives one.
fn access_user(body: &Fields<'_>, engine: Engine) -> Option<String> {
    let has_password = body.boolean("no_password_access") != Some(true);
    let named = body.text("access_user").filter(|name| !name.is_empty());
    named.filter(|_| engine == Engine::Memcached && has_password).map(str::to_owned)
}

fn network(body: &Fields<'_>, release: Option<Release>) -> Result<Network, Failure> {
    let security_group_id = body.text("security_group_id").map(str::to_owned);
    if is_fixed(release) && security_group_id.is_none() {
        return Err((&code::SECURITY_GROUP_ID).into());
    }
    Ok(Network {
        vpc_id: body.text("vpc_id").unwrap_or_default().to_owned(),
        subnet_id: body.text("subnet_id").unwrap_or_default().to_owned(),
        security_group_id,
    })
}

fn zones(
    body: &Fields<'_>,
    topology: Topology,
    known: &[Zone],
    dialect: &Dialect,
) -> Result<Vec<String>, Failure> {
    let asked = distinct(body.texts(dialect.zones));
    if topology == Topology::Single && asked.len() > 1 {
        return Err((&code::ZONES).into());
    }
    let id_of = |name: &str| {
        let zone = known.iter().find(|zone| (dialect.zone_name)(zone) == name);
        zone.map(|zone| zone.id.clone()).ok_or_else(|| (&code::UNKNOWN_ZONE).into())
    };
    asked.into_iter().map(id_of).collect()
}

/// The backup policy. One for a single node is checked and dropped: clients send it, and there it does nothing.
pub(crate) fn backup_policy(
    body: &Fields<'_>,
    topology: Topology,
    dialect: &Dialect,
) -> Result<Option<BackupPolicy>, Failure> {
    let Some(policy) = body.object("instance_backup_policy") else { return Ok(None) };
    let kind = if policy.text("backup_type") == Some("auto") { BackupKind::Auto } else { BackupKind::Manual };
    let save_days = policy.integer("save_days").and_then(|days| u8::try_from(days).ok());
    if kind == dialect.save_days_with && save_days.is_none() {
        return Err(code::SAVE_DAYS.of("save_days"));
    }
    let plan = policy.object("periodical_backup_plan").map(|plan| BackupPlan {
        begin_at: plan.text("begin_at").unwrap_or_default().to_owned(),
        weekdays: distinct(plan.integers("backup_at").filter_map(|day| u8::try_from(day).ok())),
        timezone_offset: plan.text("timezone_offset").map(str::to_owned),
    });
    let policy = plan.map(|plan| BackupPolicy { kind, save_days, plan });
    Ok(policy.filter(|_| topology != Topology::Single))
}

pub(crate) fn maintenance(body: &Fields<'_>) -> Result<MaintenanceWindow, Failure> {
    // The examples of v2 have a quotation mark too many in the name, and one of them leaves the seconds out.
    let quoted = body.text("maintain_end\"");
    let quoted =
        quoted.map(|end| if end.len() == "06:00".len() { format!("{end}:00") } else { end.to_owned() });
    match (body.text("maintain_begin"), body.text("maintain_end").or(quoted.as_deref())) {
        (None, None) => Ok(MaintenanceWindow::default()),
        (Some(begin), Some(end)) => {
            MaintenanceWindow::from_times(begin, end).ok_or_else(|| (&code::MAINTENANCE).into())
        }
        _ => Err((&code::MAINTENANCE).into()),
    }
}

fn tags(body: &Fields<'_>) -> Result<Vec<Tag>, Failure> {
    let mut tags: Vec<Tag> = Vec::new();
    for tag in body.objects("tags") {
        let (key, value) = tags::sent(&tag);
        let value = value.ok_or_else(|| code::PARAMETER.of("value"))?;
        if tags.iter().any(|other| other.key == key) {
            return Err(code::PARAMETER.of("tags"));
        }
        tags.push(Tag { key, value });
    }
    if tags.len() > tags::MOST { Err((&code::QUOTA_REACHED).into()) } else { Ok(tags) }
}

fn requested_port(body: &Fields<'_>, release: Option<Release>) -> Result<Option<u16>, Failure> {
    let port = body.integer("port").and_then(|port| u16::try_from(port).ok());
    if port.is_some() && is_fixed(release) { Err(code::PARAMETER.of("port")) } else { Ok(port) }
}

/// The other names of commands: none that another command has, nor two the same.
pub(crate) fn renamed_commands(
    dcs: &Dcs,
    body: &Fields<'_>,
    engine: Engine,
    release: Option<Release>,
) -> Result<BTreeMap<String, String>, Failure> {
    let renamed: Vec<_> = body.pairs("rename_commands").collect();
    let new_names: HashSet<_> = renamed.iter().map(|(_, name)| name.to_ascii_lowercase()).collect();
    let commands: BTreeMap<_, _> =
        renamed.iter().map(|(command, name)| (command.to_ascii_lowercase(), (*name).to_owned())).collect();
    let fits = commands.keys().all(|command| RENAMABLE.contains(&command.as_str()))
        && commands.len() == renamed.len()
        && new_names.len() == renamed.len()
        && commands.iter().all(|(command, name)| {
            command.eq_ignore_ascii_case(name) || !dcs.cloud.has_command(engine, release, name)
        })
        && (renamed.is_empty() || !is_fixed(release));
    if fits { Ok(commands) } else { Err(code::PARAMETER.of("rename_commands")) }
}

pub(crate) static NAME_FORM: Pattern = Pattern {
    expression: "^[A-Za-z][A-Za-z0-9_-]*$",
    matches: |name| {
        name.starts_with(|first: char| first.is_ascii_alphabetic()) && name.bytes().all(is_name_byte)
    },
};

pub(crate) static COMMAND_FORM: Pattern =
    Pattern { expression: "^[A-Za-z0-9_-]*$", matches: |name| name.bytes().all(is_name_byte) };

static OPAQUE: Pattern =
    Pattern { expression: "^[!-~]*$", matches: |id| id.bytes().all(|byte| byte.is_ascii_graphic()) };

static HOURS: Pattern = Pattern {
    expression: "^(00:00-01:00|01:00-02:00|02:00-03:00|03:00-04:00|04:00-05:00|05:00-06:00|\
                 06:00-07:00|07:00-08:00|08:00-09:00|09:00-10:00|10:00-11:00|11:00-12:00|\
                 12:00-13:00|13:00-14:00|14:00-15:00|15:00-16:00|16:00-17:00|17:00-18:00|\
                 18:00-19:00|19:00-20:00|20:00-21:00|21:00-22:00|22:00-23:00|23:00-(00|24):00)$",
    matches: |hours| {
        let hour = |time: &str| match time.strip_suffix(":00") {
            Some(hour) if hour.len() == 2 && hour.bytes().all(|byte| byte.is_ascii_digit()) => {
                hour.parse::<u8>().ok()
            }
            _ => None,
        };
        match hours.split_once('-').map(|(begin, end)| (hour(begin), hour(end))) {
            Some((Some(begin), Some(end))) => begin < 24 && (end == begin + 1 || (begin, end) == (23, 0)),
            _ => false,
        }
    },
};

static TIMEZONE: Pattern = Pattern {
    expression: "^(GMT)?[+-]((0[0-9]|1[01]):?[0-5][0-9]|12:?00)$",
    matches: |zone| {
        let Some(offset) = zone.strip_prefix("GMT").unwrap_or(zone).strip_prefix(['+', '-']) else {
            return false;
        };
        let digits = offset.replacen(':', "", 1);
        let fits = digits.len() == 4
            && digits.bytes().all(|byte| byte.is_ascii_digit())
            && (offset.len() == 4 || offset.as_bytes()[2] == b':');
        fits && *digits <= *"1200" && digits[2..] <= *"59"
    },
};

/// The items in their order, each once.
pub(crate) fn distinct<T: PartialEq>(items: impl Iterator<Item = T>) -> Vec<T> {
    items.fold(Vec::new(), |mut distinct, item| {
        if !distinct.contains(&item) {
            distinct.push(item);
        }
        distinct
    })
}

fn is_name_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms_accept_what_they_say() {
        let cases: [(&Pattern, &[&str], &[&str]); 4] = [
            (&NAME_FORM, &["dcs-a11e", "A_1"], &["", "1abc", "_abc", "-abc", "a b", "aé"]),
            (&OPAQUE, &["27d99e17-42f2-4751-818f-5c8c6c03ff15", "vpc"], &["a b", "é", "a\n"]),
            (
                &HOURS,
                &["00:00-01:00", "23:00-00:00", "23:00-24:00"],
                &[
                    "",
                    "00:00",
                    "0:00-1:00",
                    "24:00-01:00",
                    "24:00-25:00",
                    "00:30-01:30",
                    "00:00-25:00",
                    "+1:00-02:00",
                    "00:00-00:00",
                    "01:00-00:00",
                    "00:00-05:00",
                    "00:00-24:00",
                ],
            ),
            (
                &TIMEZONE,
                &["+0800", "-1200", "GMT+08:00", "GMT-12:00", "+08:30"],
                &[
                    "",
                    "0800",
                    "+1300",
                    "+08",
                    "+8:00",
                    "GMT",
                    "+08:60",
                    "GMT+12:59",
                    "+1201",
                    "+0:800",
                    "UTC+08:00",
                    "+é00",
                ],
            ),
        ];
        for (pattern, good, bad) in cases {
            for text in good {
                assert!((pattern.matches)(text), "{text} against {}", pattern.expression);
            }
            for text in bad {
                assert!(!(pattern.matches)(text), "{text} against {}", pattern.expression);
            }
        }
    }
}
