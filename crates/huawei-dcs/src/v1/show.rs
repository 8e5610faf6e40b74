//! Querying one instance, and the fields that every view of an instance shares.

use std::net::{IpAddr, SocketAddr};

use cloud::Pending;
use cloud::backup_policy::BackupPolicy;
use cloud::engine::Release;
use cloud::instance::{Access, Instance, Status, Tag};
use cloud::topology::Topology;
use operation::schema::{self, Field, INTEGER, Kind, Need, TEXT};
use operation::{Answer, Failure, Method, Operation, Reply, Route};
use serde::Serialize;
use serde_json::{Value, json};

use super::V1_PROJECT;
use crate::catalogue;
use crate::code;
use crate::dcs::{Dcs, fault_code};
use crate::endpoint::Request;
use crate::field::{
    CALLER_ERRORS, INSTANCE_ID, PROJECT_ERRORS, PROJECT_ID, TAG, boolean, boolean_or_null, integer,
    integer_or_null, list, object, reference, text, text_or_null,
};
use crate::time;

pub(crate) static SHOW: Operation = Operation {
    id: "ShowInstanceV1",
    summary: "Shows an instance.",
    route: Route::Path { method: Method::Get, template: "/v1.0/{project_id}/instances/{instance_id}" },
    path: &[PROJECT_ID, INSTANCE_ID],
    permission: Some("dcs:instance:get"),
    answers: &[Answer { status: 200, about: "The instance.", body: Some(DETAILS) }],
    errors: &[CALLER_ERRORS, PROJECT_ERRORS, &[&code::UNKNOWN_INSTANCE]],
    source: reference("4.4"),
    ..V1_PROJECT
}
.checked();

/// What a list shows of an instance (table 4-21).
pub(super) const SUMMARY: &[Field] = &[
    text("name", "The name."),
    text("engine", "The engine."),
    integer("capacity", "The capacity in GB; 0 below one."),
    text_or_null("ip", "The address to connect to."),
    integer_or_null("port", "The port to connect to; null while the instance has none and asked for none."),
    text("status", "The state, one of table 12-2."),
    integer("max_memory", "The memory that data may take, in MB."),
    integer("used_memory", "The memory that data takes, in MB."),
    text("instance_id", "The id."),
    text("resource_spec_code", "The specification."),
    text_or_null("engine_version", "The release."),
    text_or_null("internal_version", "Not used."),
    integer("charging_mode", "How it is paid: 0 is by use, 1 in advance."),
    text_or_null("capacity_minor", "The capacity in GB, where it is below one."),
    text("vpc_id", "The virtual private cloud."),
    text("vpc_name", "Its name."),
    text("created_at", "When it was ordered, in UTC."),
    text_or_null("error_code", "Why it could not be created or does not run."),
    text("user_id", "The id of the user who ordered it."),
    text("user_name", "The name of that user."),
    text("maintain_begin", "When the maintenance window begins, as hh:mm:ss."),
    text("maintain_end", "When the maintenance window ends, as hh:mm:ss."),
    boolean("enable_ssl", "Whether clients connect with TLS."),
    list("tags", &Kind::Object(TAG), "The tags."),
    text_or_null("security_group_id", "The security group."),
];

/// What the query of one instance shows (table 4-17 and its example): all that a list shows, and more.
const DETAILS: &[Field] = &schema::joined::<{ SUMMARY.len() + MORE.len() }>(SUMMARY, MORE);

const MORE: &[Field] = &[
    text("domainName", "The host name to connect to."),
    boolean("libos", "Whether it is of the high-performance edition."),
    text_or_null("description", "What the owner says about it."),
    text_or_null("task", "The task at work on it."),
    text_or_null("task_status", "The state of that task."),
    text("no_password_access", "Whether clients need no password: \"true\" or \"false\"."),
    text_or_null("access_user", "The user name of a Memcached instance."),
    boolean("enable_publicip", "Whether it has a public address."),
    text_or_null("publicip_id", "The id of the public address."),
    text_or_null("publicip_address", "The public address."),
    boolean("service_upgrade", "Whether it is being upgraded."),
    text_or_null("service_task_id", "The task that upgrades it."),
    boolean_or_null("is_free", "Not used."),
    text("enterprise_project_id", "The enterprise project; 0 is the default."),
    text("product_type", "The edition: generic."),
    text("cpu_type", "The processor: x86_64 or aarch_64."),
    text("storage_type", "The kind of memory: DRAM."),
    text("cache_mode", "The form: single, ha, cluster or proxy."),
    text_or_null("launched_at", "When it began to run, in UTC."),
    list("available_zones", &Kind::Text(TEXT), "The ids of its availability zones."),
    text("subnet_id", "The subnet."),
    text_or_null("backend_addrs", "The addresses behind the one of a cluster."),
    text("cloud_service_type_code", "The kind of service."),
    text("cloud_resource_type_code", "The kind of resource."),
    text("product_id", "The product."),
    text("spec_code", "The specification once more, by which Terraform finds the product."),
    text_or_null("security_group_name", "The security group's name."),
    text("subnet_name", "The subnet's name."),
    text_or_null("order_id", "The order; null where it is paid by use."),
    text_or_null("subnet_cidr", "The addresses of the subnet."),
    Field {
        need: Need::Nullable,
        ..object("instance_backup_policy", BACKUP_POLICY, "When backups are made; null for a single node.")
    },
    text_or_null("enterprise_project_name", "The enterprise project's name."),
];

const BACKUP_POLICY: &[Field] = &[
    integer_or_null("save_days", "For how many days a backup is kept."),
    text("backup_type", "Who starts backups: auto or manual."),
    object(
        "periodical_backup_plan",
        &[
            text("begin_at", "The hour at which backups start."),
            text("period_type", "How the plan repeats."),
            list("backup_at", &Kind::Integer(INTEGER), "The days of the week; 1 is Monday."),
            text_or_null("timezone_offset", "The time zone."),
        ],
        "When backups are made.",
    ),
];

/// Half a megabyte: added before cutting off, it rounds.
const HALF_MB: u64 = 1 << 19;

/// What a list shows of an instance, as [`SUMMARY`] declares it.
#[derive(Serialize)]
pub(super) struct Summary<'a> {
    name: &'a str,
    engine: &'static str,
    capacity: u32,
    ip: &'a str,
    port: Option<u16>,
    status: &'static str,
    max_memory: u64,
    used_memory: u64,
    instance_id: &'a str,
    resource_spec_code: &'a str,
    engine_version: Option<&'static str>,
    internal_version: Option<()>,
    charging_mode: u8,
    capacity_minor: Option<String>,
    vpc_id: &'a str,
    vpc_name: String,
    created_at: String,
    error_code: Option<&'static str>,
    user_id: &'a str,
    user_name: &'a str,
    maintain_begin: String,
    maintain_end: String,
    enable_ssl: bool,
    tags: &'a [Tag],
    security_group_id: Option<&'a str>,
}

pub(super) fn show<'a>(dcs: &'a Dcs, request: Request<'a>) -> Pending<'a, Result<Reply, Failure>> {
    Box::pin(async move {
        let instance = dcs.instance(&request)?;
        let host = dcs.cloud.host_for(request.call.local);
        Ok(Reply::ok(details(dcs, &instance, &host)))
    })
}

/// What a list shows of an instance, whose client reaches it at `host`.
pub(super) fn summary<'a>(dcs: &Dcs, instance: &'a Instance, host: &'a str) -> Summary<'a> {
    let used_bytes = dcs.cloud.statistics(instance).map_or(0, |statistics| statistics.used_memory_bytes);
    let gb = instance.capacity.whole_gb();
    Summary {
        name: &instance.name,
        engine: instance.engine.name(),
        capacity: gb,
        ip: host,
        port: port(instance),
        status: instance.status.name(),
        max_memory: mb(instance.memory_limit_bytes()),
        used_memory: mb(used_bytes),
        instance_id: &instance.id,
        resource_spec_code: &instance.spec_code,
        engine_version: instance.release.map(Release::name),
        internal_version: None,
        charging_mode: charging_mode(instance),
        capacity_minor: (gb == 0).then(|| instance.capacity.gb().to_string()),
        vpc_id: &instance.network.vpc_id,
        vpc_name: name_of("vpc", &instance.network.vpc_id),
        created_at: time::with_millis(instance.created_at_ms),
        error_code: instance.fault.map(fault_code),
        user_id: &instance.owner.user_id,
        user_name: &instance.owner.user_name,
        maintain_begin: instance.maintenance.begin(),
        maintain_end: instance.maintenance.end(),
        enable_ssl: false,
        tags: &instance.tags,
        security_group_id: instance.network.security_group_id.as_deref(),
    }
}

/// How it is paid: 0 is by use, 1 in advance.
pub(crate) fn charging_mode(instance: &Instance) -> u8 {
    instance.subscription.is_some().into()
}

/// The form, as the documents name it.
pub(crate) fn cache_mode(topology: Topology) -> &'static str {
    match topology {
        Topology::Single => "single",
        Topology::MasterStandby => "ha",
        Topology::Proxy => "proxy",
        Topology::Cluster => "cluster",
    }
}

/// The address behind that of a cluster: its own.
pub(crate) fn backend_addrs(instance: &Instance, host: &str) -> Option<String> {
    let port = instance.port.filter(|_| !instance.topology.has_one_master())?;
    Some(address_of(host, port))
}

/// The port that an instance has, or is to have while it is made.
pub(crate) fn port(instance: &Instance) -> Option<u16> {
    let asked = instance.requested_port.filter(|_| instance.status == Status::Creating);
    instance.port.or(asked)
}

/// What the query of one instance shows besides, as [`DETAILS`] declares it.
fn details<'a>(dcs: &Dcs, instance: &'a Instance, host: &'a str) -> impl Serialize + use<'a> {
    #[derive(Serialize)]
    struct Details<'a> {
        #[serde(flatten)]
        summary: Summary<'a>,
        #[serde(flatten)]
        more: Value,
    }

    let security_group = instance.network.security_group_id.as_deref();
    let more = json!({
        "domainName": domain_name(host),
        "libos": false,
        "description": instance.description,
        "task": instance.task,
        "task_status": instance.task.as_ref().map(|_| "RUNNING"),
        "no_password_access": (instance.access == Access::Open).to_string(),
        "access_user": instance.access_user,
        "enable_publicip": false,
        "publicip_id": null,
        "publicip_address": null,
        "service_upgrade": false,
        "service_task_id": null,
        "is_free": null,
        "enterprise_project_id": instance.enterprise_project_id.as_deref().unwrap_or("0"),
        "product_type": "generic",
        "cpu_type": catalogue::cpu_type(&instance.spec_code),
        "storage_type": "DRAM",
        "cache_mode": cache_mode(instance.topology),
        "launched_at": instance.launched_at_ms.map(time::with_millis),
        "available_zones": instance.zones,
        "subnet_id": instance.network.subnet_id,
        "backend_addrs": backend_addrs(instance, host),
        "cloud_service_type_code": "hws.service.type.dcs",
        "cloud_resource_type_code": "hws.resource.type.dcs",
        "product_id": instance.product_id,
        "spec_code": instance.spec_code,
        "security_group_name": security_group.map(|id| name_of("sg", id)),
        "subnet_name": name_of("subnet", &instance.network.subnet_id),
        "order_id": instance.subscription.as_ref().map(|subscription| &subscription.order_id),
        "subnet_cidr": network_of(host),
        "instance_backup_policy": instance.backup_policy.as_ref().map(backup_policy),
        "enterprise_project_name": null,
    });
    Details { summary: summary(dcs, instance, host), more }
}

fn backup_policy(policy: &BackupPolicy) -> Value {
    json!({
        "save_days": policy.save_days,
        "backup_type": policy.kind.name(),
        "periodical_backup_plan": {
            "begin_at": policy.plan.begin_at,
            "period_type": "weekly",
            "backup_at": policy.plan.weekdays,
            "timezone_offset": policy.plan.timezone_offset,
        },
    })
}

/// The name of something in the network that nothing here knows but its id: its kind and the start of the id.
pub(crate) fn name_of(kind: &str, id: &str) -> String {
    format!("{kind}-{}", id.chars().take(4).collect::<String>())
}

/// A name that resolves to `host`.
pub(crate) fn domain_name(host: &str) -> &str {
    match host.parse::<IpAddr>() {
        Ok(ip) if ip.is_loopback() => "localhost",
        _ => host,
    }
}

/// Host and port as one text; the colons of an IPv6 address are kept apart from the port's.
pub(crate) fn address_of(host: &str, port: u16) -> String {
    match host.parse::<IpAddr>() {
        Ok(ip) => SocketAddr::new(ip, port).to_string(),
        Err(_) => format!("{host}:{port}"),
    }
}

/// The network that the address `host` would lie in.
pub(crate) fn network_of(host: &str) -> Option<String> {
    match host.parse().ok()? {
        IpAddr::V4(ip) => {
            let [a, b, c, _] = ip.octets();
            Some(format!("{a}.{b}.{c}.0/24"))
        }
        IpAddr::V6(_) => None,
    }
}

pub(crate) fn mb(bytes: u64) -> u64 {
    (bytes + HALF_MB) >> 20
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_rounded_as_the_documents_do() {
        // 3.2 GB and 6.8 GB are 3277 and 6963 in the examples of sections 4.5 and 5.2.
        assert_eq!(mb(32 * (1 << 30) / 10), 3277);
        assert_eq!(mb(68 * (1 << 30) / 10), 6963);
        assert_eq!(mb(0), 0);
    }

    #[test]
    fn a_host_and_its_port_are_told_apart() {
        for (host, expected) in
            [("::1", "[::1]:6379"), ("127.0.0.1", "127.0.0.1:6379"), ("cache.test", "cache.test:6379")]
        {
            assert_eq!(address_of(host, 6379), expected);
        }
    }

    #[test]
    fn names_and_networks_follow_from_what_is_known() {
        assert_eq!(name_of("vpc", "27d99e17-42f2"), "vpc-27d9");
        assert_eq!(network_of("192.168.1.48").as_deref(), Some("192.168.1.0/24"));
        assert_eq!(network_of("cache.test"), None);
        assert_eq!((domain_name("127.0.0.1"), domain_name("192.0.2.1")), ("localhost", "192.0.2.1"));
    }
}
