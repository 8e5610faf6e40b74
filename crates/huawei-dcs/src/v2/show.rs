//! Querying one instance, and the fields that every view of an instance shares.

use cloud::Pending;
use cloud::backup_policy::BackupPolicy;
use cloud::engine::{Engine, Release};
use cloud::instance::{Access, Instance, Tag};
use operation::schema::{self, Field, INTEGER, Kind, Need, TEXT};
use operation::{Answer, Failure, Method, Operation, Reply, Route};
use serde::Serialize;
use serde_json::{Value, json};

use super::{V2_INSTANCE, reference};
use crate::catalogue;
use crate::code;
use crate::dcs::Dcs;
use crate::endpoint::Request;
use crate::field::{
    CALLER_ERRORS, PROJECT_ERRORS, TAG, boolean, integer, integer_or_null, list, object, text, text_or_null,
};
use crate::time;
use crate::v1::show::{backend_addrs, cache_mode, charging_mode, domain_name, mb, name_of, network_of, port};

pub(crate) static SHOW: Operation = Operation {
    id: "ShowInstance",
    summary: "Shows an instance.",
    route: Route::Path { method: Method::Get, template: "/v2/{project_id}/instances/{instance_id}" },
    permission: Some("dcs:instance:get"),
    answers: &[Answer { status: 200, about: "The instance.", body: Some(DETAILS) }],
    errors: &[CALLER_ERRORS, PROJECT_ERRORS, &[&code::UNKNOWN_INSTANCE]],
    source: reference("Querying an Instance"),
    ..V2_INSTANCE
}
.checked();

/// What a list shows of an instance.
pub(super) const SUMMARY: &[Field] = &[
    text("instance_id", "The id."),
    text("name", "The name."),
    text_or_null("description", "What the owner says about it."),
    text("engine", "The engine."),
    text_or_null("engine_version", "The release."),
    text("spec_code", "The specification."),
    text("status", "The state, one of table 12-2."),
    text_or_null("sub_status", "Not used."),
    integer("capacity", "The capacity in GB; 0 below one."),
    text_or_null("capacity_minor", "The capacity in GB, where it is below one."),
    integer("max_memory", "The memory that data may take, in MB."),
    integer("used_memory", "The memory that data takes, in MB."),
    text("ip", "The address to connect to."),
    integer_or_null("port", "The port to connect to; null while the instance has none and asked for none."),
    text("domain_name", "The host name to connect to."),
    text_or_null("readonly_domain_name", "Not used."),
    text("no_password_access", "Whether clients need no password: \"true\" or \"false\"."),
    text_or_null("access_user", "The user name of a Memcached instance."),
    integer("charging_mode", "How it is paid: 0 is by use, 1 in advance."),
    text_or_null("order_id", "The order; null where it is paid by use."),
    text("vpc_id", "The virtual private cloud."),
    text("vpc_name", "Its name."),
    text("subnet_id", "The subnet."),
    text_or_null("security_group_id", "The security group."),
    text("user_id", "The id of the user who ordered it."),
    text("user_name", "The name of that user."),
    text("created_at", "When it was ordered, in UTC."),
    text("maintain_begin", "When the maintenance window begins, as hh:mm:ss."),
    text("maintain_end", "When the maintenance window ends, as hh:mm:ss."),
    boolean("enable_ssl", "Whether clients connect with TLS."),
    boolean("enable_publicip", "Whether it has a public address."),
    text_or_null("publicip_id", "The id of the public address."),
    text_or_null("publicip_address", "The public address."),
    boolean("service_upgrade", "Whether it is being upgraded."),
    text_or_null("service_task_id", "The task that is at work on it."),
    text("enterprise_project_id", "The enterprise project; 0 is the default."),
    text("cpu_type", "The processor: x86_64 or aarch_64."),
    list("az_codes", &Kind::Text(TEXT), "The codes of its availability zones."),
    list("tags", &Kind::Object(TAG), "The tags."),
    object(
        "features",
        &[
            boolean("support_acl", "Whether it has accounts."),
            boolean("support_transparent_client_ip", "Whether clients' addresses can be passed on."),
            boolean("support_ssl", "Whether TLS can be switched on."),
            boolean("support_audit_log", "Whether it keeps a log of commands."),
        ],
        "What it can do: none of these.",
    ),
];

/// What the query of one instance shows.
const DETAILS: &[Field] = &schema::joined::<{ SUMMARY.len() + MORE.len() }>(SUMMARY, MORE);

const MORE: &[Field] = &[
    text("update_at", "When it was changed last, in UTC."),
    text_or_null("launched_at", "When it began to run, in UTC."),
    text_or_null("security_group_name", "The security group's name."),
    text("subnet_name", "The subnet's name."),
    text_or_null("subnet_cidr", "The addresses of the subnet."),
    text_or_null("backend_addrs", "The addresses behind the one of a cluster."),
    list("available_zones", &Kind::Text(TEXT), "The ids of its availability zones."),
    text("product_type", "The edition: generic."),
    text("storage_type", "The kind of memory: DRAM."),
    text("cache_mode", "The form: single, ha, cluster or proxy."),
    text("support_slow_log_flag", "Whether it remembers slow commands: \"yes\" or \"no\"."),
    integer("db_number", "How many databases it has."),
    integer("replica_count", "How often each shard exists."),
    integer("sharding_count", "How many shards it has."),
    text("cloud_service_type_code", "The kind of service."),
    text("cloud_resource_type_code", "The kind of resource."),
    text("inquery_spec_code", "The specification by which it is priced."),
    text_or_null("enterprise_project_name", "The enterprise project's name."),
    boolean("transparent_client_ip_enable", "Whether clients' addresses are passed on."),
    object(
        "domain_name_info",
        &[
            boolean("support_public_resolve", "Whether the name is known everywhere."),
            boolean("is_latest_rules", "Whether it is of the present form."),
            text_or_null("zone_name", "Not used."),
            list(
                "history_domain_names",
                &Kind::Object(&[
                    text("domain_name", "A name that it had."),
                    boolean("is_readonly", "Whether that was for reading alone."),
                ]),
                "Names that it had: none.",
            ),
        ],
        "About the host name.",
    ),
    object(
        "bandwidth_info",
        &[
            integer("bandwidth", "What the specification allows, in Mbit/s."),
            integer("assured_bandwidth", "The same."),
            integer("max_bandwidth_for_node", "The same."),
            integer("current_time", "Now, in ms since 1970."),
            integer("expand_count", "How often it was made wider: never."),
            integer("max_expand_count", "How often it may be made wider: never."),
            integer_or_null("begin_time", "When it was made wider."),
            integer_or_null("end_time", "Until when it is wider."),
            integer_or_null("next_expand_time", "When it may be made wider again."),
            integer_or_null("expand_effect_time", "How long it would be wider, in ms."),
            integer_or_null("expand_interval_time", "How long it would not be made wider again, in ms."),
            boolean("task_running", "Whether it is being made wider."),
        ],
        "About the bandwidth, which nothing here limits.",
    ),
    Field {
        need: Need::Nullable,
        ..object("instance_backup_policy", KEPT_POLICY, "When backups are made; null for a single node.")
    },
];

/// The backup policy is nested once more than in a request.
const KEPT_POLICY: &[Field] = &[
    text_or_null("backup_policy_id", "Not used."),
    text_or_null("created_at", "Not used."),
    text_or_null("updated_at", "Not used."),
    text("tenant_id", "The project."),
    object(
        "policy",
        &[
            text("backup_type", "Who starts backups: auto or manual."),
            integer_or_null("save_days", "For how many days a backup is kept."),
            object(
                "periodical_backup_plan",
                &[
                    text_or_null("timezone_offset", "The time zone."),
                    list("backup_at", &Kind::Integer(INTEGER), "The days of the week; 1 is Monday."),
                    text("period_type", "How the plan repeats."),
                    text("begin_at", "The hour at which backups start."),
                ],
                "When backups are made.",
            ),
        ],
        "The policy.",
    ),
];

/// What a list shows of an instance, as [`SUMMARY`] declares it.
#[derive(Serialize)]
pub(super) struct Summary<'a> {
    instance_id: &'a str,
    name: &'a str,
    description: Option<&'a str>,
    engine: &'static str,
    engine_version: Option<&'static str>,
    spec_code: &'a str,
    status: &'static str,
    sub_status: Option<()>,
    capacity: u32,
    capacity_minor: Option<String>,
    max_memory: u64,
    used_memory: u64,
    ip: &'a str,
    port: Option<u16>,
    domain_name: &'a str,
    readonly_domain_name: Option<()>,
    no_password_access: &'static str,
    access_user: Option<&'a str>,
    charging_mode: u8,
    order_id: Option<&'a str>,
    vpc_id: &'a str,
    vpc_name: String,
    subnet_id: &'a str,
    security_group_id: Option<&'a str>,
    user_id: &'a str,
    user_name: &'a str,
    created_at: String,
    maintain_begin: String,
    maintain_end: String,
    enable_ssl: bool,
    enable_publicip: bool,
    publicip_id: Option<()>,
    publicip_address: Option<()>,
    service_upgrade: bool,
    service_task_id: Option<&'a str>,
    enterprise_project_id: &'a str,
    cpu_type: &'static str,
    az_codes: Vec<&'a str>,
    tags: &'a [Tag],
    features: Features,
}

#[derive(Serialize)]
struct Features {
    support_acl: bool,
    support_transparent_client_ip: bool,
    support_ssl: bool,
    support_audit_log: bool,
}

const NO_FEATURES: Features = Features {
    support_acl: false,
    support_transparent_client_ip: false,
    support_ssl: false,
    support_audit_log: false,
};

pub(super) fn show<'a>(dcs: &'a Dcs, request: Request<'a>) -> Pending<'a, Result<Reply, Failure>> {
    Box::pin(async move {
        let instance = dcs.instance(&request)?;
        let host = dcs.cloud.host_for(request.call.local);
        Ok(Reply::ok(details(dcs, &instance, &host)))
    })
}

/// What a list shows of an instance, whose client reaches it at `host`.
pub(super) fn summary<'a>(dcs: &'a Dcs, instance: &'a Instance, host: &'a str) -> Summary<'a> {
    let used_bytes = dcs.cloud.statistics(instance).map_or(0, |statistics| statistics.used_memory_bytes);
    let gb = instance.capacity.whole_gb();
    let zone = |id: &String| dcs.zones.iter().find(|zone| zone.id == *id).map(|zone| zone.code.as_str());
    Summary {
        instance_id: &instance.id,
        name: &instance.name,
        description: instance.description.as_deref(),
        engine: instance.engine.name(),
        engine_version: instance.release.map(Release::name),
        spec_code: &instance.spec_code,
        status: instance.status.name(),
        sub_status: None,
        capacity: gb,
        capacity_minor: (gb == 0).then(|| instance.capacity.gb().to_string()),
        max_memory: mb(instance.memory_limit_bytes()),
        used_memory: mb(used_bytes),
        ip: host,
        port: port(instance),
        domain_name: domain_name(host),
        readonly_domain_name: None,
        no_password_access: if instance.access == Access::Open { "true" } else { "false" },
        access_user: instance.access_user.as_deref(),
        charging_mode: charging_mode(instance),
        order_id: instance.subscription.as_ref().map(|subscription| subscription.order_id.as_str()),
        vpc_id: &instance.network.vpc_id,
        vpc_name: name_of("vpc", &instance.network.vpc_id),
        subnet_id: &instance.network.subnet_id,
        security_group_id: instance.network.security_group_id.as_deref(),
        user_id: &instance.owner.user_id,
        user_name: &instance.owner.user_name,
        created_at: time::with_millis(instance.created_at_ms),
        maintain_begin: instance.maintenance.begin(),
        maintain_end: instance.maintenance.end(),
        enable_ssl: false,
        enable_publicip: false,
        publicip_id: None,
        publicip_address: None,
        service_upgrade: false,
        service_task_id: instance.task.as_deref(),
        enterprise_project_id: instance.enterprise_project_id.as_deref().unwrap_or("0"),
        cpu_type: catalogue::cpu_type(&instance.spec_code),
        az_codes: instance.zones.iter().filter_map(zone).collect(),
        tags: &instance.tags,
        features: NO_FEATURES,
    }
}

/// When it was changed last.
pub(super) fn updated_at(instance: &Instance) -> String {
    let launched = instance.launched_at_ms.unwrap_or(instance.created_at_ms);
    time::with_millis(instance.updated_at_ms.unwrap_or(launched))
}

/// What the query of one instance shows besides, as [`DETAILS`] declares it.
fn details<'a>(dcs: &'a Dcs, instance: &'a Instance, host: &'a str) -> impl Serialize + use<'a> {
    #[derive(Serialize)]
    struct Details<'a> {
        #[serde(flatten)]
        summary: Summary<'a>,
        #[serde(flatten)]
        more: Value,
    }

    let security_group = instance.network.security_group_id.as_deref();
    let sold = catalogue::find(&instance.spec_code, Some(instance.capacity)).ok();
    let bandwidth = sold.map_or(0, |sold| sold.specification.max_bandwidth_mbit);
    let is_default = instance.enterprise_project_id.as_deref().is_none_or(|id| id == "0");
    let more = json!({
        "update_at": updated_at(instance),
        "launched_at": instance.launched_at_ms.map(time::with_millis),
        "security_group_name": security_group.map(|id| name_of("sg", id)),
        "subnet_name": name_of("subnet", &instance.network.subnet_id),
        "subnet_cidr": network_of(host),
        "backend_addrs": backend_addrs(instance, host),
        "available_zones": instance.zones,
        "product_type": "generic",
        "storage_type": "DRAM",
        "cache_mode": cache_mode(instance.topology),
        "support_slow_log_flag": if instance.engine == Engine::Redis { "yes" } else { "no" },
        "db_number": instance.databases,
        "replica_count": instance.copies,
        "sharding_count": instance.shards,
        "cloud_service_type_code": "hws.service.type.dcs",
        "cloud_resource_type_code": "hws.resource.type.dcs",
        "inquery_spec_code": instance.spec_code,
        "enterprise_project_name": is_default.then_some("default"),
        "transparent_client_ip_enable": false,
        "domain_name_info": {
            "support_public_resolve": false,
            "is_latest_rules": true,
            "zone_name": null,
            "history_domain_names": [],
        },
        "bandwidth_info": {
            "bandwidth": bandwidth,
            "assured_bandwidth": bandwidth,
            "max_bandwidth_for_node": bandwidth,
            "current_time": dcs.cloud.clock().now_ms(),
            "expand_count": 0,
            "max_expand_count": 0,
            "begin_time": null,
            "end_time": null,
            "next_expand_time": null,
            "expand_effect_time": null,
            "expand_interval_time": null,
            "task_running": false,
        },
        "instance_backup_policy":
            instance.backup_policy.as_ref().map(|policy| kept_policy(policy, &instance.project_id)),
    });
    Details { summary: summary(dcs, instance, host), more }
}

fn kept_policy(policy: &BackupPolicy, project_id: &str) -> Value {
    json!({
        "backup_policy_id": null,
        "created_at": null,
        "updated_at": null,
        "tenant_id": project_id,
        "policy": {
            "backup_type": policy.kind.name(),
            "save_days": policy.save_days,
            "periodical_backup_plan": {
                "timezone_offset": policy.plan.timezone_offset,
                "backup_at": policy.plan.weekdays,
                "period_type": "weekly",
                "begin_at": policy.plan.begin_at,
            },
        },
    })
}
