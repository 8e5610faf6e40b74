//! The list of instances.

use std::cmp::Ordering;
use std::sync::Arc;

use cloud::Pending;
use operation::schema::{FIELD, Field, Integer, Kind, Need, TEXT, Text, joined};
use operation::{Answer, Failure, Operation, Reply};
use serde_json::{Value, json};

use crate::account;
use crate::action::{Request, numbered};
use crate::catalogue;
use crate::code;
use crate::crs::Crs;
use crate::field::{
    ACTION, COMMON_ERRORS, LIMIT, NUMBERED, OFFSET, action, chapter, integer, list, object, optional, text,
    texts,
};
use crate::lease::{Lease, Renewal, Standing};
use crate::time;

pub(super) static LIST: Operation = Operation {
    id: "DescribeRedis",
    summary: "Lists instances.",
    route: action("DescribeRedis"),
    permission: Some("crs:instance:DescribeRedis"),
    reads_only: true,
    query: &[
        LIMIT,
        OFFSET,
        optional("redisId", &code::INVALID_PARAMETER, "The id that an instance has."),
        optional("redisName", &code::INVALID_PARAMETER, "The name that it has."),
        Field {
            name: "orderBy",
            kind: Kind::Text(Text { one_of: &["redisId", "projectId", "createtime"], ..TEXT }),
            invalid: Some(&code::INVALID_PARAMETER),
            about: "What they are sorted by: redisId, projectId or createtime, which it is if left out.",
            ..FIELD
        },
        Field {
            name: "orderType",
            kind: Kind::Integer(Integer { min: 0, max: 1, or_text: true }),
            need: Need::Optional,
            invalid: Some(&code::INVALID_PARAMETER),
            about: "0 for ascending, 1 for descending, which it is if left out.",
        },
        texts("vpcIds", &code::INVALID_PARAMETER, "The numbers of private clouds; 0 is the basic network."),
        texts("unVpcIds", &code::INVALID_PARAMETER, "The ids of private clouds."),
        texts("subnetIds", &code::INVALID_PARAMETER, "The numbers of subnets."),
        texts("unSubnetIds", &code::INVALID_PARAMETER, "The ids of subnets."),
        texts("projectIds", &code::INVALID_PARAMETER, "The projects."),
    ],
    answers: &[Answer {
        status: 200,
        about: "The instances.",
        body: Some(&joined::<5>(
            NUMBERED,
            &[
                integer("totalCount", "How many there are without limit and offset."),
                object(
                    "data",
                    &[list("redisSet", &Kind::Object(INSTANCE), "The instances.")],
                    "The instances.",
                ),
            ],
        )),
    }],
    errors: &[COMMON_ERRORS],
    source: chapter("Query CRS Instance and Instance List"),
    ..ACTION
}
.checked();

/// Most numbers are texts, as in the example.
const INSTANCE: &[Field] = &[
    text("redisName", "The name."),
    text("redisId", "The id."),
    text("appid", "The number of the account."),
    text("projectId", "The project."),
    text("regionId", "The number of the region."),
    text("zoneId", "The zone."),
    integer("vpcId", "The number of the private cloud; 0 in the basic network."),
    text("unVpcId", "Its id; blank in the basic network."),
    integer("subnetId", "The number of the subnet."),
    text("unSubnetId", "Its id."),
    text("status", "0 to be initialized, 1 in process, 2 running, -2 isolated."),
    text("statusDesc", "The status in words."),
    text("wanIp", "The host of its address."),
    text("port", "The port of its address; 0 before it has one."),
    text("createTime", "When it was bought."),
    text("createtime", "The same."),
    text("size", "The capacity in MB."),
    text("sizeUsed", "How much of it is used, in MB."),
    text("typeId", "The type: 1 for a cluster, 2 for a standalone instance."),
    text("typeIdDesc", "The type in words."),
    integer("autoRenewFlag", "1 if it is renewed by itself, or else 0."),
    text("deadlineTime", "Until when it is paid for."),
];

pub(super) fn list_instances<'a>(crs: &'a Crs, request: Request<'a>) -> Pending<'a, Result<Reply, Failure>> {
    Box::pin(async move {
        let filter = Filter::of(&request)?;
        let mut found: Vec<Arc<Lease>> = crs.ledger.read(|book| {
            let there = book.leases.values().filter(|lease| lease.standing != Standing::Released);
            there.filter(|lease| filter.fits(lease)).cloned().collect()
        });
        let by = request.text("orderBy");
        found.sort_by(|first, second| order(by, first, second));
        if request.parameters.integer("orderType") != Some(0) {
            found.reverse();
        }
        let total = found.len();
        let page = |name| usize::try_from(request.integer(name)).unwrap_or(usize::MAX);
        let items: Vec<Value> = found
            .iter()
            .skip(page("offset"))
            .take(page("limit"))
            .map(|lease| shown(crs, &request, lease))
            .collect();
        Ok(numbered(json!({"totalCount": total, "data": {"redisSet": items}})))
    })
}

/// Which instances are asked for; an empty list asks for any.
struct Filter<'a> {
    redis_id: &'a str,
    name: &'a str,
    vpc_ids: Vec<u32>,
    un_vpc_ids: Vec<&'a str>,
    subnet_ids: Vec<u32>,
    un_subnet_ids: Vec<&'a str>,
    project_ids: Vec<u32>,
}

impl<'a> Filter<'a> {
    fn of(request: &Request<'a>) -> Result<Self, Failure> {
        let texts = |name| request.parameters.texts(name).collect();
        let numbers = |name: &'static str| {
            let numbers = request.parameters.texts(name).map(|text| text.parse::<u32>());
            numbers.collect::<Result<Vec<_>, _>>().map_err(|_| code::INVALID_PARAMETER.of(name))
        };
        Ok(Filter {
            redis_id: request.text("redisId"),
            name: request.text("redisName"),
            vpc_ids: numbers("vpcIds")?,
            un_vpc_ids: texts("unVpcIds"),
            subnet_ids: numbers("subnetIds")?,
            un_subnet_ids: texts("unSubnetIds"),
            project_ids: numbers("projectIds")?,
        })
    }

    fn fits(&self, lease: &Lease) -> bool {
        fn among<T: PartialEq>(asked: &[T], has: &T) -> bool {
            asked.is_empty() || asked.contains(has)
        }
        (self.redis_id.is_empty() || self.redis_id == lease.redis_id)
            && (self.name.is_empty() || self.name == lease.name)
            && among(&self.vpc_ids, &lease.place.vpc_id)
            && among(&self.un_vpc_ids, &lease.place.un_vpc_id.as_str())
            && among(&self.subnet_ids, &lease.place.subnet_id)
            && among(&self.un_subnet_ids, &lease.place.un_subnet_id.as_str())
            && among(&self.project_ids, &lease.project_id)
    }
}

fn order(by: &str, first: &Lease, second: &Lease) -> Ordering {
    let by_id = first.redis_id.cmp(&second.redis_id);
    match by {
        "redisId" => by_id,
        "projectId" => first.project_id.cmp(&second.project_id).then(by_id),
        _ => first.created_at_ms.cmp(&second.created_at_ms).then(by_id),
    }
}

fn shown(crs: &Crs, request: &Request<'_>, lease: &Lease) -> Value {
    let instance = crs.instance(lease);
    let (status, status_text) = lease.status(instance.as_deref());
    let used = instance.as_ref().and_then(|instance| crs.cloud.statistics(instance));
    let used_mb = used.map_or(0, |statistics| statistics.used_memory_bytes >> 20);
    let port = instance.as_ref().and_then(|instance| instance.port).unwrap_or(0);
    let region = catalogue::offer(lease.zone_id, lease.kind).map_or(0, |offer| offer.region_id);
    let created = time::written(lease.created_at_ms);
    json!({
        "redisName": lease.name,
        "redisId": lease.redis_id,
        "appid": account::app_id(crs.authority.directory()),
        "projectId": lease.project_id.to_string(),
        "regionId": region.to_string(),
        "zoneId": lease.zone_id.to_string(),
        "vpcId": lease.place.vpc_id,
        "unVpcId": lease.place.un_vpc_id,
        "subnetId": lease.place.subnet_id,
        "unSubnetId": lease.place.un_subnet_id,
        "status": status.to_string(),
        "statusDesc": status_text,
        "wanIp": crs.cloud.host_for(request.call.local),
        "port": port.to_string(),
        // The table and the example spell it differently.
        "createTime": created,
        "createtime": created,
        "size": lease.mem_mb.to_string(),
        "sizeUsed": used_mb.to_string(),
        "typeId": lease.kind.id().to_string(),
        "typeIdDesc": lease.kind.name(),
        "autoRenewFlag": i32::from(lease.renewal == Renewal::Auto),
        "deadlineTime": time::written(lease.deadline_ms),
    })
}
